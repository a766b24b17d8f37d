"""A whole community in one process: the gateway's application and the parties' nodes, on machines that can stop.

Stores, logs, columns, intake, outbox, feed, conductor and the gateway's application are the real ones; between them
are an in-process transport, sessions by hand (tests/parties/memory_sessions.py) and clocks that are set. A machine
that is stopped is started again at once, as a service manager does, and finds nothing but its directory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy.exc import SQLAlchemyError

from mpc_cde.gateway import guard
from mpc_cde.gateway.app import create_app
from mpc_cde.gateway.settings import GatewaySettings, Limits
from mpc_cde.gateway.store import Store
from mpc_cde.reader_signatures import SignedReader
from parties import column_builder, columns, computing_work, conductor, gateway_feed, outbox, retention
from parties.ceremony import read_community
from parties.conductor import Conductor
from parties.desk import Desk
from parties.errors import PeerSilent
from parties.gateway_client import PartyGateway
from parties.gateway_feed import GatewayFeed
from parties.intake import Intake
from parties.log import NodeLog
from parties.node_health import NodeHealth
from parties.opening import fetch_community, open_log
from parties.outbox import Outbox
from parties.party_home import CommunityHome, PartyHome
from parties.policy import PartyPolicy
from parties.seed_vault import SeedVault
from parties.share_store import ShareStore, StoreView
from protocols.randomness import ScriptedRandomness, SystemRandomness
from tests.faults.crash_points import Disks, Machine, MachineGone
from tests.mpc_cde.client.paper import PaperCommunity
from tests.parties.memory_sessions import Journal, MemoryMesh, MemorySession, MemorySessions, _Table
from tests.parties.paper_node import ManualClock

GATEWAY = "gateway"
GATEWAY_URL = "http://127.0.0.1:9"
PATIENCE_SECONDS = 90.0
"""What a story takes a second for may take long on a machine that has much else to do."""
SEAT_SECONDS = 0.4
"""How long a party waits for the others to come to a session, as it does for their connections."""


def make_brisk(patch: pytest.MonkeyPatch) -> None:
    """Pauses of seconds become hundredths, so that a story with a fault takes no longer than one without.

    What the gateway notes of each request is left out.
    """
    silent = structlog.make_filtering_bound_logger(logging.CRITICAL)
    patch.setattr(guard, "log", structlog.wrap_logger(structlog.PrintLogger(), wrapper_class=silent))
    for module, name, seconds in (
        (outbox, "POLL_SECONDS", 0.02),
        (outbox, "LONGEST_PAUSE_SECONDS", 0.1),
        (gateway_feed, "FIRST_PAUSE_SECONDS", 0.02),
        (gateway_feed, "LONGEST_PAUSE_SECONDS", 0.1),
        (conductor, "IDLE_SECONDS", 0.05),
        (computing_work, "KEEP_SECONDS", 0.3),
        (computing_work, "REFUSAL_PAUSE_SECONDS", 0.03),
        (retention, "LOOK_SECONDS", 0.1),
    ):
        patch.setattr(module, name, seconds)


class Wire(httpx.AsyncBaseTransport):
    """From a node or a member to the gateway, while it is there; a request that it dies of is a broken connection."""

    def __init__(self, gateway: GatewayMachine) -> None:
        self._gateway = gateway

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        gateway = self._gateway
        if gateway.app is None or gateway.machine.is_gone:
            raise httpx.ConnectError("nobody listens", request=request)
        died = gateway.died
        answering = asyncio.ensure_future(gateway.app.handle_async_request(request))
        watching = asyncio.ensure_future(died.wait())
        try:
            await asyncio.wait({answering, watching}, return_when=asyncio.FIRST_COMPLETED)
            if died.is_set() or not answering.done():
                raise httpx.ReadError("the connection broke", request=request)
            try:
                return answering.result()
            except BaseException as error:
                if gateway.machine.is_gone or _is_gone(error):
                    raise httpx.ReadError("the connection broke", request=request) from None
                raise
        finally:
            for task in (answering, watching):
                task.cancel()
            await asyncio.gather(answering, watching, return_exceptions=True)


@dataclass
class GatewayMachine:
    """The gateway's application over the store in its directory."""

    machine: Machine
    clock: ManualClock
    limits: Limits
    app: httpx.ASGITransport | None = None
    store: Store | None = None
    died: asyncio.Event = field(default_factory=asyncio.Event)
    starts: int = 0
    buried: list[Store] = field(default_factory=list)

    def start(self) -> None:
        """As its process does: the store, then the application. Raises MachineGone."""
        settings = GatewaySettings(home=self.machine.root, limits=self.limits)
        self.died = asyncio.Event()
        loop = asyncio.get_running_loop()
        self.machine.on_gone = lambda: loop.call_soon_threadsafe(self.died.set)
        self.store = Store.open(settings.database_url)
        self.buried.append(self.store)
        self.app = httpx.ASGITransport(create_app(settings, self.store, self.clock))
        self.starts += 1

    async def keep_up(self) -> None:
        """Start it again whenever it is gone."""
        while True:
            try:
                self.machine.revive()
                self.start()
            except (MachineGone, SQLAlchemyError):  # the process ends
                await asyncio.sleep(0.02)
                continue
            await self.died.wait()
            self.app = None
            await asyncio.sleep(0.02)


