"""A gateway that meddles with what one party reads: each fault on each kind of document.

Faults that pass (the true item comes in the end) leave everything as it was; those that last leave somebody out,
who is told, or stop the study, and say why. One party's feed is meddled with, so that parties see different things;
the long version does it to each kind alone, and to all parties at once.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from mpc_cde.documents.approval import Approval
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.envelope import open_envelope
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.receipt import Receipt
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.submission import Submission
from mpc_cde.feed_format import FeedFrame
from tests.checks.attack_tables import Attack, Row, attack_of, attacks_of, id_of
from tests.hostile.feed_lines import (
    Adds,
    Alters,
    Delays,
    Drops,
    Duplicates,
    Fault,
    FeedLine,
    Garbles,
    Reorders,
    SpoilsParts,
    Swaps,
    Truncates,
    Which,
)
from tests.hostile.inventions import inventions
from tests.hostile.story import (
    CORRECTS,
    COUNTED,
    MEMBERS,
    REVOKED,
    WITHDRAWS,
    Blocked,
    Ending,
    Story,
    run_with_feeds,
)
from tests.hostile.town import Town, paper_town, plain_values

KINDS = (
    "membership/v1",
    "revocation/v1",
    "researcher/v1",
    "study/v1",
    "amendment/v1",
    "approval/v1",
    "submission/v1",
    "withdrawal/v1",
    "receipt/v1",
    "withdrawal-receipt/v1",
    "closing/v1",
    "roster/v1",
    "checked-roster/v1",
    "query/v1",
    "decision/v1",
    "result/v1",
)
PASSING: dict[str, tuple[Callable[[Which | Collection[str]], Fault], str]] = {
    "delayed": (Delays, "comes after everything else of its part of the story"),
    "reordered": (Reorders, "comes late and in the opposite order"),
    "duplicated": (Duplicates, "comes three times"),
    "truncated": (Truncates, "is cut in the middle, once"),
    "garbled": (Garbles, "is no frame at all, once"),
    "altered": (Alters, "comes altered in six ways before the true one"),
    "swapped": (Swaps, "comes under another's signatures and as another type before the true one"),
    "invented": (
        lambda which: Adds(which, inventions),
        "comes after one that the gateway made up and signed with its own key in the same names",
    ),
}
MEDDLED_PARTY = 2


@dataclass(frozen=True, slots=True)
class PassingRow:
    row: Row
    fault: str
    kind: str


def _passing_rows() -> list[PassingRow]:
    rows = []
    for fault, (_, what) in PASSING.items():
        for kind in KINDS:
            name = kind.partition("/")[0]
            rows.append(
                PassingRow(
                    Row(
                        f"{name.replace('-', '_')}_{fault}",
                        f"a {name.replace('-', ' ')} {what}",
                        "nothing changes",
                    ),
                    fault,
                    kind,
                )
            )
    return rows


PASSING_ROWS = _passing_rows()


TOGETHER: tuple[dict[int, tuple[str, ...]], ...] = (
    {0: ("delayed",), 1: ("duplicated",), 2: ("altered",)},
    {0: ("reordered",), 1: ("swapped", "garbled"), 2: ("invented", "truncated")},
)
"""Two towns in which every party's feed has a fault, or two, of every kind of document."""


@cache
def _told_together(directory: Path, number: int) -> tuple[Ending, dict[str, Fault]]:
    made = {fault: PASSING[fault][0](KINDS) for faults in TOGETHER[number].values() for fault in faults}
    lines = {party: [made[fault] for fault in faults] for party, faults in TOGETHER[number].items()}
    return run_with_feeds(directory, lines), made


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    @cache
    def make(name: str) -> Path:
        return tmp_path_factory.mktemp(name)

    return make


@pytest.mark.parametrize("row", PASSING_ROWS, ids=lambda row: row.row.name)
def test_fault_that_passes_changes_nothing(row: PassingRow, home: Callable[[str], Path]) -> None:
    [number] = [n for n, town in enumerate(TOGETHER) if any(row.fault in own for own in town.values())]
    ending, made = _told_together(home(f"passing {number}"), number)
    assert made[row.fault].meddled[row.kind] > 0
    assert ending.is_plain_over(COUNTED)


