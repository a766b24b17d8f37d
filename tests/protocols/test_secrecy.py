"""What t parties and the gateway see does not depend on the figures, given the answer.

The argument is constructive. Take two inputs X and Y with equal answers, and a coalition C of t parties. Run X and
write down all that C receives. Then run Y with randomness that is *solved for*: wherever only honest parties hold
a stream (keystreams between two honest dealers, the PRSS and PRZS streams of the subset without C, the member's
seed that C lacks) its values are chosen so that C's view is that of X. The test passes if the solution exists (the
streams fit the structure that the protocol gives them) and if every message to C is then the same, byte for byte.
Since streams are uniform (AES-256-CTR under keys that C does not have), both inputs explain the view equally well.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
import pytest

from protocols import field as fp
from protocols.cells import CellRequest
from protocols.cleartext_engine import CleartextEngine
from protocols.comparison import BITS
from protocols.computations import answer_query, check_inputs
from protocols.encoding import FigureEncoding
from protocols.engine import Engine, PublicMask, Shared
from protocols.keystream import expand_seed
from protocols.local_engine import LocalNetwork
from protocols.order_statistics import Walk, opened_bits
from protocols.party_engine import PartyEngine
from protocols.randomness import ScriptedRandomness
from protocols.records import arrange
from protocols.resharing import Blocks, Resharing
from protocols.session_keys import JobKeys, establish_locally
from protocols.sharing import subsets
from tests.protocols.engines import drive

UNIFORM = {"comparison: 2a + r", "random bits: r^2", "coin"}
"""Openings that are not part of the answer: uniform, or a uniform square, whatever the figures are."""

ENCODING = FigureEncoding.create(
    minimum="0", step="1", publish_step="4", radices=(3, 4, 4), allow_exact=False, blank_allowed=True
)
X: list[int | None] = [1, 5, 6, 9, 17, 18, 20, 21, 33, 40, 41, None, 46, 47]
Y: list[int | None] = [2, 4, 7, 10, 16, 19, None, 20, 28, 43, 40, 23, 45, 47]
"""Different figures and blanks; equal count, sum and published quartiles (the test checks that)."""

QUERY = [
    CellRequest("count@1", ("figure",), "all", {}, 3),
    CellRequest("sum@1", ("figure",), "all", {}, 3),
    CellRequest("percentiles@1", ("figure",), "all", {"quantiles": ["1/4", "1/2", "3/4"]}, 2),
    CellRequest("percentiles@1", ("figure",), "few", {"quantiles": ["1/2"]}, 8),
]


def masks() -> dict[str, PublicMask]:
    few = np.zeros(len(X), dtype=np.uint8)
    few[:4] = 1
    return {"all": np.ones(len(X), dtype=np.uint8), "few": few}


def matrix_of(values: list[int | None]) -> fp.FieldVector:
    return np.array([ENCODING.indicators(u) for u in values], dtype=np.uint64).T.copy()


async def job(engine: Engine, matrix: fp.FieldVector) -> Any:
    records = arrange(matrix, [("figure", ENCODING)])
    faulty = await check_inputs(engine, records, b"\x07" * 32)
    return faulty, await answer_query(engine, records, masks(), QUERY)


def interpolate(points: list[int], values: list[fp.FieldVector], at: int) -> fp.FieldVector:
    total = np.zeros_like(values[0])
    for coefficient, value in zip(fp.lagrange_coefficients(points, at), values, strict=True):
        total = fp.add(total, fp.multiply(value, np.array(coefficient, dtype=np.uint64)))
    return total


@dataclass
class World:
    """All that both runs share: the coalition, and run X's transcript by operation and party."""

    session: tuple[int, ...]
    threshold: int
    coalition: tuple[int, ...]
    dealt: dict[tuple[int, int], dict[int, fp.FieldVector]] = field(default_factory=dict)
    masked_shares: dict[tuple[int, int], fp.FieldVector] = field(default_factory=dict)
    random_values: dict[tuple[int, int], fp.FieldVector] = field(default_factory=dict)
    programmed: dict[tuple[int, int, int], fp.FieldVector] = field(default_factory=dict)
    bit_shares: dict[tuple[int, int], fp.FieldVector] = field(default_factory=dict)
    wanted_signs: dict[int, fp.FieldVector] = field(default_factory=dict)

    @property
    def honest(self) -> tuple[int, ...]:
        return tuple(party for party in self.session if party not in self.coalition)

    def coalition_points(self) -> list[int]:
        return [party + 1 for party in self.coalition]


WORLD: World  # set by the fixture-like runner below; engines are made by the network


