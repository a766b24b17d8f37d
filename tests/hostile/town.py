"""A whole community in one process, reached over wires that a test may meddle with.

A real gateway application over SQLite, three nodes with their stores, feeds, outboxes and conductors, the client
of members and of a researcher. What the parties say to each other goes through memory; everything that passes the
gateway goes over a `Wire` of whoever sends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import httpx
from fastapi import FastAPI

from mpc_cde.client.connection import Connection, connect
from mpc_cde.client.member import Member
from mpc_cde.client.query import EnrolledResearcher, choose_items, make_query
from mpc_cde.client.submission import PreparedSubmission, prepare_submission
from mpc_cde.client.trust import verify_community
from mpc_cde.client.verification import VerifiedStudy, verify_study
from mpc_cde.documents.approval import Approval
from mpc_cde.documents.closing import Closing
from mpc_cde.documents.disclosure_bundle import DisclosureBundle
from mpc_cde.documents.envelope import Envelope, sign_document
from mpc_cde.documents.study import Study
from mpc_cde.documents.study_terms import FunctionTerms
from mpc_cde.gateway.app import create_app
from mpc_cde.gateway.settings import GatewaySettings, Limits
from mpc_cde.gateway.store import Store
from mpc_cde.keys import SigningKey
from mpc_cde.reader_signatures import SignedReader
from mpc_cde.secret_files import make_private_directory
from parties import column_builder, columns
from parties.conductor import Conductor
from parties.desk import Desk
from parties.gateway_client import PartyGateway
from parties.gateway_feed import GatewayFeed
from parties.node_health import NodeHealth
from parties.outbox import Outbox
from parties.policy import PartyPolicy
from parties.seed_vault import SeedVault
from protocols.randomness import ScriptedRandomness, SystemRandomness
from tests.hostile.wires import Meddler, Wire
from tests.mpc_cde.client.paper import PaperCommunity, signed, signing_key
from tests.parties.memory_sessions import MemoryMesh, MemorySessions
from tests.parties.paper_node import ManualClock, PaperNode

URL = "http://localhost:8080"
BEFORE_CLOSING = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
AFTER_CLOSING = datetime(2027, 2, 1, 1, 0, tzinfo=UTC)
PATIENCE_SECONDS = 30.0
LOOK_SECONDS = 0.03
GIVES_UP_AFTER = 3
"""Attempts after which a message that the gateway does not take counts as said."""


class TownCommunity(PaperCommunity):
    """The community on paper with figures of its own: each member's is a power of two times ten, or near it."""

    __hash__ = object.__hash__

    def __init__(self, *, members: int = 7, roster_cap: int = 1000) -> None:
        super().__init__(members=members)
        functions = (
            FunctionTerms(function="count@1", figures=("sales",)),
            FunctionTerms(function="sum@1", figures=("sales",)),
            FunctionTerms(function="percentiles@1", figures=("sales",), parameters={"quantiles": ("1/2",)}),
            FunctionTerms(function="sum@1", figures=("margin",)),
            FunctionTerms(function="count@1", figures=("sales",), by="size"),
        )
        terms = self.study.terms.model_copy(
            update={
                "functions": functions,
                "roster_cap": roster_cap,
                "disclosure": DisclosureBundle(
                    minimum_contributors=2, minimum_contributors_group=3, complementary=True
                ),
            }
        )
        self.study = Study(terms=terms, presentation=self.study.presentation, steward="steward")
        self.study_envelope = signed(self.study, [self.steward_key])
        self.approvals = tuple(
            signed(
                Approval(
                    study=self.study.digest(),
                    study_terms=self.study.terms_digest(),
                    party=j,
                    sealing_key=self.sealing_keys[j].public,
                ),
                [self.party_keys[j]],
            )
            for j in range(self.m)
        )

    @property
    def terms_digest(self) -> bytes:
        return self.study.terms_digest()

    def verified_study(self) -> VerifiedStudy:
        trusted = verify_community([self.community_envelope], self.fingerprint)
        return verify_study(trusted, self.study_envelope, self.approvals)

    def asker(self) -> EnrolledResearcher:
        researcher = self.researcher()
        return EnrolledResearcher(self.researcher_key, researcher, signed(researcher, self.party_keys))

    def another_researcher(self) -> EnrolledResearcher:
        key = signing_key("another researcher")
        researcher = self.researcher().model_copy(
            update={"name": "Another researcher", "signing_key": key.public_bytes}
        )
        return EnrolledResearcher(key, researcher, signed(researcher, self.party_keys))

    def asked(
        self,
        seed: bytes = b"query",
        *,
        asker: EnrolledResearcher | None = None,
        functions: Sequence[str] = (),
    ) -> Envelope:
        """About everything, or one function's cells over everybody; the same each time."""
        study = self.verified_study()
        items = choose_items(study, functions=functions, groups=False) if functions else choose_items(study)
        return make_query(
            study,
            asker or self.asker(),
            items,
            randomness=ScriptedRandomness(seed),
            now=BEFORE_CLOSING,
            valid_seconds=365 * 24 * 3600.0,
        )

    def closing(self) -> Envelope:
        closing = Closing(study_terms=self.terms_digest, steward="steward", time="2026-06-01T12:00:00Z")
        return signed(closing, [self.steward_key])


