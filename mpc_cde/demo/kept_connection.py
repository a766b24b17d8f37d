"""A member's connection to a gateway on this machine, as bare as one can be.

In the field every member has a machine to itself and any HTTP client is fast enough. Here one process plays all of
them, and a general client's pools, proxies and protocol machines would cost more than sharing and sealing.
"""

from __future__ import annotations

import asyncio

import httpx

from mpc_cde.client.http import MAX_ANSWER_BYTES

MAX_HEAD_BYTES = 1 << 16


class KeptConnection(httpx.AsyncBaseTransport):
    """One request after another over one TCP connection in plain HTTP/1.1; opened again once closed."""

    def __init__(self) -> None:
        self._stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx.TransportError for whatever the network does."""
        try:
            reader, writer = await self._open(request.url)
            writer.write(_head_of(request) + await request.aread())
            await writer.drain()
            status, headers = _parse_head(await reader.readuntil(b"\r\n\r\n"))
            length = headers.get("content-length", "")
            if not length.isdecimal() or int(length) > MAX_ANSWER_BYTES:
                raise httpx.RemoteProtocolError("expected an answer that says its length, within reason")
            content = await reader.readexactly(int(length))
        except (
            OSError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            httpx.TransportError,
        ) as error:
            await self.aclose()
            if isinstance(error, httpx.TransportError):
                raise
            raise httpx.ReadError(type(error).__name__) from error
        except BaseException:  # given up in the middle: what the answer would be no other request may read
            await self.aclose()
            raise
        if headers.get("connection", "").lower() == "close":
            await self.aclose()
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(content))

    async def aclose(self) -> None:
        if self._stream is not None:
            self._stream[1].close()
            self._stream = None

    async def _open(self, url: httpx.URL) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._stream is not None and self._stream[0].at_eof():
            await self.aclose()
        if self._stream is None:
            if url.scheme != "http":
                raise httpx.UnsupportedProtocol("a gateway on this machine is reached by plain HTTP")
            self._stream = await asyncio.open_connection(url.host, url.port or 80, limit=MAX_HEAD_BYTES)
        return self._stream


def _head_of(request: httpx.Request) -> bytes:
    lines = [request.method.encode() + b" " + request.url.raw_path + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in request.headers.raw]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _parse_head(head: bytes) -> tuple[int, httpx.Headers]:
    first, *lines = head[:-4].split(b"\r\n")
    words = first.split(b" ", 2)
    pairs = [line.partition(b":")[::2] for line in lines]
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise httpx.RemoteProtocolError("expected an answer in HTTP/1.1")
    return int(words[1]), httpx.Headers([(name.strip(), value.strip()) for name, value in pairs])