@pytest.mark.long
@pytest.mark.parametrize("parties", [(0,), (0, 1, 2)], ids=["one", "all"])
@pytest.mark.parametrize("row", PASSING_ROWS, ids=lambda row: row.row.name)
def test_fault_that_passes_on_one_kind_alone(
    row: PassingRow, parties: tuple[int, ...], tmp_path: Path
) -> None:
    faults = {party: [PASSING[row.fault][0]([row.kind])] for party in parties}
    ending = run_with_feeds(tmp_path, faults)
    assert all(own[0].meddled[row.kind] for own in faults.values())
    assert ending.is_plain_over(COUNTED)


# faults that last -----------------------------------------------------------------------------------------------


def of(type_name: str) -> Which:
    return lambda frame: frame.type_name == type_name


def submission_of(number: int, sequence: int = 1) -> Which:
    member = paper_town(MEMBERS).membership(number).member

    def which(frame: FeedFrame) -> bool:
        if frame.type_name != "submission/v1":
            return False
        document = open_envelope(frame.envelope, Submission)
        return (document.member, document.sequence) == (member, sequence)

    return which


def membership_of(number: int) -> Which:
    member = paper_town(MEMBERS).membership(number).member
    return lambda frame: (
        frame.type_name == "membership/v1" and open_envelope(frame.envelope, Membership).member == member
    )


def approval_of(party: int) -> Which:
    return lambda frame: (
        frame.type_name == "approval/v1" and open_envelope(frame.envelope, Approval).party == party
    )


def decision_of(party: int) -> Which:
    return lambda frame: (
        frame.type_name == "decision/v1" and open_envelope(frame.envelope, Decision).party == party
    )


def researcher_named(name: str) -> Which:
    return lambda frame: (
        frame.type_name == "researcher/v1" and open_envelope(frame.envelope, Researcher).name == name
    )


def document_is(digest: bytes) -> Which:
    return lambda frame: frame.envelope.digest() == digest


def decision_on(query: bytes, party: int) -> Which:
    def which(frame: FeedFrame) -> bool:
        if frame.type_name != "decision/v1":
            return False
        decision = open_envelope(frame.envelope, Decision)
        return (decision.query, decision.party) == (query, party)

    return which


def receipts_of_others(frame: FeedFrame) -> bool:
    return frame.type_name == "receipt/v1" and open_envelope(frame.envelope, Receipt).party != MEDDLED_PARTY


@dataclass(frozen=True, slots=True)
class LeavesOut:
    """A row in which somebody is not counted, or nobody; the rest is computed."""

    row: Row
    which: Which
    member: int | None = None
    told: str = ""


DROPPED = "the rest is computed; the member reads who has no receipt for it"
LEAVING_OUT: tuple[LeavesOut, ...] = (
    LeavesOut(
        Row("membership_kept_from_one_party", "one party never hears of a member", DROPPED),
        membership_of(3),
        3,
        "2 of 3 parties hold your figures. Waiting for Party 2.",
    ),
    LeavesOut(
        Row("submission_kept_from_one_party", "one party never gets a submission", DROPPED),
        submission_of(4),
        4,
        "2 of 3 parties hold your figures. Waiting for Party 2.",
    ),
    LeavesOut(
        Row(
            "correction_kept_from_one_party",
            "one party never gets a member's second submission",
            "the first one counts; the member reads who has no receipt for the second",
        ),
        submission_of(CORRECTS, 2),
        CORRECTS,
        "2 of 3 parties hold your figures. Waiting for Party 2.",
    ),
    LeavesOut(
        Row(
            "withdrawal_kept_from_one_party",
            "one party never hears of a withdrawal",
            "it counts all the same: the others show it with the member's signature",
        ),
        of("withdrawal/v1"),
    ),
    LeavesOut(
        Row(
            "revocation_kept_from_one_party",
            "one party never hears of a revocation",
            "it counts all the same: the others show it with the registrar's signature",
        ),
        of("revocation/v1"),
    ),
    LeavesOut(
        Row("receipts_kept_from_one_party", "one party never sees the others' receipts", "nothing changes"),
        receipts_of_others,
    ),
    LeavesOut(
        Row("amendment_kept_from_one_party", "one party never sees an amendment", "nothing changes"),
        of("amendment/v1"),
    ),
    *(
        LeavesOut(
            Row(
                f"{kind.replace('-', '_')}_kept_from_one_party",
                f"one party's own {kind.replace('-', ' ')} never comes back to it",
                "nothing changes: the parties sign and keep it among themselves",
            ),
            of(f"{kind}/v1"),
        )
        for kind in ("roster", "checked-roster", "result")
    ),
)


