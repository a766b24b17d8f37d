"""Sockets of a session: one authenticated connection to every other party.

The party of the higher index dials, the other accepts on the socket that its control process bound. While
connecting, a peer may start later, drop out and come back; strangers, garbage and half-open handshakes are
dropped one by one and disturb nobody. Once the session is `watched`, the first failure of a watched peer ends
it: `Mesh.failure` then holds a typed error that names the peer.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from parties.errors import PartyError, PeerAborted, PeerFailure, PeerIdentityRefused, PeerUnreachable
from parties.mesh_frames import Abort
from parties.mesh_identity import (
    MeshCredentials,
    PinnedPeer,
    accepting_context,
    dialing_context,
    key_hash_of,
    peers_by_key,
)
from parties.peer_channel import PeerChannel
from parties.time_limits import TimeLimits
from parties.tls_connection import connect, readable, shake_hands

MAX_HALF_OPEN = 64
_SHUTDOWN_SECONDS = 1.0


class Mesh:
    """The open connections of one session, made by `open_mesh`; `refused` counts the dropped ones."""

    def __init__(self, own_index: int, peers: Mapping[int, PinnedPeer], limits: TimeLimits) -> None:
        self.own_index = own_index
        self.peers = peers
        self.limits = limits
        self.channels: dict[int, PeerChannel] = {}
        self.refused = 0
        self.failure: asyncio.Future[PartyError] = asyncio.get_running_loop().create_future()
        self._watched: frozenset[int] = frozenset()
        self._grace: asyncio.TimerHandle | None = None

    @property
    def bytes_sent(self) -> int:
        """Bytes of all messages sent so far, with their frame headers (before TLS)."""
        return sum(channel.bytes_sent for channel in self.channels.values())

    def watch(self, parties: Iterable[int]) -> None:
        """From now on a failure of one of these peers is the session's."""
        self._watched = frozenset(parties) - {self.own_index}
        for index in self._watched:
            channel = self.channels.get(index)
            if channel is None:
                self.fail(_unreachable(self.peers[index], "watching the session"))
            elif channel.failure is not None:
                self.channel_failed(channel, channel.failure)

    def channel_failed(self, channel: PeerChannel, error: PartyError) -> None:
        """Note the failure of a channel; an abort waits a moment for a cause that this party sees itself."""
        if channel.peer.index not in self._watched or self.failure.done():
            return
        if not isinstance(error, PeerAborted):
            self.fail(error)
        elif self._grace is None:
            loop = asyncio.get_running_loop()
            self._grace = loop.call_later(self.limits.heartbeat_seconds * 1.5, self.fail, error)

    def fail(self, error: PartyError) -> None:
        """End the session with `error`; only the first counts."""
        if self._grace is not None:
            self._grace.cancel()
        if not self.failure.done():
            self.failure.set_result(error)

    async def cause_of(self, error: PartyError) -> PartyError:
        """The error that ends the session: for an abort, what this party itself finds wrong if it does."""
        if not (isinstance(error, PeerAborted) and error.peer in self._watched):
            self.fail(error)
        return await self.failure

    async def close(self, abort: Abort) -> None:
        """Tell every peer why and close; returns when all is flushed or a moment has passed."""
        for channel in self.channels.values():
            channel.close(abort)
        if self._grace is not None:
            self._grace.cancel()
        deadline = asyncio.get_running_loop().time() + _SHUTDOWN_SECONDS
        while any(not channel.gone for channel in self.channels.values()):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.01)


