"""The acts of the story, from the first party card to a verified result; each is timed and told.

Whatever a person would type is done here with the client, in the demo's own process; whatever an organisation
runs is a process of its own.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
from anyio import to_thread

from mpc_cde.body_parts import MAX_DOCUMENTS
from mpc_cde.client.connection import Connection, connect
from mpc_cde.client.enrolment import RegisterRow, draft_researcher
from mpc_cde.client.home import Home
from mpc_cde.client.member import Member, own_evidence, submit_figures
from mpc_cde.client.membership_ledger import MembershipLedger, countersign_memberships
from mpc_cde.client.own_place import OWN_RANK, ask_own_place, choose_own_items, open_own_places
from mpc_cde.client.query import (
    EnrolledResearcher,
    QueryDeclined,
    QueryStatus,
    choose_items,
    make_query,
    run_query,
)
from mpc_cde.client.receipts import wait_for_receipts
from mpc_cde.client.role_cards import ResearcherRequest
from mpc_cde.client.stewardship import propose_closing, propose_study
from mpc_cde.client.verification import VerifiedResult, VerifiedStudy, verify_result
from mpc_cde.demo.cast import Cast, ResearcherKeys, each, make_researcher, names_of
from mpc_cde.demo.machines import Machines, open_machines
from mpc_cde.demo.material import Material, MemberRow
from mpc_cde.demo.node_logs import job_bytes, last_failure, log_entries
from mpc_cde.demo.places import AskedPlaces
from mpc_cde.demo.report import Narrator
from mpc_cde.documents.community import format_fingerprint
from mpc_cde.documents.envelope import Envelope, sign_document
from mpc_cde.documents.p_percent import PPercent
from mpc_cde.documents.query import QueryItem
from mpc_cde.errors import CallerError, DeadlinePassed, NotFound, PeerError
from mpc_cde.keys import SigningKey
from mpc_cde.reader_signatures import SignedReader
from mpc_cde.sealing import SealingPrivateKey
from mpc_cde.secret_files import write_secret_file
from protocols.catalog import FUNCTIONS
from protocols.randomness import Randomness

OPEN_FOR = timedelta(days=7)
ASKING_MEMBERS = 3
POLL_SECONDS = 0.1
WAIT_SECONDS = 180.0
RECEIPTS_SECONDS = 120.0
RESULT_SECONDS = 180.0
SECONDS_PER_MEMBER = 0.02
AT_ONCE = 64
"""Members that act at a time, each with a connection of its own: what comes together is kept together."""


@dataclass(frozen=True, slots=True)
class DemoMember:
    """One member on its own machine: keys that nobody else has, and what it was certified as."""

    row: MemberRow
    signing_key: SigningKey
    sealing_key: SealingPrivateKey

    def register_row(self) -> RegisterRow:
        """What the registrar's table says of it."""
        return RegisterRow(
            row=self.row.row,
            signing_key=self.signing_key.public_bytes,
            sealing_key=self.sealing_key.public,
            register_id=self.row.register_id,
            holding=self.row.holding,
            sole_trader=self.row.sole_trader,
            attributes=dict(self.row.attributes),
        )


@dataclass(frozen=True, slots=True)
class Ending:
    """What the story came to; `visitor` is a member whose page a person may look at, its place known if any is."""

    study: VerifiedStudy
    items: tuple[QueryItem, ...]
    result: VerifiedResult
    places: tuple[AskedPlaces, ...]
    bytes_sent_per_party: dict[str, int]
    verified: tuple[str, ...]
    visitor: DemoMember


class StoryStoppedError(CallerError):
    """Something was refused, or did not come, that every act after it depends on."""


