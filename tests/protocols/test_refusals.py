"""What the mathematics refuses to begin, and what it takes for a deviation: each guard by a case that it stops."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from protocols import effects, kernels, mpyc_engine
from protocols import field as fp
from protocols.cells import CellRequest
from protocols.cleartext_engine import CleartextEngine
from protocols.computations import answer_query
from protocols.effects import Exchange, split
from protocols.encoding import FigureEncoding
from protocols.engine import COMPARISON_BOUND, Engine, PublicMask, Shared
from protocols.errors import MalformedMessage, OutOfRange, PeerDeviation, ProtocolMisuse
from protocols.local_engine import LocalNetwork
from protocols.locate import Place, _advance
from protocols.moments import shared_total
from protocols.mpyc_engine import open_runtime
from protocols.order_statistics import Walk, percentiles
from protocols.own_rank import OwnPlace
from protocols.party_engine import PartyEngine, _words
from protocols.plans import limb_bound, verify_plan
from protocols.randomness import ScriptedRandomness
from protocols.ranks import ranks_are_safe
from protocols.records import Records, arrange
from protocols.secret_order_statistics import SecretWalk
from protocols.wide import WideTotal, reveal_wide
from protocols.withholding import TableGroup, _are_disjoint, _contains
from tests.protocols.engines import drive
from tests.protocols.tables import number

SALES = number((4, 16))


def records_of(figures: list[int], encoding: FigureEncoding = SALES) -> Records:
    matrix = np.array([encoding.indicators(u) for u in figures], dtype=np.uint64).T
    return arrange(np.ascontiguousarray(matrix), [("sales", encoding)])


def ones(count: int) -> PublicMask:
    return np.ones(count, dtype=np.uint8)


def engine(kind: type[CleartextEngine] = CleartextEngine) -> CleartextEngine:
    return kind(randomness=ScriptedRandomness(b"x"), job_id=b"job")


class Deviating(CleartextEngine):
    """Opens the answers of comparisons turned round, as a party that deviates can have it."""

    async def reveal_at_least_zero(self, values: Shared, label: str) -> Any:
        return ~(await super().reveal_at_least_zero(values, label))


def walk(**changes: Any) -> Walk:
    figure = records_of([1, 20, 40])["sales"]
    return Walk(
        **{
            "figure": figure,
            "mask": ones(3),
            "contributors": 3,
            "quantiles": (Fraction(1, 2),),
            **changes,
        }
    )


def test_running_counts_that_fall_are_a_deviation() -> None:
    assert drive(percentiles(engine(), [walk()]))[0] == [(20,)]
    with pytest.raises(PeerDeviation, match="counts that fall"):
        drive(percentiles(engine(Deviating), [walk()]))


def test_a_search_whose_answers_go_up_and_down_is_a_deviation() -> None:
    assert _advance(0, [1, 2, 3], np.array([True, True, False])) == 2
    with pytest.raises(PeerDeviation, match="up and down"):
        _advance(0, [1, 2, 3], np.array([True, False, True]))


@pytest.mark.parametrize(
    "changes",
    [
        {"contributors": 0},
        {"quantiles": ()},
        {"quantiles": (Fraction(0),)},
        {"quantiles": (Fraction(1, 2), Fraction(3, 2))},
        {"contributors": COMPARISON_BOUND // 2},
    ],
)
def test_a_percentile_of_nobody_of_no_quantile_or_beyond_the_bound_is_refused(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(OutOfRange):
        walk(**changes)


def test_secret_ranks_beyond_the_bound_of_a_comparison_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    figure = records_of([1, 5, 9])["sales"]
    ranks = Shared(fp.from_ints([1]))
    assert SecretWalk(figure, ones(3), ranks).selector is None
    monkeypatch.setattr(
        "protocols.engine.COMPARISON_BOUND", 2 * 3
    )  # no array is long enough for the true one
    with pytest.raises(OutOfRange, match="beyond 2\\^60"):
        SecretWalk(figure, ones(3), ranks)


def place(**changes: Any) -> Place:
    one = Shared(fp.from_ints([1]))
    return Place(**{"value": one, "step": one, "count": 5, "bound": 10, **changes})


@pytest.mark.parametrize("changes", [{"count": 0}, {"bound": COMPARISON_BOUND}])
def test_a_grid_without_a_point_or_beyond_the_bound_is_refused(changes: dict[str, int]) -> None:
    place()
    with pytest.raises(OutOfRange):
        place(**changes)


def test_a_total_that_could_outgrow_a_comparison_is_refused() -> None:
    encoding = number((128,) * 8)
    matrix = np.zeros((sum(radix - 1 for radix in encoding.radices), 20), dtype=np.uint64)
    figure = arrange(matrix, [("sales", encoding)])["sales"]
    with pytest.raises(OutOfRange, match="beyond 2\\^60"):
        shared_total(engine(), figure, ones(20))


def test_an_own_place_beyond_the_bound_is_refused() -> None:
    figure = records_of([1, 5, 9])["sales"]
    assert OwnPlace(figure, ones(3), 0, 3).row == 0
    with pytest.raises(OutOfRange, match="beyond 2\\^60"):
        OwnPlace(figure, ones(3), 0, COMPARISON_BOUND)


def request(**changes: Any) -> CellRequest:
    known: dict[str, Any] = {
        "function": "count@1",
        "figures": ("sales",),
        "mask_name": "all",
        "parameters": {},
        "minimum": 2,
    }
    return CellRequest(**{**known, **changes})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"figures": ("profit",)}, "no figure"),
        ({"mask_name": "nowhere"}, "no figure .* or no group"),
        ({"figures": ("sales", "sales")}, "another number of figures"),
        ({"parameters": {"grid": "1"}}, "takes no parameters"),
        ({"function": "median@1"}, "unknown function"),
    ],
)
def test_a_cell_of_what_is_not_there_is_refused_before_anything_is_sent(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(OutOfRange, match=said):
        drive(answer_query(engine(), records_of([1, 2, 3]), {"all": ones(3)}, [request(**changes)]))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"radices": ()}, "radix"),
        ({"radices": (1, 4)}, "radix"),
        ({"radices": (4, 129)}, "radix"),
        ({"step": "0"}, "positive"),
        ({"publish_step": "0"}, "positive"),
        ({"publish_step": "-4"}, "positive"),
    ],
)
def test_an_encoding_that_is_none_is_refused(parameters: dict[str, Any], message: str) -> None:
    sound: dict[str, Any] = {"minimum": "0", "step": "1", "publish_step": "4", "radices": (8, 4)}
    FigureEncoding.create(**sound, allow_exact=True, blank_allowed=False)
    with pytest.raises(OutOfRange, match=message):
        FigureEncoding.create(**{**sound, **parameters}, allow_exact=True, blank_allowed=False)


@pytest.mark.parametrize("categories", [0, 1, 129])
def test_a_category_has_2_to_128_values(categories: int) -> None:
    with pytest.raises(OutOfRange, match="radix"):
        FigureEncoding.category(categories, blank_allowed=True)


def test_a_first_quantile_with_too_few_below_it_is_not_safe() -> None:
    assert ranks_are_safe([Fraction(1, 2)], [], 11, 5)
    assert not ranks_are_safe([Fraction(1, 10)], [], 20, 5)
    assert not ranks_are_safe([Fraction(1, 4)], [], 20, 5)
    assert ranks_are_safe([Fraction(3, 10)], [], 20, 5)
    assert not ranks_are_safe([Fraction(9, 10)], [], 20, 5)


TWICE = Shared(fp.from_ints([1, 2]), degree=2)
ONCE = Shared(fp.from_ints([1, 2]))
ROWS, ROWS_TWICE = (Shared(shared.values[np.newaxis, :], shared.degree) for shared in (ONCE, TWICE))


@pytest.mark.parametrize(
    "act",
    [
        lambda e: e.product(ONCE, TWICE),
        lambda e: e.inner_products(ROWS, TWICE),
        lambda e: e.inner_products(ROWS_TWICE, ONCE),
        lambda e: e.combination(ROWS_TWICE, ONCE[0:1]),
        lambda e: e.inner_product_table(ROWS, [ONCE, TWICE]),
        lambda e: drive(party((0, 1, 2), 0, 1).multiply_pairs([(ONCE, ONCE), (ONCE, TWICE)])),
        lambda e: e.bit_defects(ROWS_TWICE, fp.from_ints([1])),
        lambda e: Shared(ONCE.values, degree=3),
        lambda e: drive(e.open(ROWS, "two dimensions")),
        lambda e: drive(e.reshare(ONCE)),
    ],
)
def test_an_operation_outside_its_conditions_is_refused(act: Callable[[Engine], object]) -> None:
    with pytest.raises(ProtocolMisuse):
        act(engine())


def test_a_merged_reply_with_bytes_that_nobody_asked_for_is_refused() -> None:
    asked = [Exchange({}, {1: 8}), Exchange({}, {1: 16})]
    assert split(asked, {1: bytes(24)}) == [{1: bytes(8)}, {1: bytes(16)}]
    with pytest.raises(ProtocolMisuse, match="another length"):
        split(asked, {1: bytes(25)})


def test_interpolation_at_one_point_twice_is_refused() -> None:
    with pytest.raises(ProtocolMisuse, match="points that differ"):
        fp.lagrange_coefficients([1, 2, 1 + fp.P], 0)


@pytest.mark.parametrize(
    ("session", "own", "channels"),
    [
        ((0, 1), 0, (1,)),
        ((0, 1, 2, 3), 0, (1, 2, 3)),
        ((1, 0, 2), 0, (1, 2)),
        ((0, 1, 1), 0, (1,)),
        ((0, 1, 2), 3, (0, 1, 2)),
        ((0, 1, 2), 0, (1,)),
        ((0, 1, 2), 0, (1, 2, 3)),
    ],
)
def test_a_runtime_among_other_than_2t_plus_1_parties_in_order_is_not_built(
    session: tuple[int, ...], own: int, channels: tuple[int, ...]
) -> None:
    opening: Coroutine[Any, Any, Any] = open_runtime(
        {index: object() for index in channels},  # type: ignore[misc]  # never used
        own,
        session,
        1,
    )
    with pytest.raises(ProtocolMisuse, match=r"2t \+ 1 parties in order|expected a channel"):
        asyncio.run(opening)


def test_no_wide_total_beyond_the_bound_is_opened() -> None:
    total = WideTotal((1,), Shared(fp.from_ints([0])), COMPARISON_BOUND)
    with pytest.raises(OutOfRange, match="beyond 2\\^60"):
        drive(reveal_wide(engine(), [total], "too wide"))


def party(
    session: tuple[int, ...], me: int, threshold: int, kind: type[PartyEngine] = PartyEngine
) -> PartyEngine:
    return kind(session, me, threshold, b"j" * 32, object())  # type: ignore[arg-type]  # keys are not reached


@pytest.mark.parametrize(
    ("session", "me"), [((0, 1), 0), ((0, 1, 2, 3), 0), ((1, 0, 2), 0), ((0, 1, 1), 0), ((0, 1, 2), 3)]
)
def test_an_engine_among_other_than_2t_plus_1_parties_in_order_is_not_made(
    session: tuple[int, ...], me: int
) -> None:
    assert party((0, 1, 2), 2, 1).peers == (0, 1)
    with pytest.raises(ProtocolMisuse, match="session"):
        party(session, me, 1)


class Alone(PartyEngine):
    """One party whose comparisons come out as a 2, as after a deviation."""

    async def _negative(self, values: Shared) -> Shared:
        return values

    async def _opened(self, value: Shared) -> fp.FieldVector:
        return fp.from_ints([2])


def test_an_opened_comparison_that_is_no_bit_is_a_deviation() -> None:
    opening = party((0,), 0, 0, Alone).reveal_at_least_zero(ONCE[0:1], "a test")
    with pytest.raises(PeerDeviation, match="is not a bit"):
        answer_alone(opening)


def test_an_opening_of_a_matrix_is_refused_by_a_party_too() -> None:
    with pytest.raises(ProtocolMisuse, match="one-dimensional"):
        answer_alone(party((0,), 0, 0).open(ROWS, "a matrix"))


class NoSquare(PartyEngine):
    """Opens a number that has no square root where the square of a random number was opened."""

    async def random(self, count: int) -> Shared:
        return Shared(fp.from_ints([5] * count))

    async def open(self, value: Shared, label: str, *, part_of_answer: bool = False) -> fp.FieldVector:
        return fp.from_ints([fp.P - 1] * len(value))


def test_an_opened_square_that_is_none_is_a_deviation() -> None:
    with pytest.raises(PeerDeviation, match="no square"):
        answer_alone(party((0,), 0, 0, NoSquare).random_bits(1))


def answer_alone(computation: Coroutine[Any, Any, Any]) -> Any:
    """Run what has no peers: an exchange with nobody brings nothing."""
    reply: dict[int, bytes] | None = None
    while True:
        try:
            request = computation.send(reply)
        except StopIteration as stop:
            return stop.value
        reply = {} if isinstance(request, Exchange) else None


class LargeLimbs(CleartextEngine):
    async def reveal(self, value: Shared, label: str) -> fp.FieldVector:
        return (await super().reveal(value, label)) + np.uint64(1 << 16)


def test_an_opened_limb_that_is_too_large_is_a_deviation() -> None:
    total = WideTotal((1 << 20, 1), Shared(fp.from_ints([3, 4])), 10)
    assert drive(reveal_wide(engine(), [total], "a total"))[0] == [(3 << 20) + 4]
    with pytest.raises(PeerDeviation, match="limb is too large"):
        drive(reveal_wide(engine(LargeLimbs), [total], "a total"))


@pytest.mark.parametrize("shape", [(17, 5), (19, 5), (18,), (18, 5, 1)])
def test_columns_of_another_shape_than_the_figures_need_are_refused(shape: tuple[int, ...]) -> None:
    assert arrange(np.zeros((18, 5), dtype=np.uint64), [("sales", SALES)]).count == 5
    with pytest.raises(OutOfRange, match="the columns have"):
        arrange(np.zeros(shape, dtype=np.uint64), [("sales", SALES)])


@pytest.mark.parametrize(
    "ranks", [Shared(np.zeros((1, 1), dtype=np.uint64)), Shared(fp.from_ints([])), TWICE]
)
def test_a_secret_walk_takes_ranks_of_degree_t_in_a_row(ranks: Shared) -> None:
    with pytest.raises(OutOfRange, match="ranks of degree t"):
        SecretWalk(records_of([1, 5])["sales"], ones(2), ranks)


WIDE = number((128,) * 7)
CATEGORY = FigureEncoding.category(5, blank_allowed=True)


@pytest.mark.parametrize(
    ("function", "encodings", "parameters", "records", "said"),
    [
        ("ratio_of_totals@1", [WIDE, WIDE], {"grid": "1", "maximum": "1"}, 1 << 12, "a total may reach"),
        (
            "ratio_of_totals@1",
            [number((64,) * 3)] * 2,
            {"grid": "0.000001", "maximum": "1000"},
            1 << 20,
            "compared",
        ),
        ("histogram@1", [SALES], {"edges": ["8"]}, 1 << 60, "a count may reach"),
        ("histogram@1", [SALES], {"edges": ["64"]}, 10, "does not lie between"),
        ("histogram@1", [SALES], {"edges": ["0"]}, 10, "does not lie between"),
        ("histogram@1", [SALES], {"edges": ["-4"]}, 10, "does not lie between"),
        ("variance@1", [WIDE], {"grid": "1"}, 1 << 12, "the total may reach"),
        ("variance@1", [number((128,) * 3)], {"grid": "1"}, 1 << 30, "sum of squares may reach"),
        ("percentiles_linear@1", [CATEGORY], {"quantiles": ["1/2"]}, 10, "not of a category"),
        ("percentiles_linear@1", [number((128,) * 8)], {"quantiles": ["1/1000"]}, 10, "compared figure"),
    ],
)
def test_a_plan_that_could_outgrow_a_comparison_is_refused(
    function: str, encodings: list[FigureEncoding], parameters: dict[str, Any], records: int, said: str
) -> None:
    with pytest.raises(OutOfRange, match=said):
        verify_plan(function, encodings, parameters, records)


def test_the_sum_of_products_keeps_its_bound_where_the_squares_do() -> None:
    figure = number((128,) * 5)
    weights, part = 5 * 5, 127 * 127
    records = -(-COMPARISON_BOUND // limb_bound(weights, part))
    verify_plan("variance@1", [figure], {"grid": "1"}, records)
    verify_plan("correlation@1", [figure, figure], {"places": 2}, records - 1)
    with pytest.raises(OutOfRange, match="sum of products"):
        verify_plan("correlation@1", [figure, figure], {"places": 2}, records)


def mask(*rows: int) -> PublicMask:
    selected = np.zeros(4, dtype=np.uint8)
    selected[list(rows)] = 1
    return selected


@pytest.mark.parametrize(
    ("first", "second", "disjoint"),
    [
        ((mask(0, 1), None), (mask(2), None), True),
        ((mask(0, 1), None), (mask(1), None), False),
        ((mask(0, 1), ("size", 0)), (mask(1), None), False),
        ((mask(0, 1), None), (mask(1), ("size", 0)), False),
        ((mask(0, 1), ("size", 0)), (mask(1), ("size", 1)), True),
        ((mask(0, 1), ("size", 0)), (mask(1), ("size", 0)), False),
        ((mask(0, 1), ("size", 0)), (mask(1), ("region", 1)), False),
    ],
)
def test_groups_are_disjoint_by_rows_or_by_two_symbols_of_one_category(
    first: tuple[PublicMask, Any], second: tuple[PublicMask, Any], disjoint: bool
) -> None:
    assert _are_disjoint(TableGroup(*first), TableGroup(*second)) == disjoint


@pytest.mark.parametrize(
    ("outer", "inner", "holds"),
    [
        ((mask(0, 1), None), (mask(1), None), True),
        ((mask(0, 1), None), (mask(1, 2), None), False),
        ((mask(0, 1), None), (mask(1), ("size", 0)), True),
        ((mask(0, 1), ("size", 0)), (mask(1), ("size", 0)), True),
        ((mask(0, 1), ("size", 0)), (mask(1), ("size", 1)), False),
        ((mask(0, 1), ("size", 0)), (mask(1), None), False),
    ],
)
def test_a_group_holds_another_by_rows_and_by_symbol(
    outer: tuple[PublicMask, Any], inner: tuple[PublicMask, Any], holds: bool
) -> None:
    assert _contains(TableGroup(*outer), TableGroup(*inner)) == holds


def words(*shape: int) -> NDArray[np.uint64]:
    return np.ones(shape, dtype=np.uint64)


def read_only(*shape: int) -> NDArray[np.uint64]:
    array = words(*shape)
    array.setflags(write=False)
    return array


@pytest.mark.parametrize(
    "act",
    [
        lambda: kernels.multiply_block(words(4), words(4), 0, read_only(2)),
        lambda: kernels.multiply_block(words(4), words(4), 3, words(2)),
        lambda: kernels.multiply_block(words(4), words(5), 0, words(2)),
        lambda: kernels.deal_block(words(2), words(1, 2), 1, words(3, 2), read_only(3, 4), 0),
        lambda: kernels.deal_block(words(2), words(1, 2), 1, words(3, 2), words(3, 4).T.copy().T, 0),
        lambda: kernels.deal_block(words(2), words(1, 3), 1, words(3, 2), words(3, 4), 0),
        lambda: kernels.deal_block(words(2), words(0, 2), 1, words(3, 1), words(3, 4), 0),
        lambda: kernels.deal_block(words(2), words(1, 2), 1, words(2, 2), words(3, 4), 0),
        lambda: kernels.deal_block(words(2), words(1, 2), 1, words(3, 2), words(3, 4), 3),
        lambda: kernels.deal_block(words(2), words(1, 2), 1, words(3, 2), words(3, 4), -1),
        lambda: kernels.add_words(read_only(2), 1, words(2)),
        lambda: kernels.add_words(words(2), 1, words(3)),
        lambda: kernels.add_message(read_only(2), words(2)),
        lambda: kernels.add_message(words(2), words(3)),
        lambda: kernels.mask_to_elements(words(2, 2)),
        lambda: kernels.mask_to_elements(words(2).astype(np.int64)),
    ],
)
def test_a_kernel_writes_nowhere_but_into_what_it_was_given(act: Callable[[], object]) -> None:
    with pytest.raises(ProtocolMisuse, match="kernels: expected"):
        act()


@pytest.mark.parametrize("size", [15, 17, 0])
def test_words_of_another_length_than_agreed_are_malformed(size: int) -> None:
    assert len(fp.view_words(bytes(16), 2)) == 2
    with pytest.raises(MalformedMessage, match="expected 16 bytes"):
        fp.view_words(bytes(size), 2)


@pytest.mark.parametrize(
    "payload", [bytes(8), bytes(24), (memoryview(bytes(12)), memoryview(bytes(4))), (memoryview(bytes(8)),)]
)
def test_elements_come_whole_and_as_many_as_agreed_or_the_peer_is_named(payload: effects.Payload) -> None:
    assert [len(piece) for piece in _words(2, (memoryview(bytes(8)),) * 2, 2)] == [1, 1]
    with pytest.raises(MalformedMessage, match="party 2: expected 2 elements of 8 bytes") as caught:
        _words(2, payload, 2)
    assert caught.value.peer == 2


def test_a_category_is_asked_of_a_category_and_a_place_by_a_record() -> None:
    for changes in (
        {"category": ("sales", 0)},
        {"function": "own_rank@1", "row": 7},
        {"function": "own_rank@1"},
        {"function": "sum@1", "dominance": (1, 25), "minimum": 0},
    ):
        with pytest.raises(OutOfRange):
            drive(answer_query(engine(), records_of([1, 2, 3]), {"all": ones(3)}, [request(**changes)]))


async def talk(outgoing: dict[int, bytes], incoming: dict[int, int]) -> object:
    return await effects.exchange(outgoing, incoming)


async def silent() -> object:
    return None


def converse(at: Callable[[int], Coroutine[Any, Any, Any]], tamper: Any = None) -> Any:
    network = LocalNetwork((0, 1, 2), 1, ScriptedRandomness(b"x"))
    network.tamper = tamper
    return network.run(lambda _, party: at(party))


def in_turn(party: int, *, size: int = 3, more: dict[int, bytes] | None = None) -> Coroutine[Any, Any, Any]:
    """Everybody sends three bytes to the next and expects `size` from the one before."""
    return talk({(party + 1) % 3: b"abc", **(more or {})}, {(party - 1) % 3: size})


def test_parties_of_a_simulation_that_do_not_do_the_same_are_found() -> None:
    assert converse(in_turn)[0] == {2: b"abc"}
    with pytest.raises(ProtocolMisuse, match="not uniform"):
        converse(lambda party: silent() if party == 2 else in_turn(party))
    with pytest.raises(MalformedMessage, match="expected 4 bytes from party 2, found 3 bytes"):
        converse(lambda party: in_turn(party, size=4 if party == 0 else 3))
    with pytest.raises(MalformedMessage, match="does not expect"):
        converse(lambda party: in_turn(party, more={0: b"unasked"} if party == 1 else None))


@pytest.mark.parametrize(("changed", "found"), [(None, "nothing"), (b"ab", "2 bytes"), (b"abcd", "4 bytes")])
def test_a_lost_or_cut_message_of_a_simulation_is_malformed(changed: bytes | None, found: str) -> None:
    with pytest.raises(MalformedMessage, match=f"found {found}"):
        converse(in_turn, lambda delivery: changed if delivery.sender == 1 else delivery.payload)


def test_one_process_has_one_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpyc_engine, "_live", object())
    with pytest.raises(ProtocolMisuse, match="one a process"):
        asyncio.run(open_runtime({1: object(), 2: object()}, 0, (0, 1, 2), 1))  # type: ignore[dict-item]


def test_an_mpyc_that_was_set_up_before_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MPYC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("READTHEDOCS", "True")
    monkeypatch.setenv("MPYC_MAXWORKERS", "0")
    monkeypatch.setitem(sys.modules, "mpyc.runtime", SimpleNamespace())
    mpyc_engine._require_clean_environment()
    monkeypatch.setitem(sys.modules, "mpyc.runtime", SimpleNamespace(mpc=object()))
    with pytest.raises(ProtocolMisuse, match="set up before"):
        mpyc_engine._require_clean_environment()


class KeysOf:
    """The channel to an earlier party, which sends keys of another length."""

    async def receive_message(self, *_: object, **__: object) -> tuple[int, bytes]:
        return 0, b"short"

    def violation(self, step: str, expected: str, found: str) -> Exception:
        return PeerDeviation(f"{step}: expected {expected}, found {found}")


def test_keys_of_mpyc_of_another_length_are_a_violation() -> None:
    mpc = SimpleNamespace(pid=1, _prss_keys_from_peer=lambda position, data=None: 16)
    opened: Any = SimpleNamespace(mpc=mpc, session=(0, 1))
    with pytest.raises(PeerDeviation, match="expected 16 bytes, found 5 bytes"):
        asyncio.run(mpyc_engine._share_prss_keys(opened, {0: KeysOf()}))  # type: ignore[dict-item]


class ShortChannel:
    """A channel whose next message is shorter than was announced."""

    def listen(
        self, _admit: object, hear: Callable[[int, tuple[memoryview, ...]], bool], *_: object, step: str
    ) -> None:
        hear(5, (memoryview(b"sho"), memoryview(b"rt")))

    def violation(self, step: str, expected: str, found: str) -> Exception:
        return PeerDeviation(f"{step}: expected {expected}, found {found}")


def test_a_message_shorter_than_announced_ends_the_computation() -> None:
    failures: list[Exception] = []
    heard: list[object] = []
    messages = mpyc_engine._PeerMessages(ShortChannel(), failures.append)  # type: ignore[arg-type]
    messages.expect(5, 8, heard.append)
    (failure,) = failures
    assert str(failure) == "a computation: expected 8 bytes, found 5 bytes"
    assert heard == []