class _Connecting:
    """The connect phase: accepts and dials until the wanted peers are there."""

    def __init__(
        self,
        mesh: Mesh,
        listening_socket: socket.socket,
        own: MeshCredentials,
        *,
        needed: int,
    ) -> None:
        self._mesh = mesh
        self._limits = mesh.limits
        self._socket = listening_socket
        self._own = own
        self._by_key = peers_by_key(mesh.peers)
        self._needed = needed
        self._changed = asyncio.Event()
        self._half_open: OrderedDict[asyncio.Task[None], None] = OrderedDict()
        self._why: dict[int, str] = {}
        self._impostors: set[int] = set()
        self._unready: set[PeerChannel] = set()  # connections that have not both shaken hands and spoken
        self._spoken: set[PeerChannel] = set()
        self._shaken: set[PeerChannel] = set()
        self._ever_connected: set[int] = set()
        self._open = True

    async def run(self) -> None:
        """Returns when all peers are connected, or at the deadline when enough are; else raises."""
        mesh = self._mesh
        tasks = [asyncio.create_task(self._accept())]
        tasks += [
            asyncio.create_task(self._dial(peer))
            for peer in mesh.peers.values()
            if peer.index < mesh.own_index
        ]
        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                while len(mesh.channels) < len(mesh.peers):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            if len(mesh.channels) < self._needed:
                raise self._missing() from None
        finally:
            self._open = False
            for task in [*tasks, *self._half_open]:
                task.cancel()
            await asyncio.gather(*tasks, *self._half_open, return_exceptions=True)
            for channel in self._unready:
                channel.close()

    def _missing(self) -> PeerFailure:
        """Name a party that was never there before one that was there and gave up for the same reason."""
        absent = [index for index in self._mesh.peers if index not in self._mesh.channels]
        peer = self._mesh.peers[min(absent, key=lambda index: (index in self._ever_connected, index))]
        expected = f"a connection within {self._limits.connect_seconds:g} seconds"
        kind = PeerIdentityRefused if peer.index in self._impostors else PeerUnreachable
        found = self._why.get(peer.index, "none")
        return kind(peer.index, peer.name, step="connecting", expected=expected, found=found)

    # accepting -------------------------------------------------------------------------------------------

    async def _accept(self) -> None:
        context = accepting_context(self._own, self._mesh.peers.values())
        while True:
            try:
                connection, _ = self._socket.accept()
            except BlockingIOError:
                await readable(self._socket)
                continue
            except OSError:  # out of descriptors, or the connection is gone already: try the next
                await asyncio.sleep(0.05)
                continue
            if len(self._half_open) >= MAX_HALF_OPEN:
                # An honest handshake takes milliseconds: whoever has been at it longest goes.
                oldest, _ = self._half_open.popitem(last=False)
                oldest.cancel()
            task = asyncio.create_task(self._greet(connection, context))
            self._half_open[task] = None
            task.add_done_callback(functools.partial(self._greeted, connection))
            await asyncio.sleep(0)  # however many come, handshakes and whoever was put out have their turn

    def _greeted(self, connection: socket.socket, task: asyncio.Task[None]) -> None:
        self._half_open.pop(task, None)
        if task.cancelled():  # perhaps before it began: then nobody else closes the socket
            connection.close()

    async def _greet(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        try:
            channel = await shake_hands(
                connection,
                context,
                lambda: self._channel(lambda peer: peer.index > self._mesh.own_index),
                server_side=True,
                timeout_seconds=self._limits.handshake_seconds,
            )
            self._handshake_done(channel)
        except (OSError, TimeoutError):  # ssl.SSLError is an OSError: garbage, no or a wrong certificate
            self._mesh.refused += 1

    # dialing ---------------------------------------------------------------------------------------------

    async def _dial(self, peer: PinnedPeer) -> None:
        context = dialing_context(self._own, peer)
        pause = self._limits.handshake_seconds / 100
        while True:
            try:
                async with asyncio.timeout(self._limits.handshake_seconds):
                    channel = await shake_hands(
                        await connect(peer.host, peer.port),
                        context,
                        lambda: self._channel(lambda found: found.index == peer.index),
                        server_side=False,
                        timeout_seconds=self._limits.handshake_seconds,
                    )
                self._handshake_done(channel)
                await channel.wait_gone()
                self._why[peer.index] = "a connection that ended before the session began"
            except ssl.SSLCertVerificationError:
                self._impostors.add(peer.index)
                self._why[peer.index] = "another certificate than the pinned one"
            except (OSError, TimeoutError) as error:
                self._why[peer.index] = f"no answer ({type(error).__name__})"
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, self._limits.handshake_seconds / 5)

    # both ------------------------------------------------------------------------------------------------

    def _channel(self, fits: Callable[[PinnedPeer], bool]) -> PeerChannel:
        def identify(certificate: bytes) -> PinnedPeer | None:
            peer = self._by_key.get(key_hash_of(certificate))
            if peer is None or not self._open or not fits(peer):
                self._mesh.refused += 1
                return None
            return peer

        channel = PeerChannel(self._limits, identify=identify, on_heard=self._heard, on_failure=self._failed)
        self._unready.add(channel)
        return channel

    def _heard(self, channel: PeerChannel) -> None:
        self._spoken.add(channel)
        self._consider(channel)

    def _handshake_done(self, channel: PeerChannel) -> None:
        self._shaken.add(channel)
        self._consider(channel)

    def _consider(self, channel: PeerChannel) -> None:
        """A connection counts when asyncio has handed it over and its peer has spoken, in whatever order."""
        if channel not in self._unready or channel not in self._spoken or channel not in self._shaken:
            return
        if not self._open:
            return
        self._unready.discard(channel)
        before = self._mesh.channels.get(channel.peer.index)
        if before is not None:  # the peer started again: the newest connection is the living one
            before.close()
        self._mesh.channels[channel.peer.index] = channel
        self._ever_connected.add(channel.peer.index)
        self._changed.set()

    def _failed(self, channel: PeerChannel, error: PartyError) -> None:
        self._unready.discard(channel)
        if not self._open:
            self._mesh.channel_failed(channel, error)
        elif self._mesh.channels.get(channel.peer.index) is channel:
            del self._mesh.channels[channel.peer.index]
            self._changed.set()


async def open_mesh(
    own_index: int,
    pinned_peers: Mapping[int, PinnedPeer],
    listening_socket: socket.socket,
    own: MeshCredentials,
    limits: TimeLimits,
    *,
    needed_peers: int | None = None,
) -> Mesh:
    """Connect to every pinned peer, or at the deadline to at least `needed_peers` (default: all).

    Raises PeerUnreachable or PeerIdentityRefused naming the first peer that is missing, and ValueError if two
    parties share a key. The caller ends with `Mesh.close`.
    """
    listening_socket.setblocking(False)
    mesh = Mesh(own_index, pinned_peers, limits)
    needed = len(pinned_peers) if needed_peers is None else needed_peers
    connecting = _Connecting(mesh, listening_socket, own, needed=needed)
    try:
        await connecting.run()
    except BaseException:
        await mesh.close(Abort("not_connected", None))
        raise
    return mesh


def _unreachable(peer: PinnedPeer, step: str) -> PeerUnreachable:
    return PeerUnreachable(peer.index, peer.name, step=step, expected="a connection", found="none")


def live_parties(mesh: Mesh) -> tuple[int, ...]:
    """This party and the peers whose connections stand, ascending."""
    connected = [index for index, channel in mesh.channels.items() if channel.failure is None]
    return tuple(sorted([mesh.own_index, *connected]))
