"""The whole story of one study in a town, and how it ended for everybody.

Nine members submit; one corrects its figures, one withdraws, one is revoked: seven count. The study is closed
before its time, its inputs are checked, a researcher asks, everybody verifies. At the end of each part a hostile
gateway lets go of what it kept back.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mpc_cde.client.evidence import gather_evidence
from mpc_cde.client.member import own_evidence
from mpc_cde.client.query import EnrolledResearcher, query_status
from mpc_cde.client.receipts import read_receipts
from mpc_cde.client.verification import (
    verify_checked_roster,
    verify_own_place,
    verify_result,
    verify_roster,
)
from mpc_cde.documents.amendment import Amendment
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.revocation import Revocation
from mpc_cde.errors import MpcCdeError
from parties.gateway_client import PartyGateway
from tests.hostile.feed_lines import Fault, FeedLine
from tests.hostile.town import (
    PATIENCE_SECONDS,
    URL,
    Town,
    TownCommunity,
    honest_submission,
    paper_town,
    plain_values,
    published_values,
)
from tests.mpc_cde.client.paper import signed

MEMBERS = 9
CORRECTS, REVOKED, WITHDRAWS = 5, 7, 8
COUNTED = frozenset(range(MEMBERS)) - {REVOKED, WITHDRAWS}


@dataclass(frozen=True, slots=True)
class Blocked:
    """What somebody is told when the story cannot go on: `who` is "party 2", "member 3" or "researcher"."""

    who: str
    told: str


@dataclass(frozen=True, slots=True)
class Ending:
    """What everybody has in the end: verified values or none; each member's row or what it was told."""

    values: Mapping[str, tuple[str, ...] | str] | None
    researcher: str
    members: Mapping[int, str]

    @property
    def counted(self) -> frozenset[int]:
        """Members that verified their own row."""
        return frozenset(number for number, told in self.members.items() if told.startswith("row "))

    def is_plain_over(self, numbers: Iterable[int]) -> bool:
        """Whether these members count, no others, and the values are those of the plain calculation."""
        counted = frozenset(numbers)
        return self.counted == counted and self.values == plain_values(counted)


