"""A real gateway application in this process, and the parties of a paper community that post to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from mpc_cde.body_parts import DOCUMENT_PART, ENTRIES_PART, JSON_MEDIA_TYPE, entries_content
from mpc_cde.client.connection import Connection, connect
from mpc_cde.client.gateway_calls import GatewayCalls
from mpc_cde.client.home import CommunityHome
from mpc_cde.client.http import GatewayClient
from mpc_cde.client.member import Member
from mpc_cde.documents.checked_roster import CheckedRoster, RemovedSubmission
from mpc_cde.documents.closing import Closing
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.query import Query
from mpc_cde.documents.receipt import Receipt
from mpc_cde.documents.result import Cell, Result
from mpc_cde.documents.roster import Roster, RosterEntry, roster_of, sorted_entries
from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.gateway.app import create_app
from mpc_cde.gateway.settings import GatewaySettings
from mpc_cde.gateway.store import Store
from mpc_cde.reader_signatures import SignedReader
from mpc_cde.secret_files import make_private_directory
from protocols.catalog import specification
from protocols.randomness import SystemRandomness
from tests.mpc_cde.client.paper import PaperCommunity, secret, signed

URL = "http://127.0.0.1:8080"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass
class PaperGateway:
    """The application over a real store, by a clock that stands at NOW; requests do not leave the process."""

    paper: PaperCommunity
    transport: httpx.ASGITransport
    store: Store

    @asynccontextmanager
    async def connection(self, home: CommunityHome | None = None) -> AsyncIterator[Connection]:
        fingerprint = self.paper.fingerprint
        async with connect(URL, fingerprint=fingerprint, home=home, transport=self.transport) as connection:
            yield connection

    async def post(self, collection: str, *envelopes: Envelope) -> None:
        async with GatewayClient(URL, transport=self.transport, attempts=1) as client:
            for envelope in envelopes:
                await GatewayCalls(client).post(collection, envelope)

    async def found(self) -> None:
        """The community, its members, and the study with every approval."""
        paper = self.paper
        await self.post("communities", paper.community_envelope)
        await self.post("memberships", *(paper.membership_envelope(n) for n in range(paper.members)))
        await self.post("studies", paper.study_envelope)
        await self.post("approvals", *paper.approvals)

    async def answer(
        self, submission: bytes, *, verdict: str = "accepted", parties: int | None = None
    ) -> None:
        """Receipts of the first `parties` parties."""
        for party in range(self.paper.m if parties is None else parties):
            refused = verdict == "refused"
            receipt = Receipt.model_validate(
                {
                    "study_terms": self.paper.study.terms_digest(),
                    "submission": submission,
                    "party": party,
                    "verdict": verdict,
                    "reason": "study_closed" if refused else None,
                    "explanation": "The study is closed." if refused else None,
                }
            )
            await self.post("receipts", signed(receipt, [self.paper.party_keys[party]]))

    async def freeze(self, entries: list[RosterEntry], *, removed: tuple[bytes, ...] = ()) -> CheckedRoster:
        """Close, sign the roster, sign the checked roster, as all parties would."""
        paper, terms = self.paper, self.paper.study.terms_digest()
        closing = Closing(study_terms=terms, steward="steward", time="2026-06-01T12:00:00Z")
        await self.post("closings", signed(closing, [paper.steward_key, *paper.party_keys]))
        roster: Roster = roster_of(terms, entries, registrars={"registrar_0": len(entries)})
        document = (DOCUMENT_PART, signed(roster, paper.party_keys).to_json(), JSON_MEDIA_TYPE)
        rows = entries_content(RosterRows.pack(sorted_entries(entries)))
        async with GatewayClient(URL, transport=self.transport, attempts=1) as client:
            await client.post_parts("/v1/signatures", [document, (ENTRIES_PART, rows, JSON_MEDIA_TYPE)])
        checked = CheckedRoster(
            study_terms=terms,
            roster=roster.digest(),
            removed=tuple(
                RemovedSubmission(submission=digest, fault="malformed_encoding") for digest in sorted(removed)
            ),
            parties=paper.session,
        )
        await self.post("signatures", signed(checked, [paper.party_keys[j] for j in paper.session]))
        return checked

    async def decide(
        self, query: Envelope, checked: CheckedRoster, *, refusing: tuple[int, ...] = ()
    ) -> None:
        for party in range(self.paper.m):
            no = party in refusing
            decision = Decision(
                study_terms=self.paper.study.terms_digest(),
                query=query.digest(),
                checked_roster=checked.digest(),
                party=party,
                answer="no" if no else "yes",
                rule="budget_spent" if no else "study_allows",
                explanation="The budget is spent." if no else "The study allows it.",
            )
            await self.post("decisions", signed(decision, [self.paper.party_keys[party]]))

    async def publish(self, query: Query, checked: CheckedRoster, *, contributors: int) -> Result:
        """A result that answers counts and withholds everything else, signed by the session."""
        result = Result(
            job=secret("job"),
            study_terms=query.study_terms,
            checked_roster=checked.digest(),
            query=query.digest(),
            cells=tuple(
                Cell(
                    function=item.function,
                    figures=item.figures,
                    group=item.group,
                    parameters=item.parameters,
                    values=(str(contributors),) if item.function == "count@1" else None,
                    withheld=None if item.function == "count@1" else "disclosure",
                    contributors=contributors if item.function == "count@1" else None,
                    definition=specification(item.function).definition,
                )
                for item in query.items
            ),
            engine="passive",
            parties=self.paper.session,
            time="2026-06-01T12:00:00Z",
        )
        keys = [self.paper.party_keys[j] for j in self.paper.session]
        await self.post("signatures", signed(result, keys))
        return result

    def member(self, number: int, connection: Connection) -> Member:
        envelope = self.paper.membership_envelope(number)
        return Member.certified(self.paper.member_key(number), envelope, connection)

    def reader(self, number: int | None = None) -> SignedReader:
        """A member, or the researcher, reading at NOW."""
        key = self.paper.researcher_key if number is None else self.paper.member_key(number)
        return SignedReader(key, randomness=SystemRandomness(), clock=lambda: NOW)


@asynccontextmanager
async def paper_gateway(directory: Path, paper: PaperCommunity) -> AsyncIterator[PaperGateway]:
    """A gateway that knows nothing yet, its store in `directory`."""
    home = directory / "gateway"
    make_private_directory(home)
    settings = GatewaySettings(home=home)
    store = Store.open(settings.database_url)
    try:
        app = create_app(settings, store, clock=lambda: NOW)
        yield PaperGateway(paper, httpx.ASGITransport(app=app), store)
    finally:
        store.close()
