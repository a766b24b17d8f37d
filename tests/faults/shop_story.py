"""One story with every kind of submission, told member by member, and what must be true of it in the end.

Ten members; each figure is a power of two, so that a submission that is lost, or counts twice, shows in the sum. One
member corrects its figure, one withdraws, one shares numbers that are no indicators.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

from mpc_cde.body_parts import CORRECTION_PART, DOCUMENT_PART, JSON_MEDIA_TYPE, RAW_MEDIA_TYPE, envelope_part
from mpc_cde.client.http import GatewayClient
from mpc_cde.documents.approval import Approval
from mpc_cde.documents.authority import (
    open_from_all_parties,
    open_from_computing_parties,
    open_from_party,
)
from mpc_cde.documents.checked_roster import CheckedRoster
from mpc_cde.documents.complaint import GIVEN_UP_STEP, Complaint
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.query import Query
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.result import Result
from mpc_cde.documents.roster import Roster
from mpc_cde.documents.study import Study
from mpc_cde.encodings import encodings_of
from mpc_cde.errors import PeerError, TransportError
from protocols.encoding import encode_submission
from tests.faults.memory_town import GATEWAY_URL, MemoryTown, Wire
from tests.faults.what_must_hold import verify_party
from tests.mpc_cde.client.paper import PaperCommunity, secret, signed
from tests.parties.paper_node import PaperSubmission, make_submission

MEMBERS = 10
CORRECTED, WITHDRAWN, MALFORMED = 5, 7, 3
AFTER_CLOSING = datetime(2027, 1, 1, 1, 0, tzinfo=UTC)
EXPIRES = "2027-06-01T00:00:00Z"


def figure_of(number: int, sequence: int) -> int:
    return 1 << (number if sequence == 1 else MEMBERS + 1)


@cache
def community_with(study: str = "Shops on paper") -> PaperCommunity:
    """The same keys, parties and members every time; a study of that title."""
    paper = PaperCommunity()
    terms = paper.study.terms.model_copy(update={"title": study})
    paper.study = Study(terms=terms, presentation=paper.study.presentation, steward="steward")
    paper.study_envelope = signed(paper.study, [paper.steward_key])
    paper.approvals = tuple(
        signed(
            Approval(
                study=paper.study.digest(),
                study_terms=paper.study.terms_digest(),
                party=j,
                sealing_key=paper.sealing_keys[j].public,
            ),
            [paper.party_keys[j]],
        )
        for j in range(paper.m)
    )
    return paper


@cache
def paper_submission(number: int, sequence: int, study: str) -> PaperSubmission:
    """What member `number` hands in; the same bytes in every story."""
    paper = community_with(study)
    vector = None
    if number != MALFORMED:
        sales = Decimal(figure_of(number, sequence))
        vector = encode_submission(encodings_of(paper.study.terms), [sales, None])
    replaces = None if sequence == 1 else paper_submission(number, sequence - 1, study).digest
    return make_submission(paper, number, sequence=sequence, replaces=replaces, vector=vector)


@dataclass
class ShopStory:
    """Everybody who is no party: registrar, steward, members, a researcher; each tries until it is acknowledged."""

    town: MemoryTown
    paper: PaperCommunity = field(default_factory=community_with)
    acknowledged: list[PaperSubmission] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    asked_in_vain: list[Query] = field(default_factory=list)

    @property
    def study(self) -> bytes:
        """The digest of its terms."""
        return self.paper.study.terms_digest()

    def submission(self, number: int, sequence: int = 1) -> PaperSubmission:
        return paper_submission(number, sequence, self.paper.study.terms.title)

    # what people do --------------------------------------------------------------------------------------

    async def post(self, collection: str, *envelopes: Envelope) -> None:
        """Hand documents in, again and again until the gateway has them."""
        for envelope in envelopes:
            await self._send(f"/v1/{collection}", [(DOCUMENT_PART, envelope.to_json(), JSON_MEDIA_TYPE)])

    async def _send(self, path: str, parts: Sequence[tuple[str, bytes, str]]) -> None:
        async with GatewayClient(GATEWAY_URL, transport=Wire(self.town.gateway), attempts=1) as client:
            while True:
                try:
                    if len(parts) == 1:
                        await client.post(path, Envelope.parse_json(parts[0][1]))
                    else:
                        await client.post_parts(path, parts)
                except TransportError:
                    await asyncio.sleep(0.01)
                    continue
                return

    def note_collected(self) -> None:
        """Everything that `collect` hands in is acknowledged: the town begins with a copy of its directories."""
        self.acknowledged = [
            *(self.submission(number) for number in range(MEMBERS)),
            self.submission(CORRECTED, 2),
        ]

    async def submit(self, number: int, sequence: int = 1) -> None:
        """The gateway has acknowledged it when this returns."""
        made = self.submission(number, sequence)
        parts = [
            (DOCUMENT_PART, made.envelope.to_json(), JSON_MEDIA_TYPE),
            (CORRECTION_PART, made.correction, RAW_MEDIA_TYPE),
            *((envelope_part(j), sealed, RAW_MEDIA_TYPE) for j, sealed in enumerate(made.sealed)),
        ]
        await self._send("/v1/submissions", parts)
        self.acknowledged.append(made)

    async def found(self) -> None:
        """Community, researcher, study and memberships are at the gateway."""
        paper = self.paper
        await self.post("communities", paper.community_envelope)
        await self.post("studies", paper.study_envelope)
        await self.post("approvals", *paper.approvals)
        await self.post("memberships", *(paper.membership_envelope(number) for number in range(MEMBERS)))
        await self.post("researchers", signed(paper.researcher(), paper.party_keys))

    async def collect(self) -> None:
        """Every member has a receipt of every party for what it handed in."""
        for number in range(MEMBERS):
            await self.submit(number)
        await self.submit(CORRECTED, 2)
        await self.post("withdrawals", self.paper.withdrawal(WITHDRAWN))
        await self.town.until(
            lambda: len(self.receipts()) == self.paper.m * len(self.acknowledged), "receipts"
        )
        await self.town.until(lambda: self._everybody_holds("withdrawal/v1"), "the withdrawal at every party")
        await self.town.until(
            lambda: len(self.documents("withdrawal-receipt/v1")) == self.paper.m, "receipts of the withdrawal"
        )

    async def close(self, *, at: datetime = AFTER_CLOSING) -> None:
        """The study is over; the parties find that out themselves, and check the inputs."""
        self.town.set_clocks(max(at, self.town.gateway.clock.now))
        for node in self.town.nodes:
            if node.conductor is not None:
                node.conductor.wake()
        await self.town.until(lambda: self.documents("checked-roster/v1"), "the checked roster")

    async def ask(self, number: int = 0) -> Query:
        """A researcher's query is at the gateway."""
        query = self.paper.query().model_copy(
            update={"study_terms": self.study, "expires": EXPIRES, "nonce": secret(f"query {number}")[:16]}
        )
        self.queries.append(query)
        await self.post("queries", signed(query, [self.paper.researcher_key]))
        return query

    async def answered(self, *, asks_again: bool = False) -> None:
        """Every query has its result, at the gateway and at every party.

        `asks_again` where more stops than a query has attempts: one that the parties give up is asked anew.
        """
        while True:
            await self.town.until(
                lambda: self._is_answered() or (asks_again and self._given_up()), "the results"
            )
            given_up = self._given_up() if asks_again else []
            if not given_up:
                break
            self.queries = [query for query in self.queries if query not in given_up]
            self.asked_in_vain += given_up
            await self.ask(len(self.queries) + len(self.asked_in_vain))
        await self.is_quiet()

    def _given_up(self) -> list[Query]:
        """Queries that every party says it has given up."""
        said = [open_envelope(envelope, Complaint) for envelope in self.documents(Complaint.type_name())]
        return [
            query
            for query in self.queries
            if {each.party for each in said if each.step == GIVEN_UP_STEP and query.digest() in each.evidence}
            == set(range(self.paper.m))
        ]

    async def is_quiet(self) -> None:
        """Nobody has anything left to send."""
        await self.town.until(self._outboxes_are_empty, "empty outboxes")

    async def tell(self, *, asks_again: bool = False) -> None:
        """From the first document to the result."""
        await self.found()
        await self.collect()
        await self.close()
        await self.ask()
        await self.answered(asks_again=asks_again)

    # what is seen ----------------------------------------------------------------------------------------

    def documents(self, type_name: str) -> list[Envelope]:
        """What the gateway holds of a type about the study; on its disk, whether it runs now or not."""
        store = self.town.gateway.store
        if store is None:
            return []
        with store.reading() as view:
            return [stored.envelope for stored in view.documents(type_name, study=self.study)]

    def receipts(self) -> list[Receipt]:
        return [
            open_from_party(envelope, Receipt, self.paper.community)
            for envelope in self.documents("receipt/v1")
        ]

    def results(self, query: Query) -> list[Result]:
        """Complete ones."""
        found = []
        for envelope in self.documents("result/v1"):
            try:
                result = open_from_computing_parties(envelope, Result, self.paper.community)
            except PeerError:
                continue
            if result.query == query.digest():
                found.append(result)
        return found

    def everybody_checked(self) -> bool:
        """Whether every party holds the checked roster."""
        return self._everybody_holds("checked-roster/v1")

    def _everybody_holds(self, type_name: str) -> bool:
        for node in self.town.nodes:
            with node.looking() as view:
                if not view.documents(type_name, study=self.study):
                    return False
        return True

    def _is_answered(self) -> bool:
        if not all(self.results(query) for query in self.queries):
            return False
        for node in self.town.nodes:
            with node.looking() as view:
                held = {stored.subject for stored in view.documents("result/v1")}
                if not {query.digest() for query in self.queries} <= held:
                    return False
        return True

    def _outboxes_are_empty(self) -> bool:
        for node in self.town.nodes:
            with node.looking() as view:
                if view.outbox("pending"):
                    return False
        return True

    # what must be true -----------------------------------------------------------------------------------

    def verify(self) -> None:
        """Nothing acknowledged is lost, nothing counts twice, one roster, everything signed and chained."""
        self._verify_receipts()
        roster = self._verify_rosters()
        self._verify_results(roster)
        for node in self.town.nodes:
            self._verify_node(node.index)
        for machine in self.town.machines:
            assert not machine.loose, f"{machine.name}: a power failure would take what others rely on"

    def _verify_receipts(self) -> None:
        given = [(receipt.party, receipt.submission) for receipt in self.receipts()]
        assert len(given) == len(set(given)), "a party gave two receipts for one submission"
        assert all(receipt.accepted for receipt in self.receipts())
        wanted = {(party, made.digest) for party in range(self.paper.m) for made in self.acknowledged}
        assert set(given) == wanted, "an acknowledged submission lacks a receipt"
        promised = [
            open_from_party(envelope, WithdrawalReceipt, self.paper.community).party
            for envelope in self.documents("withdrawal-receipt/v1")
        ]
        assert sorted(promised) == list(range(self.paper.m)), "an acknowledged withdrawal lacks a receipt"

    def _verify_rosters(self) -> bytes:
        rosters = self.documents("roster/v1")
        assert len(rosters) == 1, "parties signed different rosters"
        roster = open_from_all_parties(rosters[0], Roster, self.paper.community)
        assert roster.count == MEMBERS - 1
        checked = self.documents("checked-roster/v1")
        assert len(checked) == 1
        opened = open_from_computing_parties(checked[0], CheckedRoster, self.paper.community)
        assert opened.roster == rosters[0].digest()
        assert [entry.submission for entry in opened.removed] == [self.submission(MALFORMED).digest]
        return checked[0].digest()

    def _verify_results(self, checked_roster: bytes) -> None:
        counted = [n for n in range(MEMBERS) if n not in (WITHDRAWN, MALFORMED)]
        total = sum(figure_of(n, 2 if n == CORRECTED else 1) for n in counted)
        for query in self.queries:
            found = self.results(query)
            assert {result.checked_roster for result in found} == {checked_roster}
            for result in found:
                cells = {(cell.function, cell.figures, cell.group is None): cell for cell in result.cells}
                assert cells["count@1", ("sales",), True].values == (str(len(counted)),)
                assert cells["sum@1", ("sales",), True].values == (str(total),)
            assert len({result.cells for result in found}) == 1

    def _verify_node(self, index: int) -> None:
        node = self.town.nodes[index]
        with node.looking() as view:
            verify_party(
                view,
                log=node.home.log_path,
                key=self.paper.party_keys[index].public_bytes,
                study=self.study,
                acknowledged={made.digest for made in self.acknowledged},
                queries={query.digest() for query in self.queries},
            )