@cache
def paper_town(members: int = 7, roster_cap: int = 1000) -> TownCommunity:
    """Made once a test run."""
    return TownCommunity(members=members, roster_cap=roster_cap)


def sales_of(number: int) -> int:
    """A unique bit for each of thirteen members, so that double counting shows in a sum."""
    return 1 << number if number < 13 else 37 * number


def margin_of(number: int) -> Decimal | None:
    return None if number % 4 == 3 else Decimal(number % 16) / 2


def honest_submission(paper: TownCommunity, number: int, sequence: int = 1) -> PreparedSubmission:
    """What the product's client sends for member `number`; the same each time, seals included."""
    return _honest_submission(paper, number, sequence)


@cache
def _honest_submission(paper: TownCommunity, number: int, sequence: int) -> PreparedSubmission:
    return prepare_submission(
        study=paper.verified_study(),
        values={"sales": Decimal(sales_of(number)), "margin": margin_of(number)},
        membership=paper.membership(number),
        signing_key=paper.member_key(number),
        randomness=ScriptedRandomness(hashlib.sha256(b"honest %d %d" % (number, sequence)).digest()),
        sequence=sequence,
    )


def plain_values(numbers: Iterable[int]) -> dict[str, tuple[str, ...] | str]:
    """The plain calculation over the members who count: values, or by which rule a cell is withheld."""
    counted = sorted(numbers)
    sales = sorted(sales_of(number) for number in counted)
    margins = [m for m in (margin_of(number) for number in counted) if m is not None]
    n = len(sales)
    rank = -(-n // 2)
    published = ((sales[rank - 1] + 5) // 10 * 10) if n else 0
    values: dict[str, tuple[str, ...] | str] = {
        "count": (str(n),) if n >= 2 else "minimum",
        "sum": (str(sum(sales)),) if n >= 2 else "minimum",
        "margins": (_plain(sum(margins, Decimal(0))),) if len(margins) >= 2 else "minimum",
    }
    if n < 2:
        values["median"] = "minimum"
    else:
        values["median"] = (str(published),) if rank - 1 >= 2 and n - rank >= 2 else "disclosure"
    for size, odd in (("large", 0), ("small", 1)):
        here = sum(number % 2 == odd for number in counted)
        values[size] = (str(here),) if here >= 3 else "minimum"
    withheld = [size for size in ("large", "small") if values[size] == "minimum"]
    if len(withheld) == 1 and n >= 2:  # what is left of the count of all would tell it
        values["small" if withheld == ["large"] else "large"] = "disclosure"
    return values


def _plain(number: Decimal) -> str:
    text = format(number.normalize(), "f")
    return text if text != "-0" else "0"


def published_values(cells: Iterable[object]) -> dict[str, tuple[str, ...] | str]:
    """The cells of a result under the names that `plain_values` gives them."""
    found: dict[str, tuple[str, ...] | str] = {}
    for cell in cells:
        function = getattr(cell, "function")  # noqa: B009  # any cell
        group, figures = cell.group, cell.figures  # type: ignore[attr-defined]  # any cell
        name = {"count@1": "count", "sum@1": "sum", "percentiles@1": "median"}[function]
        if figures == ("margin",):
            name = "margins"
        if group is not None:
            name = group.value
        found[name] = cell.withheld or cell.values  # type: ignore[attr-defined]  # any cell
    return found


@dataclass
class TownNode:
    """One party: its home and store, and the tasks that a node runs."""

    paper: TownCommunity
    node: PaperNode
    wire: Wire
    mesh: MemoryMesh
    clock: ManualClock
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.health = NodeHealth(self.clock)
        self.gateway = PartyGateway(URL, transport=self.wire, attempts=2)
        self.outbox = Outbox(self.node.store, self.gateway, self.node.log)
        self.desk = Desk(
            store=self.node.store,
            log=self.node.log,
            intake=self.node.intake,
            identity=self.paper.party_keys[self.node.index],
            clock=self.clock,
            wake_outbox=self.outbox.doorbell.ring,
        )
        self.conductor = Conductor(
            desk=self.desk,
            home=self.node.home,
            sessions=MemorySessions(self.mesh, self.node.index),
            policy=PartyPolicy(2, 2),
            prepare_columns=self._prepare,
            pause=self._pause,
        )
        reader = SignedReader(
            self.paper.party_keys[self.node.index], randomness=SystemRandomness(), clock=self.clock
        )

        async def poll(*, after: int, wait_seconds: float) -> object:
            return await self.gateway.feed(
                self.node.index, after=after, wait_seconds=wait_seconds, reader=reader
            )

        self.feed = GatewayFeed(
            source=poll,  # type: ignore[arg-type]  # a tuple of frames
            intake=self.node.intake,
            store=self.node.store,
            health=self.health,
            long_poll_seconds=5.0,
            on_batch=self._taken,
        )

    def _taken(self) -> None:
        self.outbox.doorbell.ring()
        self.conductor.wake()

    async def _pause(self, _: float) -> None:
        await asyncio.sleep(0.02)

    async def _prepare(self, study: bytes, roster_digest: bytes) -> Path:
        directory = self.node.home.columns_path / roster_digest.hex()
        terms = self.paper.study.terms
        try:
            column_builder.verify_columns(directory, roster_digest, terms)
        except column_builder.ColumnsDamaged:
            with self.node.store.reading() as view:
                roster, entries = self.desk.roster(view, roster_digest)
                column_builder.build_columns(
                    view,
                    SeedVault(self.paper.sealing_keys[self.node.index], study),
                    community=self.paper.community,
                    terms=terms,
                    party=self.node.index,
                    roster=roster,
                    entries=entries,
                    directory=directory,
                )
        return directory / columns.SHARES

    def start(self) -> None:
        for part in (self.feed.run(), self.outbox.run(), self.conductor.run()):
            self.tasks.append(asyncio.create_task(part))

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        ended = await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.gateway.__aexit__()
        self.node.store.close()
        assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended

    def said(self) -> str:
        """What this party's operator finds: the feed's trouble, the last failure, the log as text."""
        lines = [f"feed: {self.health.feed_problem}", f"failed: {self.conductor.last_failure}"]
        for entry in self.node.log.entries():
            details = " ".join(f"{name}={value}" for name, value in entry.details.items())
            lines.append(f"{entry.event} {details}")
        return "\n".join(lines)

    def has_pending(self) -> bool:
        with self.node.store.reading() as view:
            return any(item.attempts < GIVES_UP_AFTER for item in view.outbox("pending", limit=100))


class Town:
    """Everything of one run. `meddlers` by name of a wire: "party 0", "member 3", "researcher", "everybody"."""

    def __init__(
        self,
        directory: Path,
        *,
        paper: TownCommunity | None = None,
        meddlers: Mapping[str, Meddler] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.paper = paper or paper_town()
        self.clock = ManualClock()
        self.mesh = MemoryMesh(self.paper.m, self.paper.t)
        self._meddlers = dict(meddlers or {})
        home = directory / "gateway"
        make_private_directory(home)
        settings = GatewaySettings(home=home, limits=limits or Limits())
        self.store = Store.open(settings.database_url)
        self.app: FastAPI = create_app(settings, self.store, self.clock)
        self._transport = httpx.ASGITransport(app=self.app)
        self._newest = 0
        self.nodes: list[TownNode] = []
        for index in range(self.paper.m):
            place = directory / f"party {index}"
            place.mkdir(mode=0o700)
            self.nodes.append(
                TownNode(
                    self.paper,
                    PaperNode(self.paper, place, index, self.clock),
                    self.wire(f"party {index}"),
                    self.mesh,
                    self.clock,
                )
            )

    def wire(self, name: str) -> Wire:
        return Wire(self.app, self._transport, self._meddlers.get(name))

    def meddle(self, name: str, meddler: Meddler | None) -> None:
        """From now on this meddler stands on the wires that are made under this name; None: nobody."""
        self._meddlers.pop(name, None)
        if meddler is not None:
            self._meddlers[name] = meddler

    @asynccontextmanager
    async def running(self, *, gateway_stays: bool = False) -> AsyncIterator[Town]:
        """The nodes run, and with their end the gateway's store is closed, or stays open."""
        for node in self.nodes:
            node.start()
        try:
            yield self
        finally:
            self.app.state.desk.bell.stop()
            for node in self.nodes:
                await node.stop()
            if not gateway_stays:
                self.store.close()

    # who reaches the gateway ------------------------------------------------------------------------------

    @asynccontextmanager
    async def connection(self, who: str = "an honest member") -> AsyncIterator[Connection]:
        wire = self.wire(who)
        async with connect(URL, fingerprint=self.paper.fingerprint, transport=wire) as connection:
            yield connection

    def reader(self, number: int | None = None) -> SignedReader:
        """A member, or the researcher."""
        return self.reader_of(self.paper.researcher_key if number is None else self.paper.member_key(number))

    def reader_of(self, key: SigningKey) -> SignedReader:
        return SignedReader(key, randomness=SystemRandomness(), clock=self.clock)

    def member(self, number: int, connection: Connection) -> Member:
        return Member.certified(
            self.paper.member_key(number), self.paper.membership_envelope(number), connection
        )

    # the story --------------------------------------------------------------------------------------------

    async def found(self, *, members: Iterable[int] | None = None) -> None:
        """The community, its members and the study with all approvals are at the gateway."""
        paper = self.paper
        chosen = range(paper.members) if members is None else members
        async with PartyGateway(URL, transport=self.wire("office"), attempts=1) as office:
            await office.post("/v1/communities", paper.community_envelope)
            memberships = [paper.membership_envelope(number) for number in chosen]
            await asyncio.gather(*(office.post("/v1/memberships", envelope) for envelope in memberships))
            await office.post("/v1/studies", paper.study_envelope)
            await office.post("/v1/researchers", paper.asker().envelope)
            await asyncio.gather(*(office.post("/v1/approvals", approval) for approval in paper.approvals))

    async def submit(self, numbers: Iterable[int]) -> None:
        async with self.connection() as connection:
            await asyncio.gather(
                *(
                    connection.calls.submit(honest_submission(self.paper, number).parts())
                    for number in numbers
                )
            )

    async def withdraw(self, number: int, *, sequence: int = 1) -> None:
        async with self.connection(f"member {number}") as connection:
            await connection.calls.post("withdrawals", self.paper.withdrawal(number, sequence=sequence))

    async def close(self) -> None:
        """The steward proposes, each party signs."""
        closing = self.paper.closing()
        async with PartyGateway(URL, transport=self.wire("office"), attempts=1) as office:
            await office.post("/v1/closings", closing)
            for key in self.paper.party_keys:
                own = sign_document(self.closing_document(), key)
                await office.post("/v1/closings", own)

    def closing_document(self) -> Closing:
        return Closing.parse_payload(self.paper.closing().payload)

    def time_passes(self) -> None:
        """The study's end and five minutes are over, by every clock."""
        self.clock.now = AFTER_CLOSING
        for node in self.nodes:
            node.conductor.wake()

    # waiting ----------------------------------------------------------------------------------------------

    async def until(self, ready: Callable[[], bool], what: str, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Look again and again; raises TimeoutError with what every party says."""
        give_up = asyncio.get_running_loop().time() + seconds
        while not ready():
            for node in self.nodes:
                for task in node.tasks:
                    if task.done() and not task.cancelled():
                        task.result()
            if asyncio.get_running_loop().time() > give_up:
                said = "\n".join(f"party {n.node.index}\n{n.said()[-1500:]}" for n in self.nodes)
                raise TimeoutError(f"waited {seconds:.0f} s for {what}\n{said}")
            await asyncio.sleep(LOOK_SECONDS)

    async def until_party_says(self, party: int, pattern: str) -> None:
        await self.until(
            lambda: re.search(pattern, self.nodes[party].said()) is not None, f"party {party}: {pattern}"
        )

    async def settle(
        self, parties: Iterable[int] | None = None, *, seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Until these parties have read everything and said everything."""
        watched = [self.nodes[party] for party in (range(self.paper.m) if parties is None else parties)]

        def is_quiet() -> bool:
            newest = self.newest()
            return all(
                node.wire.feed_is_read(node.health.feed_number, newest) and not node.has_pending()
                for node in watched
            )

        with contextlib.suppress(TimeoutError):
            while True:
                await self.until(is_quiet, "everything to be read", seconds=seconds)
                before = self.newest()
                await asyncio.sleep(2 * LOOK_SECONDS)
                if is_quiet() and self.newest() == before:
                    return

    def newest(self) -> int:
        """The number of the gateway's newest feed item."""
        places = self.app.state.desk.look(lambda view: view.feed_after(self._newest, limit=100_000))
        self._newest = places[-1].number if places else self._newest
        return self._newest

    def has_decided(self, party: int) -> bool:
        """Whether it made a decision of its own."""
        with self.nodes[party].node.store.reading() as view:
            return bool(view.documents("decision/v1", party=party))

    def kept_by(self, party: int, type_name: str) -> list[object]:
        with self.nodes[party].node.store.reading() as view:
            return list(view.documents(type_name))

    async def until_checked(self, *, seconds: float = PATIENCE_SECONDS) -> None:
        await self.until(
            lambda: all(self.kept_by(party, "checked-roster/v1") for party in range(self.paper.m)),
            "the checked roster",
            seconds=seconds,
        )