class FirstRun(PartyEngine):
    """Run X: as the product does, writing down what each operation made."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._resharing = WritingResharing(self.session, self.me, self.threshold)

    async def random_bits(self, count: int) -> Shared:
        operation = self.counts.operations  # the one that draws r
        bits = await super().random_bits(count)
        WORLD.bit_shares[operation, self.me] = bits.values
        return bits

    def _random_shares(self, operation: int, count: int) -> fp.FieldVector:
        share = super()._random_shares(operation, count)
        WORLD.random_values[operation, self.me] = share
        return share

    def _zero_shares(self, operation: int, masked: fp.FieldVector) -> fp.FieldVector:
        zero = super()._zero_shares(operation, masked)
        WORLD.masked_shares[operation, self.me] = fp.add(masked, zero)
        return zero


def keyed_multiple(resharing: Resharing, dealer: int, receiver: int) -> int:
    """c of resharing.py: what `receiver` multiplies the keystream of `dealer` by."""
    mine = receiver + 1
    others = [peer + 1 for peer in resharing.keyed_receivers(dealer) if peer != receiver]
    return mine * prod(mine - other for other in others) % fp.P


class WritingResharing(Resharing):
    def deal(
        self, values: Blocks, job_keys: JobKeys, operation: int
    ) -> tuple[fp.FieldVector, dict[int, memoryview]]:
        own, messages = super().deal(values, job_keys, operation)
        seen = {peer: fp.from_bytes(data) for peer, data in messages.items()}
        for peer in self.keyed_receivers(self._me):
            stream = job_keys.resharing_out(peer, operation, len(values))
            seen[peer] = fp.multiply_scalar(stream, keyed_multiple(self, self._me, peer))
        WORLD.dealt[operation, self._me] = seen
        return own, messages


class SecondRun(PartyEngine):
    """Run Y: coalition parties as they are; streams known to honest parties alone are solved for."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.me in WORLD.honest:
            self._resharing = SolvedResharing(self.session, self.me, self.threshold)

    def _random_shares(self, operation: int, count: int) -> fp.FieldVector:
        share = super()._random_shares(operation, count)
        if self.me in WORLD.coalition:
            assert np.array_equal(share, WORLD.random_values[operation, self.me])
            return share
        # the value of run X, or its negative where the other random bit is wanted
        everyone = [WORLD.random_values[operation, party] for party in self.session]
        points = [party + 1 for party in self.session]
        value = interpolate(points, everyone, 0)
        signs = WORLD.wanted_signs.get(operation)
        if signs is not None:
            value = np.where(signs == 1, value, fp.negate(value))
        nodes = [0, *WORLD.coalition_points()]
        known = [value, *(WORLD.random_values[operation, party] for party in WORLD.coalition)]
        return interpolate(nodes, known, self.me + 1)

    def _zero_shares(self, operation: int, masked: fp.FieldVector) -> fp.FieldVector:
        if self.me in WORLD.coalition:
            zero = super()._zero_shares(operation, masked)
            assert np.array_equal(fp.add(masked, zero), WORLD.masked_shares[operation, self.me])
            return zero
        zero = fp.subtract(WORLD.masked_shares[operation, self.me], masked)
        fixed = super()._zero_shares(operation, masked)
        WORLD.programmed[operation, self.me, -1] = fp.subtract(zero, fixed)
        return zero


class SolvedResharing(Resharing):
    """f_i through (0, z_i) and what the coalition saw in run X; the other honest parties' values follow."""

    def deal(
        self, values: Blocks, job_keys: JobKeys, operation: int
    ) -> tuple[fp.FieldVector, dict[int, memoryview]]:
        seen = WORLD.dealt[operation, self._me]
        nodes = [0, *WORLD.coalition_points()]
        whole = np.concatenate([block.copy() for _, block in values.blocks()])
        points = [party + 1 for party in self._session]
        at_0 = fp.lagrange_coefficients(points, 0)[points.index(self._me + 1)]
        known = [fp.multiply_scalar(whole, at_0), *(seen[party] for party in WORLD.coalition)]
        for peer in self.keyed_receivers(self._me):
            value = interpolate(nodes, known, peer + 1)
            by = fp.inverse(keyed_multiple(self, self._me, peer))
            WORLD.programmed[operation, self._me, peer] = fp.multiply_scalar(value, by)
        messages = {
            peer: fp.view_bytes(interpolate(nodes, known, peer + 1))
            for peer in self.messaged_receivers(self._me)
        }
        return interpolate(nodes, known, self._me + 1), messages

    def combine(
        self, own: fp.FieldVector, received: Any, job_keys: JobKeys, operation: int
    ) -> fp.FieldVector:
        return super().combine(own, received, SolvedKeys(job_keys, self._me), operation)  # type: ignore[arg-type]  # the one method that combine uses


