"""A party that lies while the roster is agreed on is named, and no honest party ends with a roster."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpc_cde.documents.canonical import digest_of
from mpc_cde.documents.envelope import Envelope, sign_document
from mpc_cde.documents.roster import Roster
from mpc_cde.documents.roster_lines import LINE, ListedSubmission, RosterLines, pack_line
from mpc_cde.documents.roster_list import RosterList
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.keys import SigningKey
from parties import agreement
from parties.agreement import RostersDiffer, SignedRoster, agree_on_roster
from parties.roster import AgreedInputs, ListRefused, Promises, RosterBasis, ShownList
from parties.roster import agree as comes_to
from tests.mpc_cde.client.paper import PaperCommunity, signed
from tests.review.lying_sessions import Lie, LyingSession, LyingTable, truth
from tests.review.test_two_faced_roster import basis_of, make_nodes, no_rows_yet

LIAR = 1


@pytest.fixture
def paper() -> PaperCommunity:
    return PaperCommunity()


@pytest.fixture
def bases(paper: PaperCommunity, tmp_path: Path) -> list[RosterBasis]:
    return [basis_of(node) for node in make_nodes(paper, tmp_path)]


async def outcome(paper: PaperCommunity, bases: list[RosterBasis], lie: Lie = truth) -> object:
    """What party 0 ends with when the others are told what `lie` makes of it."""
    chairs = LyingTable((0, 1, 2), lie).chairs()
    tasks = [
        asyncio.ensure_future(
            agree_on_roster(chairs[i], bases[i], paper.party_keys[i], before_signing=no_rows_yet)
        )
        for i in range(3)
    ]
    (found,) = await asyncio.gather(tasks[0], return_exceptions=True)
    for left_alone in tasks[1:]:
        left_alone.cancel()
    await asyncio.gather(*tasks[1:], return_exceptions=True)
    return found


def saying(step: str, data: bytes, *more: tuple[str, bytes]) -> Lie:
    """Party 1 says this at this step, to everybody."""
    said = dict([(step, data), *more])

    def lie(sender: int, _receiver: int, at: str, payload: bytes) -> bytes:
        return said.get(at, payload) if sender == LIAR else payload

    return lie


def showing(envelope: Envelope) -> Lie:
    """Party 1 commits to this list and shows it."""
    commitments = envelope.digest()

    def lie(sender: int, receiver: int, step: str, payload: bytes) -> bytes:
        if step == "roster commitments seen" and sender != LIAR:
            return payload
        return saying("roster commitment", commitments, ("roster list", envelope.to_json()))(
            sender, receiver, step, payload
        )

    return lie


def refused(found: object) -> tuple[int, str]:
    assert isinstance(found, ListRefused), found
    return found.party, found.expected


async def test_honest_parties_sign_the_same_roster(paper: PaperCommunity, bases: list[RosterBasis]) -> None:
    found = await outcome(paper, bases)
    assert isinstance(found, SignedRoster)
    assert len(found.envelope.signatures) == 3


@pytest.mark.parametrize("commitment", [b"", bytes(31), bytes(33)])
async def test_a_commitment_of_another_length_is_refused(
    paper: PaperCommunity, bases: list[RosterBasis], commitment: bytes
) -> None:
    found = await outcome(paper, bases, saying("roster commitment", commitment))
    assert refused(found) == (LIAR, "a commitment of 32 bytes")


async def signature(paper: PaperCommunity, bases: list[RosterBasis]) -> Envelope:
    honest = await outcome(paper, bases)
    assert isinstance(honest, SignedRoster)
    return sign_document(honest.inputs.roster, paper.party_keys[LIAR])


async def test_a_signature_on_another_roster_is_no_roster(
    paper: PaperCommunity, bases: list[RosterBasis]
) -> None:
    roster = Roster.parse_payload((await signature(paper, bases)).payload)
    other = sign_document(roster.model_copy(update={"count": roster.count + 1}), paper.party_keys[LIAR])
    found = await outcome(paper, bases, saying("roster signature", other.to_json()))
    assert isinstance(found, RostersDiffer)
    assert found.party == LIAR


async def test_a_signature_on_the_same_bytes_as_another_type_is_no_roster(
    paper: PaperCommunity, bases: list[RosterBasis]
) -> None:
    honest = await signature(paper, bases)
    other = honest.model_copy(update={"payload_type": RosterList.payload_type()})
    found = await outcome(paper, bases, saying("roster signature", other.to_json()))
    assert isinstance(found, RostersDiffer)


@pytest.mark.parametrize("key", ["another party's", "a stranger's"])
async def test_a_roster_signed_by_another_key_is_not_that_partys(
    paper: PaperCommunity, bases: list[RosterBasis], key: str
) -> None:
    roster = Roster.parse_payload((await signature(paper, bases)).payload)
    forged = sign_document(roster, paper.party_keys[2] if "party" in key else SigningKey(bytes(32)))
    found = await outcome(paper, bases, saying("roster signature", forged.to_json()))
    assert refused(found) == (LIAR, "its signature on the roster")


async def test_a_party_cannot_show_the_list_of_another_as_its_own(
    paper: PaperCommunity, bases: list[RosterBasis]
) -> None:
    found = await outcome(paper, bases, showing(sign_document(bases[2].own_list, paper.party_keys[2])))
    assert refused(found) == (LIAR, "its own list of this study")


async def test_a_party_cannot_show_its_list_of_another_study(
    paper: PaperCommunity, bases: list[RosterBasis]
) -> None:
    other = bases[LIAR].own_list.model_copy(update={"study_terms": bytes(32)})
    found = await outcome(paper, bases, showing(sign_document(other, paper.party_keys[LIAR])))
    assert refused(found) == (LIAR, "its own list of this study")


@pytest.mark.parametrize("fault", ["signed by another member", "of another study"])
async def test_a_party_cannot_take_a_member_out_by_a_withdrawal_that_is_none(
    paper: PaperCommunity, bases: list[RosterBasis], fault: str
) -> None:
    another_study = fault == "of another study"
    withdrawal = Withdrawal(
        study_terms=bytes(32) if another_study else paper.study.terms_digest(),
        member=paper.membership(0).member,
        sequence=1,
    )
    envelope = signed(withdrawal, [paper.member_key(0 if another_study else 1)])
    shown = bases[LIAR].own_list.model_copy(update={"withdrawals": (envelope,)})
    found = await outcome(paper, bases, showing(sign_document(shown, paper.party_keys[LIAR])))
    assert refused(found) == (LIAR, "withdrawals that members signed")


async def test_a_withdrawal_of_a_member_that_was_kept_from_this_party_accuses_nobody(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    bases = [basis_of(node) for node in make_nodes(paper, tmp_path, unknown=0)]
    withdrawal = Withdrawal(
        study_terms=paper.study.terms_digest(), member=paper.membership(0).member, sequence=1
    )
    shown = bases[LIAR].own_list.model_copy(
        update={"withdrawals": (signed(withdrawal, [paper.member_key(0)]),)}
    )
    found = await outcome(paper, bases, showing(sign_document(shown, paper.party_keys[LIAR])))
    assert isinstance(found, SignedRoster), found
    assert found.inputs.roster.count == 2


async def test_a_withdrawal_of_an_unknown_member_from_another_study_is_refused(
    paper: PaperCommunity, tmp_path: Path
) -> None:
    bases = [basis_of(node) for node in make_nodes(paper, tmp_path, unknown=0)]
    withdrawal = Withdrawal(study_terms=bytes(32), member=paper.membership(0).member, sequence=1)
    shown = bases[LIAR].own_list.model_copy(
        update={"withdrawals": (signed(withdrawal, [paper.member_key(0)]),)}
    )
    found = await outcome(paper, bases, showing(sign_document(shown, paper.party_keys[LIAR])))
    assert refused(found) == (LIAR, "withdrawals that members signed")


async def test_others_have_longer_for_what_takes_as_long_as_there_are_members(
    paper: PaperCommunity, bases: list[RosterBasis]
) -> None:
    """They read and write every row before these steps."""
    chairs = [Patient(chair) for chair in LyingTable((0, 1, 2)).chairs()]
    await asyncio.gather(
        *(
            agree_on_roster(chair, basis, key, before_signing=no_rows_yet, patience_seconds=700.0)
            for chair, basis, key in zip(chairs, bases, paper.party_keys, strict=True)
        )
    )
    patient = [step for step, patience in chairs[0].waited if patience == 700.0]
    assert patient == ["roster commitment", "roster signature"]


class Patient:
    """A chair that notes how long its party would wait."""

    def __init__(self, chair: LyingSession) -> None:
        self._chair = chair
        self.session_id, self.parties = chair.session_id, chair.parties
        self.waited: list[tuple[str, float | None]] = []

    async def exchange(
        self, step: str, payload: bytes, *, patience_seconds: float | None = 0.0
    ) -> dict[int, bytes]:
        self.waited.append((step, patience_seconds))
        return await self._chair.exchange(step, payload)


# parts of lists --------------------------------------------------------------------------------------------------


def holding(basis: RosterBasis, lines: RosterLines, **also: object) -> RosterBasis:
    """The party, if it had accepted these submissions; its list says `also`."""
    document = ShownList.of(basis.own_list, lines).document.model_copy(update=also)
    return replace(basis, own_list=document, lines=lines)


def part_step(basis: RosterBasis, row: int) -> str:
    return f"roster list, part {basis.lines.part_prefix(row)}"


async def steps_of(paper: PaperCommunity, bases: list[RosterBasis]) -> tuple[object, list[tuple[str, int]]]:
    """What party 0 ends with, and every step with how many bytes party 1 shows."""
    steps: list[tuple[str, int]] = []

    def watch(sender: int, receiver: int, step: str, payload: bytes) -> bytes:
        if (sender, receiver) == (LIAR, 0):
            steps.append((step, len(payload)))
        return payload

    return await outcome(paper, bases, watch), steps


async def test_lists_that_are_the_same_are_not_sent(paper: PaperCommunity, bases: list[RosterBasis]) -> None:
    found, steps = await steps_of(paper, bases)
    assert isinstance(found, SignedRoster)
    assert [step for step, _ in steps] == [
        "roster commitment",
        "roster commitments seen",
        "roster list",
        "roster signature",
    ]


async def test_of_lists_that_differ_the_parts_that_differ_are_shown(
    paper: PaperCommunity, bases: list[RosterBasis]
) -> None:
    """Party 1 lacks a submission, which the gateway kept from it: it counts nowhere."""
    row = 1
    less = RosterLines(np.delete(bases[LIAR].lines.lines, row))
    for party, basis in enumerate(bases):
        bases[party] = replace(basis, promises=Promises({}, frozenset()))
    expected = part_step(bases[0], row)
    bases[LIAR] = holding(bases[LIAR], less)
    found, steps = await steps_of(paper, bases)
    assert isinstance(found, SignedRoster), found
    assert steps[3:-1] == [(expected, 88 * len(less.part(bases[0].lines.part_prefix(row))))]
    assert found.inputs.entries.row_of(bases[0].lines.submission(row)) is None
    assert len(found.inputs.entries) == len(bases[0].lines) - 1


async def test_lists_like_the_own_one_are_kept_once(
    paper: PaperCommunity, bases: list[RosterBasis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a million members each list that is not the same object is 88 MB more."""
    kept: list[Mapping[int, ShownList]] = []

    def agree(basis: RosterBasis, lists: Mapping[int, ShownList]) -> AgreedInputs:
        if basis.party == 0:
            kept.append(lists)
        return comes_to(basis, lists)

    monkeypatch.setattr(agreement, "agree", agree)
    bases = [replace(basis, promises=Promises({}, frozenset())) for basis in bases]
    bases[LIAR] = holding(bases[LIAR], RosterLines(bases[LIAR].lines.lines[1:]))
    found = await outcome(paper, bases)
    assert isinstance(found, SignedRoster), found
    ((own, shorter, like_own),) = [tuple(shown.lines for shown in lists.values()) for lists in kept]
    assert like_own is own
    assert len(shorter) == len(own) - 1


