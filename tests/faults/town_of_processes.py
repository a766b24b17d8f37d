"""A whole community of real processes over TLS, kept up as systemd does by the units of `deploy/`.

Gateway and nodes run under a Python that is killed where a plan says (stopping_python.py). What their operators
sign, and whatever members, registrars, the steward and the researcher do, is done by the test's own process.
"""

from __future__ import annotations

import asyncio
import configparser
import json
import os
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import httpx

from mpc_cde.client.connection import Connection, connect
from mpc_cde.client.drafting import draft_community
from mpc_cde.client.enrolment import RegisterRow, draft_researcher
from mpc_cde.client.http import GatewayClient
from mpc_cde.client.member import Member, own_evidence, submit_figures
from mpc_cde.client.membership_ledger import MembershipLedger, countersign_memberships
from mpc_cde.client.query import EnrolledResearcher, choose_items, make_query, run_query
from mpc_cde.client.receipts import wait_for_receipts
from mpc_cde.client.role_cards import OfficeCard, ResearcherRequest
from mpc_cde.client.stewardship import propose_closing, propose_study
from mpc_cde.client.verification import VerifiedResult, VerifiedStudy, verify_result
from mpc_cde.demo.organisations import free_addresses
from mpc_cde.demo.tied_processes import start_tied
from mpc_cde.documents.community import Community
from mpc_cde.documents.envelope import Envelope, add_signature, sign_document
from mpc_cde.documents.receipt import Receipt
from mpc_cde.errors import MpcCdeError
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.store import Store as GatewayStore
from mpc_cde.keys import SigningKey
from mpc_cde.reader_signatures import SignedReader
from mpc_cde.sealing import SealingPrivateKey
from mpc_cde.study_templates import parse_template
from parties.approvals import SigningPlace, approve_study
from parties.ceremony import Introduction, approve_community, found_party
from parties.clock import system_clock
from parties.party_home import PartyHome
from parties.policy import PartyPolicy
from parties.share_store import ShareStore
from protocols.catalog import FUNCTIONS
from protocols.randomness import SystemRandomness
from tests.faults.small_disk import SmallDisk
from tests.faults.stopping_python import ROOT, Plan, Stop
from tests.faults.what_must_hold import verify_party

PARTIES = ("chamber", "university", "municipality")
GATEWAY = "gateway"
STORY = "story"
MEMBERS = 10
RESTART_SECONDS = 0.2
"""Instead of the seconds that the units name, so that a story with many stops takes a minute."""
PATIENCE_SECONDS = 120.0
QUICK = "\n[time_limits]\nretry_seconds = 0.2\nretry_max_seconds = 1.0\n"
STUDY = """\
format = "mpc-cde study template 1"
title = "Few"
purpose = "Is stopped."
roster_cap = 20
[[figures]]
name = "sales"
minimum = 0
step = 1
publish_step = 10
radices = [80, 10, 10]
[[functions]]
function = "count@1"
each = ["sales"]
[[functions]]
function = "sum@1"
each = ["sales"]
[[functions]]
function = "percentiles@1"
quantiles = "median"
each = ["sales"]
"""


def figure_of(member: int) -> int:
    """No two sets of members have the same total, and none of them dominates."""
    return 2000 + (10 << member)


class Service:
    """One process, started again as its systemd unit says: whenever it was killed or ended with an error."""

    def __init__(self, unit: str, command: Sequence[str], home: Path) -> None:
        read = configparser.ConfigParser(strict=False, interpolation=None)
        read.read(ROOT / "deploy" / "systemd" / unit)
        assert read["Service"]["Restart"] == "on-failure"
        self.statuses: list[int] = []
        self.said = ""
        """What it wrote to standard error, all its lives together."""
        self._command, self._home = command, home
        self._process: subprocess.Popen[str] | None = None
        self._stopping = threading.Event()
        self._keeping_up = threading.Thread(target=self._keep_up)
        self._keeping_up.start()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _keep_up(self) -> None:
        while not self._stopping.is_set():
            with start_tied(
                self._command,
                cwd=self._home,
                env={},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            ) as self._process:
                assert self._process.stderr is not None
                for line in self._process.stderr:
                    self.said += line
                status = self._process.wait()
            if self._stopping.is_set() or status == 0:
                return
            self.statuses.append(status)
            self._stopping.wait(RESTART_SECONDS)

    def begin_to_stop(self) -> None:
        """Not started again any more, and asked to end."""
        self._stopping.set()
        self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """Gone when this returns."""
        self.begin_to_stop()
        self._keeping_up.join(10)
        while self._keeping_up.is_alive():
            self._signal(signal.SIGKILL)
            self._keeping_up.join(1)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)