@dataclass
class SolvedKeys:
    keys: JobKeys
    me: int

    def words_in(self, dealer: int, operation: int) -> Any:
        programmed = WORLD.programmed.get((operation, dealer, self.me))
        return self.keys.words_in(dealer, operation) if programmed is None else SolvedWords(programmed)


class SolvedWords:
    """A stream of the elements that were solved for: below p, so they are their own words."""

    def __init__(self, elements: fp.FieldVector) -> None:
        self.left = elements

    def read_into(self, _: bytearray, count: int) -> fp.FieldVector:
        piece, self.left = self.left[:count], self.left[count:]
        return piece


class Compared(CleartextEngine):
    """The oracle, writing down what is compared: a function of the input alone, in program order."""

    __slots__ = ("compared",)

    def _compare(self, values: Shared) -> Any:
        self.compared = [*getattr(self, "compared", []), values.values.copy()]
        return super()._compare(values)


def compared_numbers(values: list[int | None]) -> tuple[Any, list[fp.FieldVector]]:
    engine = Compared(ScriptedRandomness(b"oracle"))
    answer, _ = drive(job(engine, matrix_of(values)))
    return answer, engine.compared


def first_shares(values: list[int | None], world: World) -> dict[int, fp.FieldVector]:
    matrix = matrix_of(values)
    generator = np.random.default_rng(11)
    coefficients = [
        generator.integers(0, fp.P, matrix.shape, dtype=np.uint64) for _ in range(world.threshold)
    ]
    shares = {}
    for party in world.session:
        share = matrix
        for power, coefficient in enumerate(coefficients, start=1):
            share = fp.add(
                share, fp.multiply(coefficient, np.array(pow(party + 1, power, fp.P), dtype=np.uint64))
            )
        shares[party] = share
    return shares


def second_shares(
    values: list[int | None], world: World, first: dict[int, fp.FieldVector]
) -> dict[int, fp.FieldVector]:
    """The coalition keeps its shares; the polynomial goes through them and the other figures."""
    nodes = [0, *world.coalition_points()]
    known = [matrix_of(values), *(first[party] for party in world.coalition)]
    return {party: interpolate(nodes, known, party + 1) for party in world.session}


CASES = [((0, 1, 2), 1, (c,)) for c in range(3)] + [
    ((0, 1, 2, 3, 4), 2, coalition) for coalition in ((0, 1), (1, 3), (2, 4), (0, 4))
]


@pytest.mark.parametrize(("session", "threshold", "coalition"), CASES)
def test_two_inputs_with_equal_answers_explain_the_same_view(
    session: tuple[int, ...], threshold: int, coalition: tuple[int, ...]
) -> None:
    global WORLD  # noqa: PLW0603  # the network makes the engines; they find their world here
    WORLD = world = World(session, threshold, coalition)
    answer_x, compared_x = compared_numbers(X)
    answer_y, compared_y = compared_numbers(Y)
    assert answer_x == answer_y
    assert any(not np.array_equal(a, b) for a, b in zip(compared_x, compared_y, strict=True))

    keys = establish_locally(session, threshold, ScriptedRandomness(b"secrecy"))
    first = first_shares(X, world)
    run_x = LocalNetwork(
        session, threshold, ScriptedRandomness(b"x"), engine_type=FirstRun, keep_deliveries=True
    )
    result_x = run_x.run(lambda engine, party: job(engine, first[party]), keys)

    world.wanted_signs = wanted_signs(world, compared_x, compared_y)
    second = second_shares(Y, world, first)
    run_y = LocalNetwork(
        session, threshold, ScriptedRandomness(b"y"), engine_type=SecondRun, keep_deliveries=True
    )
    result_y = run_y.run(lambda engine, party: job(engine, second[party]), keys)

    assert result_x == result_y
    seen_x = [d for d in run_x.deliveries if d.receiver in coalition]
    seen_y = [d for d in run_y.deliveries if d.receiver in coalition]
    assert seen_x
    assert [(d.round, d.sender, d.receiver, d.payload) for d in seen_x] == [
        (d.round, d.sender, d.receiver, d.payload) for d in seen_y
    ]
    assert_zero_sharings_fit(world)


def wanted_signs(
    world: World, compared_x: list[fp.FieldVector], compared_y: list[fp.FieldVector]
) -> dict[int, fp.FieldVector]:
    """For every random bit whether run Y keeps it (1) or flips it (0), by the operation that drew it.

    c = 2a + r is opened, so Y needs the mask r' = r + 2 (a - a'), and its bits. Masks serve in the order made.
    """
    a, b = np.concatenate(compared_x), np.concatenate(compared_y)
    shift = fp.multiply(fp.subtract(a, b), np.array(2, dtype=np.uint64))
    signs, used = {}, 0
    for operation in sorted({operation for operation, _ in world.bit_shares}):
        shares = [world.bit_shares[operation, party] for party in world.session]
        bits = interpolate([party + 1 for party in world.session], shares, 0).reshape(BITS, -1)
        count = bits.shape[1]
        numbers = [
            (sum(int(bits[i, k]) << i for i in range(BITS)) + int(shift[used + k])) % fp.P
            for k in range(count)
        ]
        wanted = np.array([[number >> i & 1 for number in numbers] for i in range(BITS)], dtype=np.uint64)
        signs[operation] = (wanted == bits).astype(np.uint64).ravel()
        used += count
    assert used == len(a)
    return signs


