"""The control process of a party: everything that runs as long as the node does, wired and owned by one task group.

Operations pages and the outbox come first, so that the party's own signature on the community gets out;
once every party has signed the community, the feed is followed. Each task finds on disk where it left off,
so a node that was killed goes on as if it had slept.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.metadata import version

import anyio
import structlog
from anyio import to_thread

from mpc_cde.documents.canonical import timestamp_of
from mpc_cde.documents.community import Community
from mpc_cde.errors import CallerError, Conflict, MpcCdeError, OwnError
from mpc_cde.keys import Passphrase, SigningKey
from mpc_cde.reader_signatures import SignedReader
from parties.ceremony import read_community, verify_own_place
from parties.clock import Clock, system_clock
from parties.computing_side import computing_side
from parties.conductor import Conductor
from parties.gateway_client import FeedPage, PartyGateway
from parties.gateway_feed import GatewayFeed
from parties.intake import Intake
from parties.listening import bind
from parties.log import NodeLog
from parties.node_health import NodeHealth
from parties.opener_process import OpenerProcess
from parties.opening import fetch_community, open_log
from parties.operations import create_operations_app, serve_operations
from parties.outbox import Outbox
from parties.party_home import CommunityHome, PartyHome
from parties.retention import LOOK_SECONDS, destroy_ended_studies
from parties.settings import PartySettings, read_settings
from parties.share_store import ShareStore
from protocols.randomness import Randomness, SystemRandomness

COMMUNITY_POLL_SECONDS = 1.0
_remarks = structlog.get_logger("mpc-party")


@dataclass(frozen=True, slots=True)
class Node:
    """The opened parts of a node: what every task takes what it needs from.

    `mesh_socket` is bound and listening.
    """

    home: PartyHome
    place: CommunityHome
    settings: PartySettings
    identity: SigningKey
    passphrase: Passphrase | None
    clock: Clock
    randomness: Randomness
    store: ShareStore
    log: NodeLog
    gateway: PartyGateway
    outbox: Outbox
    health: NodeHealth
    mesh_socket: socket.socket
    operations_socket: socket.socket


async def run_node(
    home: PartyHome,
    *,
    passphrase: Passphrase | None = None,
    clock: Clock = system_clock,
    randomness: Randomness | None = None,
) -> None:
    """Run until cancelled. Raises CallerError for a home that is not set up or is in use, OwnError for damage."""
    async with open_node(
        home, passphrase=passphrase, clock=clock, randomness=randomness or SystemRandomness()
    ) as node:
        app = create_operations_app(node.health, node.store)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve_operations, app, node.operations_socket)
            tasks.start_soon(node.outbox.run)
            tasks.start_soon(_follow, node)


async def _follow(node: Node) -> None:
    """What needs the community: the feed and, behind it, everything that computes."""
    community = await await_community(node)
    intake = Intake(
        store=node.store,
        log=node.log,
        home=node.place,
        community=community,
        identity=node.identity,
        clock=node.clock,
        randomness=node.randomness,
        passphrase=node.passphrase,
        opener=OpenerProcess(limits=node.settings.limits),
    )
    reader = SignedReader(node.identity, randomness=node.randomness, clock=node.clock)

    async def poll(*, after: int, wait_seconds: float) -> FeedPage:
        return await node.gateway.feed(
            intake.own_index, after=after, wait_seconds=wait_seconds, reader=reader
        )

    conductor = computing_side(node, intake)

    feed = GatewayFeed(
        source=poll,
        intake=intake,
        store=node.store,
        health=node.health,
        long_poll_seconds=node.settings.limits.long_poll_seconds,
        on_batch=node.outbox.doorbell.ring,
        on_change=conductor.wake,
    )
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(feed.run)
            tasks.start_soon(_delete_in_time, node, intake)
            await compute_after_reading(
                feed,
                conductor,
                health=node.health,
                log=node.log,
                within_seconds=node.settings.limits.catch_up_seconds,
            )
    finally:
        intake.rest()


async def compute_after_reading(
    feed: GatewayFeed, conductor: Conductor, *, health: NodeHealth, log: NodeLog, within_seconds: float
) -> None:
    """Decide and compute for ever, from when the feed was read to its end: what came while the node was down counts.

    A gateway that brings something new for ever is waited for so long and no longer; the log then says
    "feed.end_not_reached".
    """
    health.is_catching_up = True
    if not await feed.await_end(within_seconds=within_seconds):
        _remarks.warning("computing without having read the feed to its end", seconds=within_seconds)
        log.append("feed.end_not_reached", {"number": health.feed_number})
    health.is_catching_up = False
    await conductor.run()


async def _delete_in_time(node: Node, intake: Intake) -> None:
    """Now and then destroy what this party holds of studies that are over."""
    while True:
        await to_thread.run_sync(
            destroy_ended_studies, node.store, node.log, node.place, intake.community, node.clock()
        )
        await anyio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def open_node(
    home: PartyHome, *, passphrase: Passphrase | None, clock: Clock, randomness: Randomness
) -> AsyncIterator[Node]:
    """Everything opened and bound, closed again at the end; `run.json` says what is listened on meanwhile."""
    home.verify()
    settings = read_settings(home.settings_path)
    identity = home.load_identity(passphrase)
    place = home.pinned_community()
    place.make()
    with ExitStack() as stack:
        stack.enter_context(only_node(home))
        mesh_socket = stack.enter_context(_bound(settings.mesh.host, settings.mesh.port, "mesh"))
        operations_socket = stack.enter_context(
            _bound(settings.operations.host, settings.operations.port, "operations")
        )
        store = ShareStore.open(place.store_path)
        stack.callback(store.close)
        log = open_log(place, store, identity, clock)
        async with PartyGateway(settings.gateway, attempts=2) as gateway:
            node = Node(
                home=home,
                place=place,
                settings=settings,
                identity=identity,
                passphrase=passphrase,
                clock=clock,
                randomness=randomness,
                store=store,
                log=log,
                gateway=gateway,
                outbox=Outbox(store, gateway, log),
                health=NodeHealth(clock),
                mesh_socket=mesh_socket,
                operations_socket=operations_socket,
            )
            _tell(node)
            try:
                yield node
            finally:
                log.append("node.stopped")
                home.remove_run_file()


def _tell(node: Node) -> None:
    """To other programs, to the log, to whoever reads standard error."""
    operations_host, operations_port = node.operations_socket.getsockname()[:2]
    mesh_host, mesh_port = node.mesh_socket.getsockname()[:2]
    facts: dict[str, str | int] = {
        "pid": os.getpid(),
        "operations": f"http://{_bracketed(operations_host)}:{operations_port}",
        "mesh": f"{_bracketed(mesh_host)}:{mesh_port}",
        "gateway": node.settings.gateway,
        "started": timestamp_of(node.clock()),
    }
    node.home.write_run_file(facts)
    node.log.append("node.started", {"version": version("mpc-cde")})
    _remarks.info("node started", **facts)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@contextmanager
def only_node(home: PartyHome) -> Iterator[None]:
    """Two nodes of one party would answer differently. Raises Conflict if one runs here already."""
    descriptor = os.open(home.lock_path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"{home.path}: a node runs here already", hint="see: mpc-party status") from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _bound(host: str, port: int, what: str) -> Iterator[socket.socket]:
    try:
        listening = bind(host, port)
    except OSError as error:
        raise CallerError(
            f"cannot listen for {what} on {_bracketed(host)}:{port}: {error.strerror}",
            hint="another program may hold the port; change it in party.toml",
        ) from None
    with listening:
        yield listening


async def await_community(node: Node) -> Community:
    """The newest version signed by all, from disk or from the gateway as soon as it serves one."""
    known = await to_thread.run_sync(read_community, node.place)
    while known is None:
        try:
            known = await fetch_community(node.gateway, node.place, node.log)
        except OwnError:
            raise
        except MpcCdeError as error:
            node.health.waiting_for = f"the community ({error})"
            await anyio.sleep(COMMUNITY_POLL_SECONDS)
    verify_own_place(node.home, node.identity, known)
    node.health.community_stands = True
    return known
