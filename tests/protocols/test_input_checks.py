"""What the input checks find and open: of clean batches, and of others nothing but which records are bad."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import field as fp
from protocols import input_checks
from protocols.encoding import FigureEncoding
from protocols.engine import Engine, Shared
from protocols.input_checks import find_faulty
from protocols.keystream import expand_seed
from protocols.local_engine import LocalNetwork
from protocols.party_engine import PartyEngine
from protocols.randomness import ScriptedRandomness
from protocols.records import arrange
from tests.protocols.tables import number

SESSION, THRESHOLD = (0, 1, 2), 1
NUMBER = number((4, 8), blank=True)
CATEGORY = FigureEncoding.category(3, blank_allowed=False)
FIGURES = [("number", NUMBER), ("category", CATEGORY)]
HONEST = [[*NUMBER.indicators(u), *CATEGORY.indicators(c)] for u, c in [(9, 0), (None, 2), (31, 1), (0, 1)]]
ELEMENTS = len(HONEST[0])


def run(
    vectors: list[list[int]], keys: bytes = b"keys", engine_type: type[PartyEngine] = PartyEngine
) -> tuple[tuple[int, ...], LocalNetwork]:
    """The faulty rows of these submissions, element by element, and the network that found them."""
    matrix = np.array(vectors, dtype=np.uint64).T.copy()
    slope = np.random.default_rng(7).integers(0, fp.P, matrix.shape, dtype=np.uint64)
    shares = {p: fp.add(matrix, fp.multiply(slope, np.array(p + 1, dtype=np.uint64))) for p in SESSION}
    network = LocalNetwork(SESSION, THRESHOLD, ScriptedRandomness(keys), engine_type=engine_type)
    found = network.run(lambda engine, p: find_faulty(engine, arrange(shares[p], FIGURES), bytes(32)))
    assert len(set(found.values())) == 1
    return found[0], network


def openings(network: LocalNetwork) -> list[str]:
    return [opening.label for opening in network.engines[0].openings]


def test_a_clean_batch_costs_three_rounds_and_opens_a_zero() -> None:
    faulty, network = run(HONEST)
    assert faulty == ()
    assert openings(network) == ["coin", "input checks: claim"]
    assert [record.values for record in network.records[0]] == [(0,)]
    assert network.rounds == 3


@given(
    row=st.integers(0, 3),
    element=st.integers(0, ELEMENTS - 1),
    value=st.integers(2, fp.P - 1),
    keys=st.binary(max_size=4),
)
def test_any_element_that_is_no_bit_is_found(row: int, element: int, value: int, keys: bytes) -> None:
    vectors = [list(vector) for vector in HONEST]
    vectors[row][element] = value
    faulty, network = run(vectors, keys)
    assert faulty == (row,)
    assert network.rounds == 5


@pytest.mark.parametrize("element", [e for e in range(ELEMENTS) if not HONEST[0][e]])
def test_a_second_symbol_is_found(element: int) -> None:
    vectors = [list(vector) for vector in HONEST]
    vectors[0][element] = 1
    encodings = [
        [*NUMBER.indicators(u), *CATEGORY.indicators(c)] for u in (None, *range(32)) for c in range(3)
    ]
    assert run(vectors)[0] == (() if vectors[0] in encodings else (0,))


def test_a_symbol_of_a_blank_is_found() -> None:
    vectors = [list(vector) for vector in HONEST]
    vectors[1][1] = 1
    assert run(vectors)[0] == (1,)


def test_all_records_may_be_bad() -> None:
    assert run([[2] * ELEMENTS] * 3)[0] == (0, 1, 2)


class Tossing(PartyEngine):
    """Keeps the coin, which is public."""

    async def coin(self, purpose: bytes) -> bytes:
        COINS.append(await PartyEngine.coin(self, purpose))
        return COINS[-1]


COINS: list[bytes] = []


def test_the_claim_of_a_bad_batch_is_masked() -> None:
    """Unmasked it is a public function of the one bad record: whoever tries all figures would know which it is."""
    vectors = [list(vector) for vector in HONEST]
    vectors[2] = [*NUMBER.indicators(17), 2, 0]
    _, network = run(vectors, engine_type=Tossing)
    weights = expand_seed(COINS[-1], len(vectors) + ELEMENTS + 3)
    implied_last = -1  # the category's third symbol is 1 - 2 = -1
    defect = sum(
        int(weights[len(vectors) + place]) * value * (value - 1)
        for place, value in [(ELEMENTS + 3 - 3, 2), (ELEMENTS + 3 - 1, implied_last)]
    )
    unmasked = int(weights[2]) * defect % fp.P
    claim = next(o for o in network.engines[0].openings if o.label == "input checks: claim")
    assert claim.values[0] not in (0, unmasked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(input_checks, "_masked", _not_masked)
        _, network = run(vectors, engine_type=Tossing)
    claim = next(o for o in network.engines[0].openings if o.label == "input checks: claim")
    assert claim.values[0] == unmasked


async def _not_masked(engine: Engine, values: Shared) -> Shared:
    return values


def test_what_becomes_durable_is_the_rows_and_not_a_number_for_each_record() -> None:
    vectors = [list(vector) for vector in HONEST] * 50
    vectors[7] = [5] * ELEMENTS
    _, network = run(vectors)
    assert [(r.label, r.values) for r in network.records[0]][-1] == ("input checks: faulty rows", (7,))
    assert sum(len(record.values) for record in network.records[0]) == 2