def _plain_without(rows: Sequence[LeavesOut]) -> frozenset[int]:
    """Who counts in the values: a member whose correction is dropped counts by its first submission."""
    return COUNTED - {row.member for row in rows if row.member not in (None, CORRECTS)}


def assert_left_out_alone(row: LeavesOut, rows: Sequence[LeavesOut], ending: Ending) -> None:
    if row.member is not None:
        assert ending.members[row.member] == row.told
    assert ending.counted == COUNTED - {one.member for one in rows}
    assert ending.values == plain_values(_plain_without(rows))
    for number in (REVOKED, WITHDRAWS):
        assert "not in the roster" in ending.members[number]


@cache
def _all_left_out(directory: Path) -> tuple[Ending, FeedLine]:
    line = [Drops(row.which) for row in LEAVING_OUT]
    ending = run_with_feeds(directory, {MEDDLED_PARTY: line})
    assert all(fault.meddled for fault in line)
    return ending, FeedLine(line)


@pytest.mark.parametrize("row", LEAVING_OUT, ids=lambda row: row.row.name)
def test_document_kept_from_one_party(row: LeavesOut, home: Callable[[str], Path]) -> None:
    """All of them in one town."""
    ending, _ = _all_left_out(home("dropped"))
    assert_left_out_alone(row, LEAVING_OUT, ending)


@pytest.mark.long
@pytest.mark.parametrize("how", ["dropped", "altered", "swapped"])
@pytest.mark.parametrize("party", [0, 2])
@pytest.mark.parametrize("row", LEAVING_OUT, ids=lambda row: row.row.name)
def test_document_kept_from_one_party_alone(row: LeavesOut, party: int, how: str, tmp_path: Path) -> None:
    faults: dict[str, Fault] = {
        "dropped": Drops(row.which),
        "altered": Alters(row.which, instead=True),
        "swapped": Swaps(row.which, instead=True),
    }
    ending = run_with_feeds(tmp_path, {party: [faults[how]]})
    expected = LeavesOut(row.row, row.which, row.member, row.told.replace("Party 2", f"Party {party}"))
    assert_left_out_alone(expected, [expected], ending)


@dataclass(frozen=True, slots=True)
class Stops:
    """A row in which the story cannot go on, and somebody is told why."""

    row: Row
    which: Which
    blocked: Blocked


STOPPING: tuple[Stops, ...] = (
    Stops(
        Row(
            "study_kept_from_one_party",
            "one party never hears of the study",
            "members read that this party knows no such study",
        ),
        of("study/v1"),
        Blocked("member 0", "Party 2: This party knows no such study"),
    ),
    Stops(
        Row(
            "approval_kept_from_one_party",
            "one party never sees another's approval",
            "members read that the study is not open for this party",
        ),
        approval_of(1),
        Blocked("member 0", "Party 2: The study is not open yet"),
    ),
    Stops(
        Row(
            "researcher_kept_from_one_party",
            "one party never hears of the researcher",
            "the researcher reads whose decision is missing",
        ),
        of("researcher/v1"),
        Blocked("researcher", "2 of 3 parties agree; waiting for Party 2"),
    ),
    Stops(
        Row(
            "query_kept_from_one_party",
            "one party never hears of the query",
            "the researcher reads whose decision is missing",
        ),
        of("query/v1"),
        Blocked("researcher", "2 of 3 parties agree; waiting for Party 2"),
    ),
    Stops(
        Row(
            "decision_kept_from_one_party",
            "one party never sees another's decision",
            "nothing is computed; the parties' logs say whose decision did not reach whom",
        ),
        decision_of(0),
        Blocked("party 0", "job.refused .*no decision of party 0 is here yet"),
    ),
)


