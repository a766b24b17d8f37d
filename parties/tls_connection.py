"""A TLS connection on the event loop that moves bytes between a socket and memory of their owner, without copies.

asyncio's own TLS passes every byte through two buffers in memory and a dozen Python calls a record; here OpenSSL
reads from the socket into what the protocol gives (`get_buffer`), and writes to the socket from what it was
given. What is written must not change until it is sent. Everything happens on the event loop's thread.

The protocol is an `asyncio.BufferedProtocol`; there is no pause of writing, since nothing is copied to wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import TypeVar

P = TypeVar("P", bound=asyncio.BufferedProtocol)

RECORD_BYTES = 16 << 10
_AT_ONCE = 64
"""Records read or written before other work of the event loop has its turn."""
_LINGER_SECONDS = 1.0


class TlsConnection(asyncio.BaseTransport):
    """Made by `shake_hands`; its protocol hears of its end exactly once, by `connection_lost`."""

    def __init__(self, tls: ssl.SSLSocket, protocol: asyncio.BufferedProtocol) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._tls = tls
        self._descriptor = tls.fileno()
        self._protocol = protocol
        self._unsent: deque[memoryview] = deque()
        self._reading = self._writing = False
        self._closing = self._lost = self._said_goodbye = False
        self._linger: asyncio.TimerHandle | None = None

    @property
    def peer_certificate(self) -> bytes | None:
        """DER, as it was verified in the handshake."""
        return self._tls.getpeercert(binary_form=True)

    @property
    def tls_version(self) -> str | None:
        return self._tls.version()

    @property
    def is_sending(self) -> bool:
        """Whether something waits for the peer to read."""
        return bool(self._unsent)

    def is_closing(self) -> bool:
        return self._closing

    def begin(self) -> None:
        """Tell the protocol, and read."""
        self._protocol.connection_made(self)
        self.resume_reading()

    # sending ---------------------------------------------------------------------------------------------

    def write(self, *pieces: bytes | memoryview) -> None:
        """Send pieces in order, as far as the socket takes them now and the rest when it can."""
        if self._closing:
            return
        self._unsent.extend(memoryview(piece) for piece in pieces if len(piece))
        if not self._writing:
            self._send()

    def _send(self) -> None:
        try:
            for _ in range(_AT_ONCE):
                if not self._unsent:
                    break
                piece = self._unsent[0]
                sent = self._tls.send(piece[:RECORD_BYTES])
                if sent == len(piece):
                    self._unsent.popleft()
                else:
                    self._unsent[0] = piece[sent:]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        except OSError as error:
            self._end(error)
            return
        self._watch_writing(bool(self._unsent))
        if self._closing and not self._unsent:
            self._say_goodbye()

    def _watch_writing(self, wanted: bool) -> None:
        if wanted and not self._writing:
            self._loop.add_writer(self._descriptor, self._send)
        elif self._writing and not wanted:
            self._loop.remove_writer(self._descriptor)
        self._writing = wanted

    # reading ---------------------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        """Read no more, so that TCP makes the peer wait."""
        if self._reading:
            self._loop.remove_reader(self._descriptor)
            self._reading = False

    def resume_reading(self) -> None:
        if not self._reading and not self._lost:
            self._loop.add_reader(self._descriptor, self._receive)
            self._reading = True
            if self._tls.pending():  # OpenSSL holds it already: the socket will not tell
                self._loop.call_soon(self._receive)

    def _receive(self) -> None:
        """Fill what the protocol gives, record by record; it is told before the buffer or the socket runs out."""
        try:
            for _ in range(_AT_ONCE):
                if not self._reading or self._said_goodbye:
                    break
                if not self._fill(memoryview(self._protocol.get_buffer(-1))):
                    return
        except OSError as error:
            self._end(error)
            return
        if self._said_goodbye:
            self._drain()
        elif self._reading and self._tls.pending():
            self._loop.call_soon(self._receive)

    def _fill(self, buffer: memoryview) -> bool:
        """Whether more may be there at once."""
        filled, more = 0, True
        try:
            while more and filled < len(buffer):
                count = self._tls.recv_into(buffer[filled:])
                if not count:
                    self._told(filled)
                    self._end(None)
                    return False
                filled += count
                more = count == RECORD_BYTES or self._tls.pending() > 0
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            more = False
        self._told(filled)
        return more

    def _told(self, filled: int) -> None:
        if filled:
            self._protocol.buffer_updated(filled)

    # ending ----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End in order: what was written goes out, then word of the end; what still comes in is dropped."""
        if self._closing:
            return
        self._closing = True
        self._linger = self._loop.call_later(_LINGER_SECONDS, self.abort)
        if not self._writing:
            self._send()

    def abort(self) -> None:
        """End at once."""
        self._closing = True
        self._end(None)

    def _say_goodbye(self) -> None:
        """A socket that is closed with unread bytes takes back what it sent last: so read until the peer ends."""
        if self._said_goodbye or self._lost:
            return
        self._said_goodbye = True
        with contextlib.suppress(OSError, ValueError):  # the peer's own word comes later, or not at all
            self._tls.unwrap()
        try:
            self._tls.shutdown(socket.SHUT_WR)  # from here on the socket is read without TLS, and dropped
        except OSError as error:
            self._end(error)
            return
        self.resume_reading()

    def _drain(self) -> None:
        try:
            while os.read(self._descriptor, 1 << 16):
                pass
        except BlockingIOError:
            return
        except OSError:
            pass
        self._end(None)

    def _end(self, error: Exception | None) -> None:
        if self._lost:
            return
        self._lost = self._closing = True
        if self._linger is not None:
            self._linger.cancel()
        self._watch_writing(False)
        self.pause_reading()
        self._unsent.clear()
        self._tls.close()
        self._loop.call_soon(self._protocol.connection_lost, error)