class TimedSessions(MemorySessions):
    """As between real nodes, nobody waits for ever for the others to come, and a party that died left its chair."""

    @asynccontextmanager
    async def _seat(
        self, kind: str, topic: bytes, needed: int, journal: Journal | None
    ) -> AsyncIterator[MemorySession]:
        table = self._mesh.table(kind, topic, needed)
        if self._own in table.seated:  # of an earlier life
            await _break_up(table)
            table = self._mesh.table(kind, topic, needed)
        table.seated.add(self._own)
        try:
            await table.tell()
            try:
                async with asyncio.timeout(SEAT_SECONDS):
                    await table.until(lambda: table.seated >= set(range(needed)))
            except TimeoutError:
                absent = min(set(range(needed)) - table.seated, default=0)
                raise PeerSilent(
                    absent, f"Party {absent}", step="hello", expected="a connection", found="none"
                ) from None
            yield MemorySession(table, self._own, journal)
        finally:
            if table.seated >= set(range(needed)):
                await _break_up(table)
            else:
                table.seated.discard(self._own)


async def _break_up(table: _Table) -> None:
    table.closed = True
    await asyncio.shield(table.tell())


@dataclass
class NodeMachine:
    """One party's node, put together as parties/node.py does it, without sockets and processes."""

    index: int
    machine: Machine
    paper: PaperCommunity
    clock: ManualClock
    mesh: MemoryMesh
    gateway: GatewayMachine
    starts: int = 0
    endings: list[BaseException] = field(default_factory=list)
    store: ShareStore | None = None
    conductor: Conductor | None = None
    buried: list[ShareStore] = field(default_factory=list)

    def prepare(self, papers: Sequence[PaperCommunity]) -> None:
        """What the operator did before: a pinned community, a sealing key for each study."""
        self.machine.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        home = PartyHome(self.machine.root).pin(self.paper.fingerprint)
        for paper in papers:
            home.write_sealing_key(
                paper.study.terms_digest(),
                paper.sealing_keys[self.index],
                passphrase=None,
                randomness=ScriptedRandomness(b"unused"),
            )

    @property
    def home(self) -> CommunityHome:
        return PartyHome(self.machine.root).pinned_community()

    async def keep_up(self) -> None:
        """Start it again whenever it is gone or has given up."""
        while True:
            self.machine.revive()
            try:
                await self.live()
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001 - a service manager does not ask why
                self.endings.append(error)
            await asyncio.sleep(0.02)

    async def live(self) -> None:
        """Run until the machine is gone; raises what ended it."""
        identity = self.paper.party_keys[self.index]
        place = self.home
        store = ShareStore.open(place.store_path)
        self.buried.append(store)  # a process that is killed closes nothing
        log = open_log(place, store, identity, self.clock)
        log.append("node.started", {"version": "test"})
        wire = Wire(self.gateway)
        async with PartyGateway(GATEWAY_URL, transport=wire, attempts=1) as gateway:
            community = read_community(place)
            while community is None:
                with suppress(Exception):
                    community = await fetch_community(gateway, place, log)
                await asyncio.sleep(0.01)
            intake = Intake(
                store=store,
                log=log,
                home=place,
                community=community,
                identity=identity,
                clock=self.clock,
                randomness=SystemRandomness(),
            )
            reader = SignedReader(identity, randomness=SystemRandomness(), clock=self.clock)
            sender = Outbox(store, gateway, log)
            working = self._conductor(store, log, intake, sender)
            self.store, self.conductor = store, working
            self.starts += 1

            async def poll(*, after: int, wait_seconds: float) -> Any:
                return await gateway.feed(self.index, after=after, wait_seconds=wait_seconds, reader=reader)

            def taken() -> None:
                sender.doorbell.ring()
                working.wake()

            feed = GatewayFeed(
                source=poll,
                intake=intake,
                store=store,
                health=NodeHealth(self.clock),
                long_poll_seconds=1.0,
                on_batch=taken,
            )
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(sender.run())
                tasks.create_task(feed.run())
                tasks.create_task(working.run())
                tasks.create_task(self._delete_in_time(store, log, intake))

    async def _delete_in_time(self, store: ShareStore, log: NodeLog, intake: Intake) -> None:
        while True:
            await asyncio.to_thread(
                retention.destroy_ended_studies, store, log, self.home, intake.community, self.clock()
            )
            await asyncio.sleep(retention.LOOK_SECONDS)

    def _conductor(self, store: ShareStore, log: NodeLog, intake: Intake, sender: Outbox) -> Conductor:
        desk = Desk(
            store=store,
            log=log,
            intake=intake,
            identity=self.paper.party_keys[self.index],
            clock=self.clock,
            wake_outbox=sender.doorbell.ring,
        )

        async def pause(_: float) -> None:
            await asyncio.sleep(0.01)

        async def prepare(study: bytes, roster: bytes) -> Path:
            return await asyncio.to_thread(self._prepare_columns, desk, study, roster)

        return Conductor(
            desk=desk,
            home=self.home,
            sessions=TimedSessions(self.mesh, self.index),
            policy=PartyPolicy(2, 2),
            prepare_columns=prepare,
            pause=pause,
        )

    def _prepare_columns(self, desk: Desk, study: bytes, roster_digest: bytes) -> Path:
        """What `python -m parties.column_builder` does, in this process."""
        directory = self.home.columns_path / roster_digest.hex()
        with desk.store.reading() as view:
            known = desk.know(view, study)
            try:
                column_builder.verify_columns(directory, roster_digest, known.terms)
            except column_builder.ColumnsDamaged:
                roster, entries = desk.roster(view, roster_digest)
                column_builder.build_columns(
                    view,
                    SeedVault(self.home.load_sealing_key(study), study),
                    community=desk.community,
                    terms=known.terms,
                    party=self.index,
                    roster=roster,
                    entries=entries,
                    directory=directory,
                )
        return directory / columns.SHARES

    @contextmanager
    def looking(self) -> Iterator[StoreView]:
        """The node's store as it is on disk now."""
        assert self.store is not None
        with self.store.reading() as view:
            yield view