def assert_zero_sharings_fit(world: World) -> None:
    """What was solved for is a sharing of zero of degree 2t that vanishes at the coalition's points.

    Such polynomials are x prod (x - x_c) times one of degree t - 1, which is just what the PRZS stream of the
    honest subset makes from its t uniform coefficients.
    """
    operations = {operation for operation, _, peer in world.programmed if peer == -1}
    assert operations
    for operation in operations:
        differences = [world.programmed[operation, party, -1] for party in world.honest]
        zero = np.zeros_like(differences[0])
        nodes = [0, *world.coalition_points(), *(party + 1 for party in world.honest)]
        values = [zero, *(zero for _ in world.coalition), *differences]
        # 2t + 2 values lie on degree 2t exactly if the first 2t + 1 give the last
        predicted = interpolate(nodes[:-1], values[:-1], nodes[-1])
        assert np.array_equal(predicted, values[-1])


@pytest.mark.parametrize(("session", "threshold", "coalition"), CASES)
def test_gateway_and_coalition_see_one_submission_for_two_figures(
    session: tuple[int, ...], threshold: int, coalition: tuple[int, ...]
) -> None:
    """The correction and all seeds but one are the same; the seed that the coalition lacks explains the rest."""
    m = len(session)
    vectors = [np.array(ENCODING.indicators(u), dtype=np.uint64) for u in (5, None)]
    streams = {
        subset: expand_seed(hashlib.sha256(repr(subset).encode()).digest(), len(vectors[0]))
        for subset in subsets(m, threshold)
    }
    correction = fp.subtract(vectors[0], sum_of(list(streams.values())))
    others = [stream for subset, stream in streams.items() if subset != coalition]
    solved = fp.subtract(fp.subtract(vectors[1], correction), sum_of(others))
    assert not np.array_equal(solved, streams[coalition])
    for party in coalition:  # a party holds the seeds of the subsets without it: never the coalition's
        assert all(subset != coalition for subset in subsets(m, threshold) if party not in subset)
    assert np.array_equal(fp.add(correction, fp.add(sum_of(others), solved)), vectors[1])


def sum_of(parts: list[fp.FieldVector]) -> fp.FieldVector:
    total = np.zeros_like(parts[0])
    for part in parts:
        total = fp.add(total, part)
    return total


def test_every_opening_is_listed_and_the_answer_explains_it() -> None:
    """Labels that are not in UNIFORM are part of the answer; a simulator that gets the answer writes them."""
    session, threshold = (0, 1, 2), 1
    world = World(session, threshold, (0,))
    shares = first_shares(X, world)
    network = LocalNetwork(session, threshold, ScriptedRandomness(b"labels"))
    results = network.run(lambda engine, party: job(engine, shares[party]))
    faulty, outcomes = results[0]
    assert faulty == ()
    for party in session:
        openings = network.engines[party].openings
        assert {o.label for o in openings if not o.part_of_answer} <= UNIFORM
        answered = [(o.label, list(o.values)) for o in openings if o.part_of_answer]
        assert answered == simulate(outcomes)


def simulate(outcomes: Any) -> list[tuple[str, list[int]]]:
    """The openings of `job` on clean inputs, written from the released cells alone."""
    count, total, quartiles, withheld = outcomes
    number = int(count.values[0])
    encoded_sum = int(total.values[0]) + ENCODING.half * number
    prefixes = [int(value) // 4 for value in quartiles.values]
    walk = Walk(
        arrange(matrix_of([0]), [("figure", ENCODING)])["figure"],
        np.ones(1, dtype=np.uint8),
        1,
        (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4)),
    )
    # distinct (figure, group, minimum) in query order: all with 3, all with 2, few with 8
    passes = [1, 1, int(withheld.contributors is not None)]
    simulated: list[tuple[str, list[int]]] = [
        ("input checks: claim", [0]),
        ("disclosure: contributors >= minimum", passes),
        ("contributors", [number, number]),
        ("sum", [encoded_sum]),
    ]
    for digit in range(len(walk.radices)):
        # nodes of a level are visited in the order of their prefixes; quantiles ascend, so answers do too
        bits = [int(bit) for bit in opened_bits(walk, prefixes, digit)]
        simulated.append((f"percentiles: digit {digit}", bits))
    return simulated
