"""What is measured: generated figures, their shares as columns on disk, and the exact answers in the clear."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpc_cde.documents.figure import Figure
from parties.column_file import digest_of_shares, writing_columns
from protocols import field as fp
from protocols import kernels, keystream
from protocols.encoding import FigureEncoding
from protocols.randomness import ScriptedRandomness

BLOCK_RECORDS = 1 << 15
DISTRIBUTIONS = ("uniform", "skewed", "tied")


@dataclass(frozen=True, slots=True)
class Case:
    """`figures` are encoded numbers in 0 .. 2^bits - 1, in base 2^digit_bits digits; the first takes the rest."""

    records: int
    bits: int
    quantiles: tuple[Fraction, ...]
    parties: int
    threshold: int
    distribution: str
    seed: int
    digit_bits: int = 4

    @property
    def radices(self) -> tuple[int, ...]:
        digits, rest = divmod(self.bits, self.digit_bits)
        return ((1 << rest,) if rest else ()) + (1 << self.digit_bits,) * digits

    @property
    def encoding(self) -> FigureEncoding:
        return FigureEncoding.create(
            minimum="0",
            step="1",
            publish_step="1",
            radices=self.radices,
            allow_exact=True,
            blank_allowed=False,
        )

    @property
    def figure(self) -> Figure:
        """The figure as a study has it."""
        return Figure(
            name="figure",
            label="Figure",
            minimum="0",
            step="1",
            publish_step="1",
            radices=self.radices,
            blank_allowed=False,
        )

    @property
    def quantile_texts(self) -> list[str]:
        return [f"{q.numerator}/{q.denominator}" for q in self.quantiles]

    def figures(self) -> NDArray[np.uint64]:
        generator = np.random.default_rng(self.seed)
        size = 1 << self.bits
        if self.distribution == "uniform":
            return generator.integers(0, size, self.records, dtype=np.uint64)
        if self.distribution == "skewed":
            numbers = np.exp(generator.normal(self.bits * 0.45, 1.2, self.records))
            return np.minimum(numbers, size - 1).astype(np.uint64)
        return generator.integers(0, min(size, 7), self.records, dtype=np.uint64)  # tied

    def expected_percentiles(self) -> tuple[int, ...]:
        """The exact percentiles in the clear (inverted_cdf)."""
        ordered = np.sort(self.figures())
        return tuple(
            int(ordered[-(-q.numerator * self.records // q.denominator) - 1]) for q in self.quantiles
        )

    def smaller(self, records: int) -> Case:
        return replace(self, records=min(self.records, records))


def indicators(case: Case, figures: NDArray[np.uint64]) -> fp.FieldVector:
    """The plain indicator matrix (L, n)."""
    matrix = np.empty((case.encoding.element_count, len(figures)), dtype=np.uint64)
    row, weight = 0, case.encoding.size
    for radix in case.radices:
        weight //= radix
        digit = (figures // np.uint64(weight) % np.uint64(radix)).astype(np.uint8)
        for symbol in range(radix - 1):
            matrix[row] = digit == symbol
            row += 1
    return matrix


def share_blocks(case: Case) -> Iterator[list[fp.FieldVector]]:
    """Each party's matrix (L, block) of degree-t shares, BLOCK_RECORDS members at a time."""
    randomness = ScriptedRandomness(b"benchmark")
    figures = case.figures()
    for start in range(0, case.records, BLOCK_RECORDS):
        plain = indicators(case, figures[start : start + BLOCK_RECORDS])
        shares = [plain.ravel().copy() for _ in range(case.parties)]
        for power in range(1, case.threshold + 1):
            mask = keystream.expand_seed(randomness.random_bytes(32), plain.size)
            for party, share in enumerate(shares):
                kernels.axpy(share, pow(party + 1, power, fp.P), mask)
        yield [share.reshape(plain.shape) for share in shares]


def shared_columns(case: Case) -> list[fp.FieldVector]:
    """Each party's columns (L, n) in memory."""
    blocks = list(share_blocks(case))
    return [np.concatenate([block[party] for block in blocks], axis=1) for party in range(case.parties)]


def write_columns(case: Case, directory: Path, name: str) -> list[Path]:
    """Each party's columns, by what writes and checks a node's, from shares of scripted randomness."""
    paths = [directory / f"{name}-party-{party}.u64" for party in range(case.parties)]
    with ExitStack() as stack:
        writers = [
            stack.enter_context(writing_columns(path, [case.encoding], case.records)) for path in paths
        ]
        for block in share_blocks(case):
            for write, part in zip(writers, block, strict=True):
                write(part)
    for path in paths:
        digest_of_shares(path)  # as a node does before a session; the pages come from there
    return paths


def add_case_arguments(parser: argparse.ArgumentParser, *, records: int = 100_000) -> None:
    parser.add_argument("--records", type=int, default=records)
    parser.add_argument("--bits", type=int, default=32)
    parser.add_argument("--digit-bits", type=int, default=4, help="a digit of the encoding has so many bits")
    parser.add_argument("--percentiles", default="50", help="comma-separated, for example 10,20,50")
    parser.add_argument("--parties", type=int, default=3)
    parser.add_argument("--threshold", type=int, default=None)
    parser.add_argument("--distribution", choices=DISTRIBUTIONS, default="uniform")
    parser.add_argument("--seed", type=int, default=1)


def parse_case(arguments: argparse.Namespace) -> Case:
    return Case(
        records=arguments.records,
        bits=arguments.bits,
        quantiles=tuple(Fraction(text) / 100 for text in arguments.percentiles.split(",")),
        parties=arguments.parties,
        threshold=arguments.threshold or (arguments.parties - 1) // 2,
        distribution=arguments.distribution,
        seed=arguments.seed,
        digit_bits=arguments.digit_bits,
    )