class MemoryTown:
    """The machines, and who keeps them running."""

    def __init__(self, root: Path, *papers: PaperCommunity, frames_at_once: int = 1_000) -> None:
        """One community; each of `papers` has another study of it."""
        paper = papers[0]
        self.disks = Disks()
        self.mesh = MemoryMesh(paper.m, paper.t)
        self.clock = ManualClock()
        directory = root / GATEWAY
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.gateway = GatewayMachine(
            self.disks.add(GATEWAY, directory), ManualClock(), Limits(feed_batch_items=frames_at_once)
        )
        self.nodes = [
            NodeMachine(
                index,
                self.disks.add(f"party {index}", root / f"party_{index}"),
                paper,
                ManualClock(),
                self.mesh,
                self.gateway,
            )
            for index in range(paper.m)
        ]
        for node in self.nodes:
            if not (node.machine.root / "pinned").exists():
                node.prepare(papers)

    @property
    def machines(self) -> list[Machine]:
        return [self.gateway.machine, *(node.machine for node in self.nodes)]

    def set_clocks(self, now: Any) -> None:
        """What every clock of the town shows."""
        self.gateway.clock.now = now
        for node in self.nodes:
            node.clock.now = now

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Every machine is kept up; everything is closed in the end."""
        with self.disks.watched():
            tasks = [asyncio.create_task(self.gateway.keep_up())]
            tasks += [asyncio.create_task(node.keep_up()) for node in self.nodes]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
        for store in [store for node in self.nodes for store in node.buried] + self.gateway.buried:
            store.close()
        for end in ended:
            if not isinstance(end, asyncio.CancelledError):
                raise AssertionError(f"nobody kept a machine up: {end!r}")

    async def until(
        self, holds: Callable[[], object], what: str, *, seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Poll. Fails telling where every node stands."""
        end = asyncio.get_running_loop().time() + seconds
        while not self._holds(holds):
            if asyncio.get_running_loop().time() > end:
                pytest.fail(f"{what} did not come about. {self.stands()}")
            await asyncio.sleep(0.01)

    @staticmethod
    def _holds(condition: Callable[[], object]) -> bool:
        return bool(condition())

    def stands(self) -> str:
        """For a failed assertion: what each node does and last failed at."""
        found = [f"gateway started {self.gateway.starts} times"]
        for node in self.nodes:
            doing = node.conductor.doing if node.conductor else "not started"
            why = node.conductor.last_failure if node.conductor else None
            found.append(f"party {node.index}: {doing}, last failure {why}, ended by {node.endings[-3:]}")
        return "\n".join(found)


def _is_gone(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_is_gone(inner) for inner in error.exceptions)
    return isinstance(error, MachineGone)
