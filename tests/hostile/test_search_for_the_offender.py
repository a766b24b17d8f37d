"""The search for members whose figures are none opens "zero or not" for each, and nothing else.

Everything that opens is the coin, or zero, or a number under a mask of its own: a simulator that knows which rows are
bad writes the same.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import pytest

from mpc_cde.encodings import encodings_of
from protocols import field as fp
from protocols.engine import Shared
from protocols.input_checks import find_faulty
from protocols.keystream import expand_seed
from protocols.local_engine import LocalNetwork
from protocols.party_engine import PartyEngine
from protocols.randomness import ScriptedRandomness
from protocols.reconstruction import reconstruct
from protocols.records import arrange
from tests.hostile.members import FIGURES_THAT_ARE_NONE, honest_vector
from tests.hostile.town import TownCommunity, paper_town

SESSION, THRESHOLD = (0, 1, 2), 1
ROSTER = bytes(32)
GOOD = 6


@dataclass
class Drawn:
    """What the engines of one run drew, as shares by operation in party order, and what each opened."""

    shares: dict[int, list[fp.FieldVector]] = field(default_factory=lambda: defaultdict(list))
    opened: dict[int, list[tuple[str, list[int]]]] = field(default_factory=lambda: defaultdict(list))

    def value(self, operation: int) -> fp.FieldVector:
        points = tuple(party + 1 for party in SESSION)
        return reconstruct(points, np.stack(self.shares[operation]), THRESHOLD)


DRAWN = Drawn()


class WritingEngine(PartyEngine):
    """As the product's, noting what it draws."""

    def _random_shares(self, operation: int, count: int) -> fp.FieldVector:
        share = super()._random_shares(operation, count)
        DRAWN.shares[operation].append(share)
        return share

    async def open(self, value: Shared, label: str, *, part_of_answer: bool = False) -> fp.FieldVector:
        values = await PartyEngine.open(self, value, label, part_of_answer=part_of_answer)
        DRAWN.opened[self.me].append((label, [int(v) for v in values]))
        return values


def plain_matrix(paper: TownCommunity, good: list[int], bad: int) -> fp.FieldVector:
    """Elements by record (L, n): honest members, then so many rows of the table of offenders."""
    vectors = [honest_vector(paper, number) for number in good]
    for place, offence in enumerate(FIGURES_THAT_ARE_NONE[:bad]):
        sent = offence.make(paper, len(good) + place)
        shared = sent.made.shared
        total = shared.correction
        for seed in shared.seeds:
            total = fp.add(total, seed.expand(len(total)))
        vectors.append(total)
    return np.stack(vectors, axis=1)


def run(matrix: fp.FieldVector, keys: bytes) -> tuple[tuple[int, ...], list[tuple[str, list[int]]]]:
    """Faulty rows and everything that was opened, the same at every party."""
    global DRAWN  # noqa: PLW0603  # the network makes the engines; they note here
    DRAWN = Drawn()
    paper = paper_town()
    generator = np.random.default_rng(5)
    slope = generator.integers(0, fp.P, matrix.shape, dtype=np.uint64)
    shares = {
        party: fp.add(matrix, fp.multiply(slope, np.array(party + 1, dtype=np.uint64))) for party in SESSION
    }
    figures = [
        (figure.name, encoding)
        for figure, encoding in zip(paper.study.terms.figures, encodings_of(paper.study.terms), strict=True)
    ]
    network = LocalNetwork(SESSION, THRESHOLD, ScriptedRandomness(keys), engine_type=WritingEngine)
    found = network.run(lambda engine, party: find_faulty(engine, arrange(shares[party], figures), ROSTER))
    openings = [[o.label for o in network.engines[p].openings] for p in SESSION]
    assert openings == [[label for label, _ in DRAWN.opened[p]] for p in SESSION]
    assert DRAWN.opened[0] == DRAWN.opened[1] == DRAWN.opened[2]
    assert len(set(found.values())) == 1
    return found[0], DRAWN.opened[0]


def plain_defects(matrix: fp.FieldVector, opened_coin: list[int]) -> tuple[list[int], list[int]]:
    """For each record the sum of r e (e - 1) over all elements, implied last symbols included, in plain numbers.

    And each record's weight in the claim.
    """
    purpose = hashlib.sha256(b"input checks\x00" + ROSTER).digest()
    coin = hashlib.sha256(
        b"mpc-cde/coin/v1\x00" + bytes(32) + purpose + fp.to_bytes(np.array(opened_coin, dtype=np.uint64))
    ).digest()
    records = matrix.shape[1]
    elements = 4 * 10 + 1 + 8 + 4
    weights = [int(w) for w in expand_seed(coin, records + elements)]
    defects = []
    for column in matrix.T:
        given = [int(e) for e in column]
        everything: list[int] = []
        for digit in range(4):
            symbols = given[9 * digit : 9 * digit + 9]
            everything += [*symbols, 1 - sum(symbols)]
        presence, high, low = given[36], given[37:44], given[44:47]
        everything += [presence, *high, presence - sum(high), *low, presence - sum(low)]
        defects.append(
            sum(w * e * (e - 1) for w, e in zip(weights[records:], everything, strict=True)) % fp.P
        )
    return defects, weights[:records]


def test_clean_batch_opens_a_coin_and_a_zero() -> None:
    faulty, opened = run(plain_matrix(paper_town(), list(range(GOOD)), 0), b"clean")
    assert faulty == ()
    assert [label for label, _ in opened] == ["coin", "input checks: claim"]
    assert opened[1][1] == [0]


def test_search_opens_zero_for_the_honest_and_a_masked_number_for_each_offender() -> None:
    """Opened are claim and defects times masks that are uniform, of operations of their own, and used once."""
    paper = paper_town()
    bad = len(FIGURES_THAT_ARE_NONE)
    matrix = plain_matrix(paper, list(range(GOOD)), bad)
    faulty, opened = run(matrix, b"search")
    assert faulty == tuple(range(GOOD, GOOD + bad))
    assert [label for label, _ in opened] == ["coin", "input checks: claim", "input checks: zero or not"]
    verdicts = opened[2][1]
    assert verdicts[:GOOD] == [0] * GOOD
    assert all(verdicts[GOOD:])
    masks = [[int(mask) for mask in DRAWN.value(operation)] for operation in sorted(DRAWN.shares)]
    assert [len(mask) for mask in masks] == [1, 1, GOOD + bad]  # the coin's, the claim's, one for each record
    defects, weights = plain_defects(matrix, masks[0])
    claim = sum(w * d for w, d in zip(weights, defects, strict=True))
    assert opened[1][1] == [claim * masks[1][0] % fp.P]
    assert verdicts == [d * mask % fp.P for d, mask in zip(defects, masks[2], strict=True)]
    again, reopened = run(matrix, b"other keys")
    assert again == faulty
    assert not set(verdicts[GOOD:]) & set(reopened[2][1][GOOD:])
    assert opened[1] != reopened[1]


@pytest.mark.parametrize("keys", [b"one", b"two"])
def test_no_honest_figure_shows_in_what_the_search_opens(keys: bytes) -> None:
    """Under the same keys every opening is the same, whatever honest members have."""
    paper = paper_town()
    first = run(plain_matrix(paper, list(range(GOOD)), 3), keys)
    others = plain_matrix(paper, [n + 20 for n in range(GOOD)], 0)
    offenders = plain_matrix(paper, list(range(GOOD)), 3)[:, GOOD:]
    assert run(np.concatenate([others, offenders], axis=1), keys) == first