async def connect(host: str, port: int) -> socket.socket:
    """A TCP connection to the first address of `host` that takes one. Raises OSError."""
    loop = asyncio.get_running_loop()
    refused: OSError = OSError(f"no address of {host}")
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        connecting = socket.socket(family, kind, protocol)
        connecting.setblocking(False)
        try:
            await loop.sock_connect(connecting, address)
        except OSError as error:
            refused = error
            connecting.close()
        except BaseException:  # cancelled: nobody else could close it
            connecting.close()
            raise
        else:
            return connecting
    raise refused


async def shake_hands(
    connected: socket.socket,
    context: ssl.SSLContext,
    make_protocol: Callable[[], P],
    *,
    server_side: bool,
    timeout_seconds: float,
) -> P:
    """TLS over a connected socket, which is used up; the protocol, which knows its connection by then.

    Raises OSError (ssl.SSLError is one) or TimeoutError; then nothing stays open.
    """
    connected.setblocking(False)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tls = context.wrap_socket(connected, server_side=server_side, do_handshake_on_connect=False)
    try:
        async with asyncio.timeout(timeout_seconds):
            await _handshake(tls)
    except BaseException:  # refused, late or cancelled: nothing stays open
        tls.close()
        raise
    protocol = make_protocol()
    TlsConnection(tls, protocol).begin()
    return protocol


async def _handshake(tls: ssl.SSLSocket) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            tls.do_handshake()
            return
        except ssl.SSLWantReadError:
            await _ready(tls.fileno(), loop.add_reader, loop.remove_reader)
        except ssl.SSLWantWriteError:
            await _ready(tls.fileno(), loop.add_writer, loop.remove_writer)


async def readable(listening: socket.socket) -> None:
    """Wait until a connection can be accepted: at once then, since what a cancelled wait has accepted is lost."""
    loop = asyncio.get_running_loop()
    await _ready(listening.fileno(), loop.add_reader, loop.remove_reader)


async def _ready(descriptor: int, watch: Callable[..., None], unwatch: Callable[[int], bool]) -> None:
    ready = asyncio.Event()
    watch(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        unwatch(descriptor)