class Story:
    """One run; `lines` are the feeds that the gateway meddles with."""

    def __init__(self, town: Town, lines: Sequence[FeedLine] = (), blocked: Blocked | None = None) -> None:
        self.town = town
        self.lines = tuple(lines)
        self.blocked = blocked
        self.ends_early = False
        self.corrected: set[int] = set()

    @property
    def paper(self) -> TownCommunity:
        return self.town.paper

    async def tell(self) -> Ending:
        """All parts in order, to wherever they lead."""
        await self.found()
        await self.submit()
        await self.close()
        await self.ask()
        return await self.end()

    async def found(self) -> None:
        await self.town.found()
        await self.post("amendments", amendment(self.paper))
        await self.rest()

    async def submit(self) -> None:
        await self.town.submit(range(MEMBERS))
        await self.rest()
        async with self.town.connection(f"member {CORRECTS}") as connection:
            await connection.calls.submit(honest_submission(self.paper, CORRECTS, sequence=2).parts())
        self.corrected.add(CORRECTS)
        await self.town.withdraw(WITHDRAWS)
        await self.post("revocations", revocation(self.paper, REVOKED))
        await self.rest()

    async def close(self) -> None:
        await self.town.close()
        await self.rest()
        await self.close_is_done()

    async def close_is_done(self) -> None:
        everybody = range(self.paper.m)
        await self.until(lambda: all(self.town.kept_by(p, "checked-roster/v1") for p in everybody))
        await self.rest()

    async def ask(self) -> None:
        if self.ends_early:
            return
        self.query = self.paper.asked()
        await self.post("queries", self.query)
        await self.rest()
        everybody = range(self.paper.m)
        # Who has read the query has nothing to send until it has decided, a moment later; only then may what
        # becomes of decisions come.
        await self.until(lambda: all(self.town.has_decided(p) for p in everybody))
        await self.rest()
        await self.until(lambda: all(self.town.kept_by(p, "result/v1") for p in everybody))
        await self.rest()

    async def post(self, collection: str, envelope: Envelope) -> None:
        async with PartyGateway(URL, transport=self.town.wire("office"), attempts=1) as office:
            await office.post(f"/v1/{collection}", envelope)

    async def rest(self) -> None:
        """Until everybody has read what there is; then what was kept back comes."""
        await self.town.settle()
        while sum(line.let_go() for line in self.lines):
            await self.town.settle()

    async def until(self, ready: object) -> None:
        """Until it is so, or the one who is to be told that it cannot be is told."""
        assert callable(ready)
        loop = asyncio.get_running_loop()
        give_up = loop.time() + PATIENCE_SECONDS
        while not self.ends_early and not ready():
            if self.blocked is not None and re.search(self.blocked.told, await self.told(self.blocked.who)):
                self.ends_early = True
            if loop.time() > give_up:
                said = "\n".join(f"party {n.node.index}\n{n.said()[-1500:]}" for n in self.town.nodes)
                raise TimeoutError(f"the story does not go on\n{said}")
            await asyncio.sleep(0.02)

    # what everybody is told -------------------------------------------------------------------------------

    async def told(self, who: str) -> str:
        kind, _, number = who.partition(" ")
        if kind == "party":
            return self.town.nodes[int(number)].said()
        if kind == "member":
            return await self.member_told(int(number))
        return await self.researcher_told()

    async def member_told(self, number: int) -> str:
        """Its row after everything under it was verified, or the words that it reads instead."""
        sequence = 2 if number in self.corrected else 1
        digest = honest_submission(self.paper, number, sequence).envelope
        async with self.town.connection(f"member {number}") as connection:
            try:
                study = await connection.verified_study(self.paper.terms_digest)
                status = await read_receipts(connection, study, digest.digest())
                if not status.is_complete:
                    return status.describe()
                file = await connection.calls.study(self.paper.terms_digest)
                if file.roster is None or file.checked_roster is None:
                    return f"{status.describe()} There is no checked roster yet."
                roster = verify_roster(study, file.roster)
                checked = verify_checked_roster(study, roster, file.checked_roster)
                member = self.town.member(number, connection)
                own = await own_evidence(connection, study, member, digest, reader=self.town.reader(number))
                return f"row {verify_own_place(study, roster, checked, own)}"
            except MpcCdeError as error:
                return str(error)

    async def researcher_told(self) -> str:
        return await self.query_told(self.paper.asked())

    async def query_told(self, query: Envelope, *, asker: EnrolledResearcher | None = None) -> str:
        """How a query stands, as its researcher reads it."""
        reader = self.town.reader_of((asker or self.paper.asker()).signing_key)
        async with self.town.connection("researcher") as connection:
            try:
                study = await connection.verified_study(self.paper.terms_digest)
                return (await query_status(connection, study, query.digest(), reader=reader)).describe()
            except MpcCdeError as error:
                return str(error)

    async def end(self) -> Ending:
        members = {number: await self.member_told(number) for number in range(self.paper.members)}
        return Ending(await verified_values(self.town), await self.researcher_told(), members)


async def verified_values(town: Town) -> Mapping[str, tuple[str, ...] | str] | None:
    """The one result that is published, after everything under it was verified; None if there is none."""
    async with town.connection("researcher") as connection:
        listed = await connection.calls.results(town.reader())
        assert len(listed) <= 1
        if not listed:
            return None
        asker = town.paper.asker().envelope
        evidence = await gather_evidence(connection, listed[0].result, reader=town.reader(), asker=asker)
        return published_values(verify_result(evidence, town.paper.fingerprint).cells)


def amendment(paper: TownCommunity) -> Envelope:
    """Every party lets the study close a month later."""
    document = Amendment(
        study_terms=paper.terms_digest,
        previous=paper.study.digest(),
        presentation=paper.study.presentation.model_copy(update={"closes": "2027-02-01T00:00:00Z"}),
    )
    return signed(document, paper.party_keys)


def revocation(paper: TownCommunity, number: int) -> Envelope:
    document = Revocation(
        community=paper.community.digest(),
        kind="member",
        subject=paper.membership(number).member,
        reason="The key was stolen.",
        time="2026-06-01T12:00:00Z",
    )
    return signed(document, [paper.registrar_keys[0]])


def run_with_feeds(
    directory: Path,
    faults: Mapping[int, Sequence[Fault]],
    *,
    blocked: Blocked | None = None,
) -> Ending:
    """The whole story with these faults on the feeds of these parties."""
    lines = {party: FeedLine(tuple(own)) for party, own in faults.items()}
    paper = paper_town(MEMBERS)

    async def run() -> Ending:
        town = Town(
            directory, paper=paper, meddlers={f"party {party}": line for party, line in lines.items()}
        )
        async with town.running():
            return await Story(town, tuple(lines.values()), blocked).tell()

    return asyncio.run(run())