@cache
def _never_open(directory: Path) -> str:
    """What a member reads of a study that one party knows nothing of, and another not all approvals."""

    async def run() -> str:
        lines = {1: FeedLine([Drops(of("study/v1"))]), 2: FeedLine([Drops(approval_of(1))])}
        town = Town(
            directory,
            paper=paper_town(MEMBERS),
            meddlers={f"party {party}": line for party, line in lines.items()},
        )
        async with town.running():
            story = Story(town)
            await story.found()
            await town.submit(range(2))
            await story.rest()
            return await story.told("member 0")

    return asyncio.run(run())


@cache
def _never_answered(directory: Path) -> dict[str, str]:
    """Three queries in one town: one kept from party 1, one of a researcher kept from party 2, one with a decision
    kept from it; by the names of their rows what is told."""

    async def run() -> dict[str, str]:
        paper = paper_town(MEMBERS)
        stranger = paper.another_researcher()
        kept, undecided, stranger_asks = (
            paper.asked(b"kept"),
            paper.asked(b"undecided"),
            paper.asked(b"stranger", asker=stranger),
        )
        lines = {
            1: FeedLine([Drops(document_is(kept.digest()))]),
            2: FeedLine(
                [
                    Drops(researcher_named(stranger.researcher.name)),
                    Drops(decision_on(undecided.digest(), 0)),
                ]
            ),
        }
        town = Town(
            directory, paper=paper, meddlers={f"party {party}": line for party, line in lines.items()}
        )
        async with town.running():
            story = Story(town)
            await story.found()
            await story.post("researchers", stranger.envelope)
            await story.submit()
            await story.close()
            for query in (kept, undecided, stranger_asks):
                await story.post("queries", query)
            await town.until_party_says(0, r"job.refused .*no decision of party 0 is here yet")
            await story.rest()
            assert not town.kept_by(0, "result/v1")
            return {
                "researcher": await story.query_told(stranger_asks, asker=stranger),
                "query": await story.query_told(kept),
                "decision": town.nodes[0].said(),
            }

    return asyncio.run(run())


@pytest.mark.parametrize("row", STOPPING, ids=lambda row: row.row.name)
def test_document_whose_lack_stops_the_study(row: Stops, home: Callable[[str], Path]) -> None:
    """Those before the closing in one town, those after it in another; the long version gives each its own."""
    kind = row.row.name.partition("_")[0]
    if kind in ("study", "approval"):
        told, party = _never_open(home("never open")), 1 if kind == "study" else 2
    else:
        told, party = _never_answered(home("never answered"))[kind], 1 if kind == "query" else 2
    assert re.search(row.blocked.told.replace("Party 2", f"Party {party}"), told)


@pytest.mark.long
@pytest.mark.parametrize("row", STOPPING, ids=lambda row: row.row.name)
def test_document_whose_lack_stops_the_study_alone(row: Stops, tmp_path: Path) -> None:
    ending = run_with_feeds(tmp_path, {MEDDLED_PARTY: [Drops(row.which)]}, blocked=row.blocked)
    assert ending.values is None


@pytest.mark.long
@pytest.mark.parametrize("fault", [Alters, Swaps])
@pytest.mark.parametrize("row", STOPPING, ids=lambda row: row.row.name)
def test_document_altered_for_good_stops_the_study(
    row: Stops, fault: type[Alters] | type[Swaps], tmp_path: Path
) -> None:
    ending = run_with_feeds(tmp_path, {MEDDLED_PARTY: [fault(row.which, instead=True)]}, blocked=row.blocked)
    assert ending.values is None


