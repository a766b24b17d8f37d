"""Engine: what a computation may ask, whoever answers it.

Three engines obey the same laws (`tests/protocols/test_engine_laws.py` runs on each):

- `cleartext_engine`: plain integers, no peers. The oracle.
- `party_engine`: one party's shares. `local_engine` runs all parties of it in one process.
- the same `party_engine`, driven over the mesh by `mpyc_engine`.

A computation sees numbers only as `Shared` arrays: linear operations are local and free, a product doubles
the degree, and a degree-2t value must be reshared (or opened) before it is multiplied again. The degree is
tracked and enforced in every engine, the cleartext one too, so a computation that runs there runs anywhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocols import effects, kernels
from protocols import field as fp
from protocols.errors import OutOfRange, ProtocolMisuse

COMPARISON_BOUND = 1 << 60
"""Compared numbers lie strictly between minus this and this."""

PublicMask = NDArray[np.uint8]
"""A public selector of records: 1 counts, 0 does not; shape (n,)."""


class Shared:
    """Secret-shared numbers mod p: one party's shares, or plain values in the cleartext engine.

    `values` has any shape; `degree` is 1 for sharings of degree t and 2 for degree 2t. Sums, differences and
    public factors are local. Never prints its values.
    """

    __slots__ = ("degree", "values")

    def __init__(self, values: fp.FieldVector, degree: int = 1) -> None:
        if degree not in (1, 2):
            raise ProtocolMisuse(f"a sharing has degree t or 2t, not {degree} t")
        self.values = values
        self.degree = degree

    def __repr__(self) -> str:
        return f"Shared(shape={self.values.shape}, degree={self.degree}t)"

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, key: int | slice | tuple[int | slice, ...]) -> Shared:
        return Shared(np.asarray(self.values[key], dtype=np.uint64), self.degree)

    def __add__(self, other: Shared) -> Shared:
        return Shared(fp.add(self.values, other.values), max(self.degree, other.degree))

    def __sub__(self, other: Shared) -> Shared:
        return Shared(fp.subtract(self.values, other.values), max(self.degree, other.degree))

    def __neg__(self) -> Shared:
        return Shared(fp.negate(self.values), self.degree)

    def plus(self, public: int | fp.FieldVector) -> Shared:
        """Add public numbers (a constant is its own sharing, of degree 0)."""
        return Shared(fp.add(self.values, _public(public)), self.degree)

    def times(self, public: int | fp.FieldVector) -> Shared:
        """Multiply by public numbers; the degree stays."""
        return Shared(fp.multiply(self.values, _public(public)), self.degree)

    def reshape(self, *shape: int) -> Shared:
        return Shared(self.values.reshape(*shape), self.degree)

    def sum(self) -> Shared:
        """The sum over the first axis."""
        return Shared(fp.total(self.values), self.degree)


def _public(value: int | fp.FieldVector) -> fp.FieldVector:
    if isinstance(value, int):
        return np.array(value % fp.P, dtype=np.uint64)
    return value


def concatenate(parts: Sequence[Shared]) -> Shared:
    """Join sharings along the first axis; the result has the highest degree among them."""
    return Shared(np.concatenate([part.values for part in parts]), max(part.degree for part in parts))


@dataclass(slots=True)
class Counts:
    """What a computation has cost so far; asserted exactly in tests, reported by benchmarks."""

    multiplications: int = 0  # elements reshared
    opened: int = 0  # elements opened
    comparisons: int = 0
    random_bits: int = 0
    operations: int = 0  # operation numbers taken


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening by its label; what is opened is public, so it may be kept and compared."""

    label: str
    values: tuple[int, ...]
    part_of_answer: bool