async def test_a_list_that_differs_in_every_line_is_a_list(
    paper: PaperCommunity, bases: list[RosterBasis]
) -> None:
    """Party 1 was shown one submission, under another membership than the others: nothing counts everywhere."""
    for party, basis in enumerate(bases):
        bases[party] = replace(basis, promises=Promises({}, frozenset()))
    (first, *_) = bases[LIAR].lines
    bases[LIAR] = holding(bases[LIAR], RosterLines.pack([replace(first, membership=bytes(32))]))
    found = await outcome(paper, bases)
    assert isinstance(found, SignedRoster), found
    assert len(found.inputs.entries) == 0


@pytest.mark.parametrize("shown", [b"", b"\xff" * 88, bytes(87)])
async def test_a_part_other_than_the_list_names_is_refused(
    paper: PaperCommunity, bases: list[RosterBasis], shown: bytes
) -> None:
    """Whoever signs one list could else have others count by another."""
    step = part_step(bases[0], 0)
    line = pack_line(bases[0].lines.submission(0), b"c" * 32, b"m" * 16, 7)
    bases[LIAR] = holding(
        bases[LIAR], bases[LIAR].lines.with_parts({bases[0].lines.part_prefix(0): np.frombuffer(line, LINE)})
    )
    found = await outcome(paper, bases, saying(step, shown))
    assert refused(found) == (LIAR, "the part that its list names")