CLOSING_KEPT = Row(
    "closing_kept_from_one_party",
    "one party never hears that the study was closed",
    "the others wait; it closes by its own clock, and everything is computed",
)


def test_closing_kept_from_one_party(home: Callable[[str], Path]) -> None:
    """In the town of spoilt parts: party 1 closes by its clock."""
    told = _spoilt_and_never_closed(home("spoilt"))
    assert told.waited
    assert told.ending.values is not None


# what travels beside a submission -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spoilt:
    """The parts of one member's submission, altered for one party."""

    row: Row
    member: int
    how: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]
    told: str


def _flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


LEFT_OUT = "that party refuses it and says so in its receipt; the rest is computed"
SPOILT: tuple[Spoilt, ...] = (
    Spoilt(
        Row("correction_altered_for_one_party", "one bit of a correction is another", LEFT_OUT),
        0,
        lambda parts: (_flip(parts[0]), parts[1]),
        "Refused by Party 2: The correction that arrived is not the one that was signed.",
    ),
    Spoilt(
        Row("correction_truncated_for_one_party", "a correction is cut", LEFT_OUT),
        1,
        lambda parts: (parts[0][:-8], parts[1]),
        "Refused by Party 2: The correction that arrived is not the one that was signed.",
    ),
    Spoilt(
        Row("envelope_altered_for_one_party", "one bit of a sealed envelope is another", LEFT_OUT),
        2,
        lambda parts: (parts[0], _flip(parts[1])),
        "Refused by Party 2: The envelope that arrived is not the one that was signed.",
    ),
    Spoilt(
        Row("parts_kept_from_one_party", "a document comes without its parts", LEFT_OUT),
        3,
        lambda _: (),
        "Refused by Party 2: The correction or the envelope did not arrive with it.",
    ),
    Spoilt(
        Row("parts_swapped_for_one_party", "correction and envelope change places", LEFT_OUT),
        4,
        lambda parts: (parts[1], parts[0]),
        "Refused by Party 2: The correction that arrived is not the one that was signed.",
    ),
)


@dataclass(frozen=True, slots=True)
class LateClosing:
    """`waited`: there was no roster before the clocks went on."""

    waited: bool
    ending: Ending


@cache
def _spoilt_and_never_closed(directory: Path) -> LateClosing:
    async def run() -> LateClosing:
        lines = {
            MEDDLED_PARTY: FeedLine([SpoilsParts(submission_of(row.member), row.how) for row in SPOILT]),
            1: FeedLine([Drops(of("closing/v1"))]),
        }
        town = Town(
            directory,
            paper=paper_town(MEMBERS),
            meddlers={f"party {party}": line for party, line in lines.items()},
        )
        async with town.running():
            story = Story(town, tuple(lines.values()))
            await story.found()
            await story.submit()
            await town.close()
            await story.rest()
            waited = not town.kept_by(0, "roster/v1")
            town.time_passes()
            await story.close_is_done()
            await story.ask()
            return LateClosing(waited, await story.end())

    return asyncio.run(run())


@pytest.mark.parametrize("row", SPOILT, ids=lambda row: row.row.name)
def test_spoilt_parts_are_refused_by_name(row: Spoilt, home: Callable[[str], Path]) -> None:
    ending = _spoilt_and_never_closed(home("spoilt")).ending
    assert ending.members[row.member].endswith(row.told)
    assert ending.is_plain_over(COUNTED - {one.member for one in SPOILT})


ATTACKS = (
    *(
        attack_of(
            f"a document of any kind {what}",
            "nothing changes",
            test_fault_that_passes_changes_nothing,
            test_fault_that_passes_on_one_kind_alone,
        )
        for _, what in PASSING.values()
    ),
    *attacks_of([row.row for row in LEAVING_OUT], test_document_kept_from_one_party),
    *attacks_of([row.row for row in STOPPING], test_document_whose_lack_stops_the_study),
    Attack(CLOSING_KEPT.tries, CLOSING_KEPT.ends, (id_of(test_closing_kept_from_one_party),)),
    *attacks_of([row.row for row in SPOILT], test_spoilt_parts_are_refused_by_name),
)