@dataclass(slots=True)
class ComparisonMasks:
    """Masks r for k comparisons: r itself, its bits 0 and 60 and their product, (k,) each.

    `indicators` (16, 15, k): of the digits of four bits below bit 60, most significant first, by value.
    """

    number: Shared
    bit_0: Shared
    bit_60: Shared
    top_product: Shared
    indicators: Shared

    def take(self, count: int) -> ComparisonMasks:
        """Remove the first `count` masks and return them; no mask serves twice."""
        taken = ComparisonMasks(*(Shared(part.values[..., :count]) for part in self._parts))
        left = (Shared(part.values[..., count:]) for part in self._parts)
        self.number, self.bit_0, self.bit_60, self.top_product, self.indicators = left
        return taken

    def joined(self, more: ComparisonMasks) -> ComparisonMasks:
        pairs = zip(self._parts, more._parts, strict=True)
        return ComparisonMasks(
            *(Shared(np.concatenate([own.values, other.values], axis=-1)) for own, other in pairs)
        )

    @property
    def _parts(self) -> tuple[Shared, ...]:
        return self.number, self.bit_0, self.bit_60, self.top_product, self.indicators

    def __len__(self) -> int:
        return len(self.number)


@dataclass(slots=True)
class Engine(ABC):
    """What a computation may ask of its engine; one instance serves one job."""

    counts: Counts = field(default_factory=Counts, init=False)
    openings: list[Opening] = field(default_factory=list, init=False)
    _masks: ComparisonMasks | None = field(default=None, init=False, repr=False)
    _column_sums: dict[tuple[Any, ...], tuple[Any, PublicMask, fp.FieldVector]] = field(
        default_factory=dict, init=False, repr=False
    )

    # local work: the same arithmetic on shares and on plain values ----------------------------------------

    def product(self, a: Shared, b: Shared) -> Shared:
        """Elementwise product, degree 2t. Both factors have degree t."""
        require_degree_t(a, b)
        shape = a.values.shape
        return Shared(kernels.multiply(a.values.ravel(), b.values.ravel()).reshape(shape), 2)

    def inner_products(self, matrix: Shared, vector: Shared) -> Shared:
        """Row sums of `matrix` (k, n) against `vector` (n,): shape (k,), degree 2t. No communication."""
        require_degree_t(matrix, vector)
        return Shared(kernels.inner_products(matrix.values, vector.values), 2)

    def inner_product_table(self, matrix: Shared, vectors: Sequence[Shared]) -> Shared:
        """As `inner_products` with each of v vectors (n,): shape (v, k), degree 2t; reads the matrix once."""
        require_degree_t(matrix, *vectors)
        return Shared(kernels.inner_product_table(matrix.values, [vector.values for vector in vectors]), 2)

    def combination(self, matrix: Shared, coefficients: Shared) -> Shared:
        """The sum over rows e of coefficients[e] * matrix[e], `matrix` (k, n): shape (n,), degree 2t; local."""
        require_degree_t(matrix, coefficients)
        return Shared(kernels.linear_combination(matrix.values, coefficients.values), 2)

    def selected_sums(self, matrix: Shared, mask: PublicMask) -> Shared:
        """Sums of the rows of `matrix` (k, n) over the records that the public `mask` selects: (k,).

        What nobody may write to, columns and a job's masks, is summed once in a job: many functions ask for it.
        """
        values = matrix.values
        if values.flags.writeable or mask.flags.writeable:
            return Shared(kernels.masked_sums(values, mask), matrix.degree)
        place = values.ctypes.data, values.shape, values.strides, mask.ctypes.data
        if (
            place not in self._column_sums
        ):  # what the addresses belong to is kept, so that nothing else lies there
            self._column_sums[place] = values, mask, kernels.masked_sums(values, mask)
        return Shared(self._column_sums[place][2].copy(), matrix.degree)

    def select(self, vector: Shared, mask: PublicMask) -> Shared:
        """`vector` (n,) with the records outside the public `mask` set to zero; the degree stays."""
        return vector if mask.all() else Shared(vector.values * mask, vector.degree)

    def bit_defects(self, matrix: Shared, weights: fp.FieldVector) -> Shared:
        """Per record i the sum over rows e of weights[e] * x_ei (x_ei - 1): shape (n,), degree 2t."""
        require_degree_t(matrix)
        return Shared(kernels.bit_defects(matrix.values, weights), 2)

    def weighted_sum(self, vector: Shared, weights: fp.FieldVector) -> Shared:
        """The sum over i of weights[i] * vector[i]: shape (1,); the degree stays."""
        return Shared(kernels.inner_products(vector.values[np.newaxis, :], weights), vector.degree)

    # work with the other parties ------------------------------------------------------------------------

    @abstractmethod
    async def reshare(self, value: Shared) -> Shared:
        """Bring a degree-2t value down to degree t: one round, one element sent per element at t = 1."""

    @abstractmethod
    async def open(self, value: Shared, label: str, *, part_of_answer: bool = False) -> fp.FieldVector:
        """Open a one-dimensional value to every party of the session: one round.

        Degree t: over all session shares, which must agree, else SharesDisagree. Degree 2t: a fresh sharing
        of zero is added first, always. `part_of_answer` makes the value durable before the call returns.
        """

    @abstractmethod
    async def random(self, count: int) -> Shared:
        """Uniform elements that nobody knows, degree t; no communication."""

    @abstractmethod
    async def random_bits(self, count: int) -> Shared:
        """Uniform bits that nobody knows, degree t; one round."""

    @abstractmethod
    async def coin(self, purpose: bytes) -> bytes:
        """32 public bytes that nobody could choose, bound to the job and `purpose`; one round."""

    @abstractmethod
    async def at_least_zero(self, values: Shared) -> Shared:
        """The bits [values >= 0], degree t, for |values| < 2^60 (k,), of degree t or 2t; 5 rounds."""

    @abstractmethod
    async def reveal_at_least_zero(self, values: Shared, label: str) -> NDArray[np.bool_]:
        """The bits [values >= 0], opened as part of the answer; one round less than sharing them first."""

    async def prepare_comparisons(self, count: int) -> None:
        """Make the masks of `count` comparisons ahead, in one batch of three rounds."""
        self.counts.comparisons += 0  # an engine without masks has nothing to prepare

    # common to all --------------------------------------------------------------------------------------

    async def multiply(self, a: Shared, b: Shared) -> Shared:
        """Elementwise product, degree t: one resharing."""
        return (await self.multiply_pairs([(a, b)]))[0]

    async def multiply_pairs(self, pairs: Sequence[tuple[Shared, Shared]]) -> list[Shared]:
        """The elementwise product of each pair, degree t: one resharing for all of them, one round."""
        products = [self.product(a, b) for a, b in pairs]
        lowered = await self.reshare(concatenate([product.reshape(-1) for product in products]))
        found, place = [], 0
        for product in products:
            size = product.values.size
            found.append(Shared(lowered.values[place : place + size].reshape(product.values.shape)))
            place += size
        return found

    async def reveal(self, value: Shared, label: str) -> fp.FieldVector:
        """Open what the answer consists of."""
        return await self.open(value, label, part_of_answer=True)

    async def _note_opening(self, label: str, values: fp.FieldVector, part_of_answer: bool) -> None:
        plain = tuple(int(value) for value in values) if part_of_answer else ()
        self.counts.opened += len(values)
        self.openings.append(Opening(label, plain, part_of_answer))
        if part_of_answer:
            await effects.record(label, plain)


def require_degree_t(*factors: Shared) -> None:
    """Refuse a factor that is a product itself."""
    if any(factor.degree != 1 for factor in factors):
        raise ProtocolMisuse("a factor of a product must have degree t: reshare it first")


def require_bounded(bound: int) -> None:
    """Refuse a comparison whose public bound reaches 2^60."""
    if bound >= COMPARISON_BOUND:
        raise OutOfRange(f"a compared number may reach {bound}, beyond 2^60: use a smaller roster or range")