class PatientTransport(httpx.AsyncHTTPTransport):
    """People try again while nobody listens at the gateway's address."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for _ in range(round(PATIENCE_SECONDS / 0.1)):
            with suppress(httpx.ConnectError):
                return await super().handle_async_request(request)
            await asyncio.sleep(0.1)
        raise httpx.ConnectError("nobody listened", request=request)


@dataclass
class TownOfProcesses:
    """Where everybody lives: one directory an organisation below `directory`. Use it as a context manager."""

    directory: Path
    stops: Sequence[Stop] = ()
    database: str | None = None
    """Where the gateway keeps what it has; None: SQLite in its home."""
    disks: Mapping[str, SmallDisk] = field(default_factory=dict)
    """Of organisations whose directory is on one of its own."""
    services: dict[str, Service] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self.directory.mkdir(exist_ok=True)
        for name, disk in self.disks.items():
            disk.mount(self.directory / name)
        self.plan = Plan.make(self.directory / "plan", self.stops, [GATEWAY, *PARTIES])
        address, *mesh = free_addresses(1 + len(PARTIES))
        self.url = f"http://{address}"
        self.randomness = SystemRandomness()
        (self.directory / "registrar").mkdir(mode=0o700)
        self.registrar, self.notary, self.steward = (SigningKey.generate(self.randomness) for _ in range(3))
        self.homes = {name: PartyHome(self.directory / name) for name in PARTIES}
        self.draft, self.community = self._draft(mesh)
        for home in self.homes.values():
            with home.settings_path.open("a") as settings:
                settings.write(QUICK)
        port = address.rpartition(":")[2]
        try:
            options = ["--port", port, "--config", str(self._gateway_settings())]
            self._start(GATEWAY, "mpc-cde-gateway.service", "mpc_cde.gateway", *options)
            for name in PARTIES:
                self._start(name, "mpc-party.service", "parties", "run")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for service in reversed(self.services.values()):  # nodes first: the gateway waits for its callers
            service.begin_to_stop()
        for service in self.services.values():
            service.stop()
        for disk in self.disks.values():
            disk.keep_a_copy()

    def _start(self, name: str, unit: str, module: str, *arguments: str) -> None:
        home = self.directory / name
        home.mkdir(mode=0o700, exist_ok=True)
        command = [str(self.plan.directory / name), "-m", module, *arguments, "--home", str(home)]
        self.services[name] = Service(unit, command, home)

    @property
    def gateway_database(self) -> str:
        """For whoever looks at what the gateway keeps."""
        return self.database or f"sqlite:///{self.directory / GATEWAY / 'gateway.sqlite'}"

    def _gateway_settings(self) -> Path:
        path = self.directory / "gateway.toml"
        path.write_text(f"database = {json.dumps(self.gateway_database)}\n")
        return path

    def _draft(self, mesh: Sequence[str]) -> tuple[Envelope, Community]:
        """Every organisation's keys, card and home, and the community that all are to sign."""
        cards = [
            found_party(
                self.homes[name],
                Introduction(name, "computes", f"operator@{name}.example", address),
                gateway=self.url,
                mesh_listen=address,
                operations_port=0,
                randomness=self.randomness,
                clock=system_clock,
            )
            for name, address in zip(PARTIES, mesh, strict=True)
        ]
        offices = [
            OfficeCard.model_validate(
                {"office": office, "name": name, "label": name, "key": key.public_bytes}
            )
            for office, name, key in (
                ("registrar", "registrar", self.registrar),
                ("registrar", "notary", self.notary),
                ("steward", "steward", self.steward),
            )
        ]
        draft, community = draft_community(
            cards=cards, threshold=1, name="Town", registrars=offices[:2], stewards=offices[2:]
        )
        for name in PARTIES:
            approve_community(self.homes[name], draft, identity=self.identity(name))
        return draft, community

    def identity(self, party: str) -> SigningKey:
        return self.homes[party].load_identity()

    def place(self, party: str) -> SigningPlace:
        """Where that party's operator signs."""
        home = self.homes[party].pinned_community()
        return SigningPlace(home, self.community, PARTIES.index(party), self.identity(party))

    def signed_by_all(self, envelope: Envelope) -> Envelope:
        for party in PARTIES:
            envelope = add_signature(envelope, self.identity(party))
        return envelope

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Poll. Fails telling what every process said last."""
        for _ in range(round(PATIENCE_SECONDS / 0.05)):
            if holds():
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{what} did not come about\n{self.told()}")

    def told(self) -> str:
        """For a failed assertion."""
        lines = [f"stops left: {self.plan.left}"]
        for name, service in self.services.items():
            lines += [f"{name}: statuses {service.statuses}", *service.said.splitlines()[-8:]]
        return "\n".join(lines)


@dataclass
class Story:
    """What people do, from the first signature to verified results; each tries until it is acknowledged."""

    town: TownOfProcesses
    submissions: list[Envelope] = field(default_factory=list)
    results: list[VerifiedResult] = field(default_factory=list)

    to: Connection = field(init=False)
    study: VerifiedStudy = field(init=False)
    members: list[tuple[SigningKey, Envelope]] = field(init=False)
    researcher: EnrolledResearcher = field(init=False)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """A community with members, and a study that is open."""
        await self._found()
        fingerprint = self.town.community.fingerprint()
        patient = PatientTransport()
        async with connect(self.town.url, fingerprint=fingerprint, transport=patient) as self.to:
            await self._enrol()
            await self._open_study()
            yield

    async def tell(self, *, questions: int = 1) -> None:
        """Everything; so many queries one after another."""
        async with asyncio.timeout(PATIENCE_SECONDS * 4), self.opened():
            for number in range(MEMBERS):
                await self.submit(number)
            await self.have_receipts()
            await self.close()
            for number in range(questions):
                self.town.plan.reach(STORY, f"question {number}")
                self.results.append(await self.ask())
            await self._verify_as_member()

    async def _found(self) -> None:
        """Nodes post the community that their operators signed."""
        async with GatewayClient(self.town.url, transport=PatientTransport()) as client:
            await client.post("/v1/communities", self.town.signed_by_all(self.town.draft))

    async def _enrol(self) -> None:
        town = self.town
        keys = [SigningKey.generate(town.randomness) for _ in range(MEMBERS)]
        sealing = SealingPrivateKey.generate(town.randomness).public
        rows = [
            RegisterRow(
                row=number,
                signing_key=key.public_bytes,
                sealing_key=sealing,
                register_id=f"KVK {number}",
                holding=None,
                sole_trader=False,
                attributes={},
            )
            for number, key in enumerate(keys)
        ]
        issued, _ = MembershipLedger(town.directory / "registrar").issue(
            rows,
            community=town.community,
            signing_key=town.registrar,
            randomness=town.randomness,
            now=datetime.now(UTC),
            validity_days=365,
        )
        memberships = countersign_memberships(issued, community=town.community, signing_key=town.notary)
        await self._post("memberships", *memberships)
        self.members = list(zip(keys, memberships, strict=True))
        await self._enrol_researcher()

    async def _enrol_researcher(self) -> None:
        town = self.town
        key = SigningKey.generate(town.randomness)
        request = ResearcherRequest(
            name="Researcher",
            signing_key=key.public_bytes,
            sealing_key=SealingPrivateKey.generate(town.randomness).public,
            functions=tuple(sorted(FUNCTIONS)),
        )
        document = draft_researcher(
            request, community=town.community, now=datetime.now(UTC), validity_days=30
        )
        envelope = town.signed_by_all(sign_document(document, town.registrar))
        await self._post("researchers", envelope)
        self.researcher = EnrolledResearcher.enrolled(key, envelope, self.to)

    async def _open_study(self) -> None:
        town, now = self.town, datetime.now(UTC)
        envelope, study = propose_study(
            parse_template(STUDY),
            community=town.community,
            signing_key=town.steward,
            opens=now - timedelta(minutes=1),
            closes=now + timedelta(days=7),
        )
        await self._post("studies", envelope)
        for party in PARTIES:
            approval = approve_study(
                town.place(party),
                envelope,
                policy=PartyPolicy(5, 8),
                now=now,
                randomness=town.randomness,
                passphrase=None,
            )
            await self._post("approvals", approval)
        self.study = await self.to.verified_study(study.terms_digest())

    async def submit(self, number: int) -> None:
        """The gateway has acknowledged the member's submission when this returns."""
        key, membership = self.members[number]
        member = Member.certified(key, membership, self.to)
        figures = {"sales": figure_of(number)}
        sent = await submit_figures(self.to, self.study, member, figures, randomness=self.town.randomness)
        self.submissions.append(sent.envelope)

    async def have_receipts(self) -> None:
        for submission in self.submissions:
            status = await wait_for_receipts(
                self.to, self.study, submission.digest(), deadline_seconds=PATIENCE_SECONDS
            )
            assert status.is_complete, status.describe()

    async def close(self) -> None:
        closing = propose_closing(self.study, signing_key=self.town.steward, now=datetime.now(UTC))
        await self._post("closings", self.town.signed_by_all(closing))
        terms = self.study.terms_digest
        for _ in range(round(PATIENCE_SECONDS / 0.1)):
            if (await self.to.calls.study(terms)).checked_roster is not None:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"no checked roster\n{self.town.told()}")

    async def ask(self) -> VerifiedResult:
        query = make_query(
            self.study, self.researcher, choose_items(self.study), randomness=self.town.randomness
        )
        reader = SignedReader(self.researcher.signing_key, randomness=self.town.randomness)
        try:
            return await run_query(
                self.to, self.study, self.researcher, query, reader=reader, deadline_seconds=PATIENCE_SECONDS
            )
        except MpcCdeError as error:
            raise AssertionError(f"{error}\n{self.town.told()}") from error

    async def _verify_as_member(self) -> None:
        """The last result leads down to a member's own receipt and row."""
        key, membership = self.members[-1]
        member = Member.certified(key, membership, self.to)
        own = await own_evidence(self.to, self.study, member, self.submissions[-1])
        verify_result(replace(self.results[-1].evidence, own=own), self.town.community.fingerprint())

    async def is_published(self) -> None:
        """Every party has handed in whatever it has to say."""
        stores = [ShareStore.open(home.pinned_community().store_path) for home in self.town.homes.values()]

        def nothing_is_pending() -> bool:
            for store in stores:
                with store.reading() as view:
                    if view.outbox("pending"):
                        return False
            return True

        try:
            await self.town.until(nothing_is_pending, "empty outboxes")
        finally:
            for store in stores:
                store.close()

    async def _post(self, collection: str, *envelopes: Envelope) -> None:
        for envelope in envelopes:
            await self.to.calls.post(collection, envelope)

    # what must be true in the end ---------------------------------------------------------------------------

    def verify(self) -> None:
        """Nothing acknowledged is lost or counts twice; one roster; every party's store and log are sound.

        The processes have ended.
        """
        study = self.study.terms_digest
        total = sum(figure_of(number) for number in range(MEMBERS))
        for result in self.results:
            values = {cell.function: cell.values for cell in result.cells}
            assert values["count@1"] == (str(MEMBERS),)
            assert values["sum@1"] == (str(total),)
            assert result.checked_roster.digest() == self.results[0].checked_roster.digest()
        store = GatewayStore.open(self.town.gateway_database)
        with store.reading() as view:
            assert len(view.documents("roster/v1", study=study)) == 1, "parties signed different rosters"
            receipts = [parse_stored(stored, Receipt) for stored in view.documents("receipt/v1", study=study)]
        store.close()
        given = sorted((receipt.party, receipt.submission) for receipt in receipts)
        digests = [submission.digest() for submission in self.submissions]
        assert given == sorted((party, digest) for party in range(len(PARTIES)) for digest in digests)
        for name in PARTIES:
            self._verify_party(name, digests)

    def _verify_party(self, name: str, acknowledged: list[bytes]) -> None:
        place = self.town.homes[name].pinned_community()
        store = ShareStore.open(place.store_path)
        try:
            with store.reading() as view:
                verify_party(
                    view,
                    log=place.log_path,
                    key=self.town.identity(name).public_bytes,
                    study=self.study.terms_digest,
                    acknowledged=acknowledged,
                    queries=[result.result.query for result in self.results if result.result.query],
                )
        finally:
            store.close()
