"""Members with a modified client: only the offender is refused, and it is told why; the rest is computed.

All offenders act in one town at once; the long version gives each a town of its own. What the gateway refuses it
then lets through to the parties all the same, as a gateway would that is in league with the offender.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mpc_cde.client.member import own_evidence
from mpc_cde.client.receipts import read_receipts
from mpc_cde.client.verification import verify_checked_roster, verify_own_place, verify_roster
from mpc_cde.documents.receipt import Receipt
from mpc_cde.errors import MpcCdeError, NotFound
from mpc_cde.feed_format import FeedFrame
from tests.checks.attack_tables import attacks_of
from tests.hostile.feed_lines import Fault, FeedLine
from tests.hostile.members import OFFENCES, Offence, Sent
from tests.hostile.story import Story, verified_values
from tests.hostile.town import Town, paper_town, plain_values

HONEST = range(7)
FIRST_OFFENDER = 7
MEMBERS = FIRST_OFFENDER + len(OFFENCES)
STOPPED_AT_THE_GATEWAY = [offence for offence in OFFENCES if offence.refused_by == "gateway"]
NUMBER_OF = {offence.row.name: FIRST_OFFENDER + place for place, offence in enumerate(OFFENCES)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a town with offenders ended: what each was told, and the reasons in the parties' receipts."""

    told: Mapping[str, str]
    receipts: Mapping[str, tuple[str, ...]]
    honest: Mapping[int, str]
    values: Mapping[str, Any] | None

    @property
    def honest_count(self) -> int:
        return sum(told.startswith("row ") for told in self.honest.values())


async def _row_or_words(town: Town, number: int, sent: Sent) -> str:
    """What a member reads after everything: its row, or why it has none."""
    async with town.connection() as connection:
        try:
            study = await connection.verified_study(town.paper.terms_digest)
            status = await read_receipts(connection, study, sent.digest)
            if not status.is_complete:
                return status.describe()
            file = await connection.calls.study(town.paper.terms_digest)
            assert file.roster is not None
            assert file.checked_roster is not None
            roster = verify_roster(study, file.roster)
            checked = verify_checked_roster(study, roster, file.checked_roster)
            own = await own_evidence(
                connection,
                study,
                town.member(number, connection),
                sent.document,
                reader=town.reader(number),
            )
            return f"row {verify_own_place(study, roster, checked, own)}"
        except MpcCdeError as error:
            return str(error)


def _receipts(town: Town, digest: bytes) -> tuple[str, ...]:
    """Each party's answer by its store: "accepted", the code of the refusal, or "no receipt"."""
    found = []
    for node in town.nodes:
        with node.node.store.reading() as view:
            own = view.documents(Receipt.type_name(), subject=digest, party=node.node.index)
        receipts = [stored.parse(Receipt) for stored in own]
        assert len(receipts) <= 1
        found.append((receipts[0].reason or receipts[0].verdict) if receipts else "no receipt")
    return tuple(found)


async def _tell(directory: Path, offences: Sequence[Offence]) -> Outcome:
    paper = paper_town(MEMBERS)
    lines = [FeedLine([Fault()]) for _ in range(paper.m)]
    town = Town(directory, paper=paper, meddlers={f"party {p}": line for p, line in enumerate(lines)})
    sent = {o.row.name: o.make(paper, NUMBER_OF[o.row.name]) for o in offences}
    told: dict[str, str] = {}
    async with town.running():
        story = Story(town, lines)
        await town.found(members=[*HONEST, *(NUMBER_OF[offence.row.name] for offence in offences)])
        await story.rest()
        await town.submit(HONEST)
        for offence in offences:
            name = offence.row.name
            async with town.connection() as connection:
                try:
                    await connection.calls.submit(sent[name].parts())
                except (MpcCdeError, NotFound) as error:
                    told[name] = str(error)
        await story.rest()
        for name in told:
            for party, line in enumerate(lines):
                line.put(FeedFrame(1, "submission/v1", sent[name].document, sent[name].parts_for(party)))
        await story.rest()
        await story.close()
        await story.ask()
        for offence in offences:
            name = offence.row.name
            if name not in told:
                told[name] = await _row_or_words(town, NUMBER_OF[name], sent[name])
        receipts = {name: _receipts(town, made.digest) for name, made in sent.items()}
        honest = {number: await story.member_told(number) for number in HONEST}
        return Outcome(told, receipts, honest, await verified_values(town))


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return asyncio.run(_tell(tmp_path_factory.mktemp("town"), OFFENCES))


def assert_only_the_offender_is_refused(offence: Offence, outcome: Outcome) -> None:
    name = offence.row.name
    assert offence.told in outcome.told[name]
    if offence.refused_by == "checked roster":
        assert outcome.receipts[name] == ("accepted",) * 3
    elif offence.refused_by == "receipt":
        expected = tuple(offence.code if party in offence.parties else "accepted" for party in range(3))
        assert outcome.receipts[name] == expected
    assert outcome.honest_count == len(HONEST)
    assert outcome.values == plain_values(HONEST)


@pytest.mark.parametrize("offence", OFFENCES, ids=lambda o: o.row.name)
def test_offender_alone_is_refused_and_told(offence: Offence, outcome: Outcome) -> None:
    assert_only_the_offender_is_refused(offence, outcome)


@pytest.mark.parametrize("offence", STOPPED_AT_THE_GATEWAY, ids=lambda o: o.row.name)
def test_parties_refuse_what_a_complicit_gateway_lets_through(offence: Offence, outcome: Outcome) -> None:
    expected = offence.code
    if offence.row.name == "anothers_submission_signed_again":
        expected = "accepted"  # of the true one, which has the same digest and came with its own signature
    assert outcome.receipts[offence.row.name] == (expected,) * 3


@pytest.mark.long
@pytest.mark.parametrize("offence", OFFENCES, ids=lambda o: o.row.name)
def test_offender_in_a_town_of_its_own(offence: Offence, tmp_path: Path) -> None:
    assert_only_the_offender_is_refused(offence, asyncio.run(_tell(tmp_path, [offence])))


ATTACKS = attacks_of([offence.row for offence in OFFENCES], test_offender_alone_is_refused_and_told)