@dataclass(slots=True)
class Story:
    """`before_query` is awaited between the checked roster and the query; tests tamper there."""

    cast: Cast
    material: Material
    narrator: Narrator
    randomness: Randomness
    before_query: Callable[[Cast], Awaitable[None]] | None = None

    async def tell(self) -> Ending:
        """All acts in order. Raises MpcCdeError."""
        await self._found_community()
        fingerprint = self.cast.fingerprint
        async with connect(self.cast.gateway_url, fingerprint=fingerprint) as connection:
            members, memberships, researcher = await self._enrol(connection)
            study = await self._agree_on_study(connection)
            submissions = await self._submit(connection, study, members, memberships)
            await self._close(connection, study)
            if self.before_query is not None:
                await self.before_query(self.cast)
            items, result = await self._ask(connection, study, researcher)
            verified = await self._verify_as_member(
                connection, study, result, members, memberships, submissions
            )
            places = await self._ask_for_places(connection, study, members, memberships)
        visitor = members[places[0].number if places else 0]
        return Ending(study, items, result, places, self._bytes_sent(), verified, visitor)

    async def _found_community(self) -> None:
        cast = self.cast
        with self.narrator.phase("community", f"{names_of(cast.parties)} sign the community") as step:
            await cast.of_every_party("approve", str(cast.draft), "--fingerprint", cast.fingerprint)
            await cast.start_nodes()
            await _until(self._community_is_served, "the community signed by every party")
            step.note = f"fingerprint {format_fingerprint(cast.fingerprint)}"

    async def _community_is_served(self) -> bool:
        try:
            async with connect(self.cast.gateway_url, fingerprint=self.cast.fingerprint):
                return True
        except (NotFound, PeerError):
            return False

    async def _enrol(
        self, connection: Connection
    ) -> tuple[list[DemoMember], list[Envelope], EnrolledResearcher]:
        rows = self.material.members
        text = f"two registrars certify {len(rows)} members"
        with self.narrator.phase("enrol", text, total=len(rows)) as step:
            members = [
                DemoMember(
                    row,
                    SigningKey.generate(self.randomness),
                    SealingPrivateKey.generate(self.randomness),
                )
                for row in rows
            ]
            memberships = await to_thread.run_sync(self._certify, connection, members)

            async def post(start: int) -> None:
                part = memberships[start : start + MAX_DOCUMENTS]
                await connection.calls.post_several("memberships", part)
                step.advance(len(part))

            await each(range(0, len(memberships), MAX_DOCUMENTS), post, at_once=2)
            researcher = await self._enrol_researcher(connection)
        return members, memberships, researcher

    def _certify(self, connection: Connection, members: list[DemoMember]) -> list[Envelope]:
        first, second = self.cast.registrar, self.cast.second_registrar
        community = connection.trusted.current
        ledger = MembershipLedger(first.home.community(self.cast.fingerprint).role("registrar"))
        issued, _ = ledger.issue(
            [member.register_row() for member in members],
            community=community,
            signing_key=first.key,
            randomness=self.randomness,
            now=datetime.now(UTC),
            validity_days=365,
        )
        return countersign_memberships(issued, community=community, signing_key=second.key)

    async def _enrol_researcher(self, connection: Connection) -> EnrolledResearcher:
        keys = make_researcher(self.cast.organisations, self.cast.fingerprint, self.randomness)
        request = ResearcherRequest(
            name="Researcher of the demo",
            signing_key=keys.signing_key.public_bytes,
            sealing_key=keys.sealing_key.public,
            functions=tuple(sorted(FUNCTIONS)),
        )
        document = draft_researcher(
            request, community=connection.trusted.current, now=datetime.now(UTC), validity_days=30
        )
        drafted = sign_document(document, self.cast.registrar.key)
        await connection.calls.post("researchers", drafted)
        path = keys.home.root / "researcher.json"
        path.write_bytes(drafted.to_json())
        await self.cast.of_every_party("approve", str(path), "--yes")
        reader = self._reader(keys.signing_key)
        found: list[EnrolledResearcher] = []

        async def is_enrolled() -> bool:
            try:
                envelope = await connection.calls.enrolment(reader)
                found.append(EnrolledResearcher.enrolled(keys.signing_key, envelope, connection))
            except (NotFound, PeerError):
                return False
            return True

        await _until(is_enrolled, "the researcher enrolled by every party")
        _remember(keys, self.cast, found[0].envelope)
        return found[0]

    async def _agree_on_study(self, connection: Connection) -> VerifiedStudy:
        cast = self.cast
        with self.narrator.phase("study", "the steward proposes the study, every party approves") as step:
            now = datetime.now(UTC)
            secret = self._choose_p()
            envelope, study = propose_study(
                self.material.template,
                community=connection.trusted.current,
                signing_key=cast.steward.key,
                opens=now,
                closes=now + OPEN_FOR,
                p_percent=secret,
            )
            await connection.calls.post("studies", envelope)
            path = cast.steward.home.root / "study.json"
            path.write_bytes(envelope.to_json())
            handed = () if secret is None else ("--p-percent", str(self._hand_over(secret)))
            await cast.of_every_party("approve", str(path), "--yes", *handed)
            terms = study.terms_digest()

            async def is_open() -> bool:
                cast.organisations.verify_alive()
                return (await connection.calls.study(terms)).state == "open"

            await _until(is_open, "the study open")
            step.note = study.terms.title
            return await connection.verified_study(terms)

    def _choose_p(self) -> PPercent | None:
        """The p of the study's p% rule with a fresh salt, if it has the rule: the terms only commit to it."""
        p = self.material.p_percent
        return None if p is None else PPercent.choose(p, self.randomness)

    def _hand_over(self, secret: PPercent) -> Path:
        """The file that the steward gives to each party, past the gateway."""
        path = self.cast.steward.home.root / "p-percent.json"
        write_secret_file(path, secret.payload_bytes())
        return path

    async def _submit(
        self,
        connection: Connection,
        study: VerifiedStudy,
        members: list[DemoMember],
        memberships: list[Envelope],
    ) -> list[Envelope]:
        figures = len(study.study.terms.figures)
        sent: list[Envelope | None] = [None] * len(members)
        text = f"{len(members)} members share, seal and submit {figures} figures each"
        url, fingerprint = connection.calls.url, self.cast.fingerprint
        async with open_machines(url, fingerprint=fingerprint, count=AT_ONCE) as machines:
            with self.narrator.phase("submit", text, total=len(members)) as step:

                async def submit(number: int) -> None:
                    member = members[number]
                    with machines.one() as own:
                        certified = Member.certified(member.signing_key, memberships[number], own)
                        prepared = await submit_figures(
                            own, study, certified, member.row.figures, randomness=self.randomness
                        )
                    sent[number] = prepared.envelope

                await each(range(len(members)), submit, at_once=AT_ONCE, on_done=step.advance)
            submissions = [envelope for envelope in sent if envelope is not None]
            await self._await_receipts(machines, study, submissions)
        return submissions

    async def _await_receipts(
        self, machines: Machines, study: VerifiedStudy, submissions: list[Envelope]
    ) -> None:
        parties = len(study.community.cards)
        patience = self._patience(RECEIPTS_SECONDS)
        text = f"every member verifies {parties} receipts"
        with self.narrator.phase("receipts", text, total=len(submissions)) as step:

            async def wait(submission: Envelope) -> None:
                self.cast.organisations.verify_alive()
                with machines.one() as own:
                    status = await wait_for_receipts(
                        own, study, submission.digest(), deadline_seconds=patience
                    )
                if not status.is_complete:
                    raise StoryStoppedError(f"a submission does not count. {status.describe()}")

            await each(submissions, wait, at_once=AT_ONCE, on_done=step.advance)

    async def _close(self, connection: Connection, study: VerifiedStudy) -> None:
        cast, terms = self.cast, study.terms_digest
        with self.narrator.phase("close", "the steward and every party close the study"):
            closing = propose_closing(study, signing_key=cast.steward.key, now=datetime.now(UTC))
            await connection.calls.post("closings", closing)
            await cast.of_every_party("close", study.study.terms.title, "--yes")
        await self._agree_on_roster(connection, terms)

    async def _agree_on_roster(self, connection: Connection, terms: bytes) -> None:
        cast = self.cast
        with self.narrator.phase("roster", "the parties agree on the roster and check every input") as step:

            async def is_checked() -> bool:
                cast.organisations.verify_alive()
                return (await connection.calls.study(terms)).checked_roster is not None

            with self._parties_heard():
                patience = self._patience(RESULT_SECONDS)
                await _until(is_checked, "the checked roster", deadline_seconds=patience)
            step.note = "no fault found"

    async def _ask(
        self, connection: Connection, study: VerifiedStudy, researcher: EnrolledResearcher
    ) -> tuple[tuple[QueryItem, ...], VerifiedResult]:
        items = choose_items(study)
        text = f"a researcher asks for {len(items)} cells; the parties decide and compute"
        with self.narrator.phase("query", text) as step:
            query = make_query(study, researcher, items, randomness=self.randomness)

            def tell(status: QueryStatus) -> None:
                step.note = status.describe()

            with self._parties_heard():
                result = await run_query(
                    connection,
                    study,
                    researcher,
                    query,
                    reader=self._reader(researcher.signing_key),
                    deadline_seconds=self._patience(RESULT_SECONDS),
                    on_change=tell,
                )
            step.note = f"signed by {', '.join(result.signers)}"
        return items, result

    async def _verify_as_member(
        self,
        connection: Connection,
        study: VerifiedStudy,
        result: VerifiedResult,
        members: list[DemoMember],
        memberships: list[Envelope],
        submissions: list[Envelope],
    ) -> tuple[str, ...]:
        """One member follows the result down to its own receipt and its row of the roster."""
        number = len(members) // 2
        with self.narrator.phase("verify", "a member verifies the result down to its own row"):
            member = Member.certified(members[number].signing_key, memberships[number], connection)
            own = await own_evidence(connection, study, member, submissions[number])
            verified = verify_result(replace(result.evidence, own=own), self.cast.fingerprint)
        removed = len(verified.checked_roster.removed)
        if removed:
            raise StoryStoppedError(
                f"{removed} submissions were removed by the input checks; none was expected"
            )
        return (
            f"community {format_fingerprint(self.cast.fingerprint)}, signed by {names_of(self.cast.parties)}",
            f"study proposed by the steward and approved by {study.community.party_count} parties",
            f"roster of {len(members)} submissions, the same list signed by every party, no input at fault",
            f"result signed by {len(result.signers)} parties; every digest leads down to the community",
            f"one member's receipts, its Merkle proof for row {verified.own_row} of {len(members)}",
        )

    async def _ask_for_places(
        self,
        connection: Connection,
        study: VerifiedStudy,
        members: list[DemoMember],
        memberships: list[Envelope],
    ) -> tuple[AskedPlaces, ...]:
        """Some members ask where they stand, if the study tells them; each opens what is sealed to it alone."""
        if not any(function.function == OWN_RANK for function in study.study.terms.functions):
            return ()
        asking = sorted(
            {len(members) * part // (ASKING_MEMBERS + 1) for part in range(1, ASKING_MEMBERS + 1)}
        )
        found: dict[int, AskedPlaces] = {}
        text = f"{len(asking)} members ask for their own place, sealed to each alone"
        with self.narrator.phase("places", text, total=len(asking)) as step, self._parties_heard():

            async def ask(number: int) -> None:
                own = members[number]
                member = Member.certified(own.signing_key, memberships[number], connection)
                result = await run_query(
                    connection,
                    study,
                    member,
                    ask_own_place(study, member, choose_own_items(study, member), randomness=self.randomness),
                    reader=self._reader(own.signing_key),
                    deadline_seconds=RESULT_SECONDS,
                )
                found[number] = AskedPlaces(number, open_own_places(result, member, own.sealing_key))

            await each(asking, ask, on_done=step.advance)
        return tuple(found[number] for number in asking)

    @contextmanager
    def _parties_heard(self) -> Iterator[None]:
        """If what is waited for does not come, say what each party wrote into its log about it."""
        try:
            yield
        except (DeadlinePassed, QueryDeclined) as error:
            said = [f"{party.name}: {last_failure(log_entries(party.home))}" for party in self.cast.parties]
            lines = "\n".join([f"{error}. What the parties' logs say:", *said])
            hint = "Run the demo again with --keep DIR and read the logs there."
            raise StoryStoppedError(lines, hint=hint) from None

    def _patience(self, seconds: float) -> float:
        """How long to wait for what takes longer the more members there are."""
        return seconds + SECONDS_PER_MEMBER * len(self.material.members)

    def _bytes_sent(self) -> dict[str, int]:
        """What each node's log says that its jobs sent to other parties."""
        return {party.name: job_bytes(log_entries(party.home)) for party in self.cast.parties}

    def _reader(self, key: SigningKey) -> SignedReader:
        return SignedReader(key, randomness=self.randomness)


def _remember(keys: ResearcherKeys, cast: Cast, enrolment: Envelope) -> None:
    """Leave the researcher's home as the command line expects it, for a demo that keeps running."""
    home = Home(keys.home.root).community(cast.fingerprint)
    home.save_gateway(cast.gateway_url)


async def _until(
    condition: Callable[[], Awaitable[bool]], what: str, *, deadline_seconds: float = WAIT_SECONDS
) -> None:
    """Poll until the condition holds. Raises DeadlinePassed naming what was waited for."""
    end = time.monotonic() + deadline_seconds
    while not await condition():
        if time.monotonic() > end:
            raise DeadlinePassed(
                f"waited {deadline_seconds:.0f} s for {what}", deadline_seconds=deadline_seconds
            )
        await anyio.sleep(POLL_SECONDS)