@pytest.mark.parametrize("shown", [b"\xff" * 88 * 2, bytes(87)], ids=["the same line twice", "half a line"])
async def test_a_part_without_sorted_lines_is_refused(
    paper: PaperCommunity, bases: list[RosterBasis], shown: bytes
) -> None:
    prefix = 0xFF
    parts = list(bases[LIAR].own_list.parts)
    parts[prefix] = digest_of(shown)
    bases[LIAR] = holding(bases[LIAR], bases[LIAR].lines, parts=tuple(parts))
    found = await outcome(paper, bases, saying(f"roster list, part {prefix}", shown))
    assert refused(found) == (LIAR, "lines of a list")


@pytest.mark.parametrize("more", [1, -1])
async def test_a_list_that_miscounts_its_lines_is_refused(
    paper: PaperCommunity, bases: list[RosterBasis], more: int
) -> None:
    count = len(bases[LIAR].lines)
    bases[LIAR] = holding(bases[LIAR], bases[LIAR].lines, count=count + more)
    assert refused(await outcome(paper, bases)) == (LIAR, f"{count + more} submissions")


async def test_a_list_longer_than_it_says_is_refused_before_all_of_it_is_kept(
    paper: PaperCommunity, bases: list[RosterBasis]
) -> None:
    """Else a party could make others hold 256 messages of the largest size."""
    prefix = bases[0].lines.part_prefix(0)
    many = RosterLines.pack(
        ListedSubmission(bytes([prefix]) + number.to_bytes(31, "big"), b"m" * 16, number, bytes(32))
        for number in (1, 2)
    )
    bases[LIAR] = holding(bases[LIAR], bases[LIAR].lines.with_parts({prefix: many.lines}), count=1)
    found = await outcome(paper, bases)
    assert refused(found) == (LIAR, "at most 1 submissions")
