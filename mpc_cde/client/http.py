"""The only module of the client that touches the network: one gateway, with retries and plain errors.

Every request may be repeated: a POST is named by the digest of its content, so a lost answer costs nothing.
What comes back is bounded in size and is believed in nothing; verification comes after.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache, partial
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias

import anyio
import httpx
import stamina

from mpc_cde.body_parts import DOCUMENTS_MEDIA_TYPE, MAX_DOCUMENTS
from mpc_cde.documents.canonical import parse_strict_json
from mpc_cde.documents.envelope import Envelope
from mpc_cde.errors import BadDocument, CallerError, Conflict, NotFound, TooLarge, TransportError
from mpc_cde.problem_documents import coded_detail

MAX_ANSWER_BYTES = 64 << 20
MAX_EVENT_BYTES = 1 << 20
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
WHOLE_ANSWER_SECONDS = 300.0
"""Between a request and the end of its answer: whoever sends a byte a minute is not waited for."""
ATTEMPTS = 5
RETRIED_STATUSES = frozenset({429, 502, 503, 504})
JSON = "application/json"

Transport: TypeAlias = httpx.AsyncBaseTransport


class Reader(Protocol):
    """Who reads what is not for everybody: signs each request (RFC 9421)."""

    def headers(self, method: str, url: str) -> Mapping[str, str]: ...


class GatewayRefused(CallerError):
    """The gateway refused the request; `problem` is the stable type of its problem document."""

    def __init__(self, message: str, *, status: int, problem: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.problem = problem


class GatewayFailed(TransportError):
    """The gateway did not do its work: an answer of 5xx, or one that is no answer of a gateway."""


class _TryAgain(Exception):
    """Tells stamina that another attempt is worth it; never leaves this module."""

    def __init__(self, error: Exception, after_seconds: float | None) -> None:
        super().__init__()
        self.error = error
        self.after_seconds = after_seconds


class GatewayClient:
    """A connection to one gateway.

    `transport` replaces the network, and is asked directly: what a client of the whole web adds to a request
    (cookies, redirects, logins) no gateway uses, and it costs more than sharing and sealing.
    """

    def __init__(
        self,
        url: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        attempts: int = ATTEMPTS,
        connections: int = 16,
    ) -> None:
        self.url = checked_url(url)
        self._attempts = attempts
        self._timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        by_environment = not _is_local(httpx.URL(self.url))  # a proxy has no business with this machine
        self._client = httpx.AsyncClient(
            base_url=self.url,
            transport=transport,
            timeout=self._timeout,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            follow_redirects=False,
            trust_env=by_environment,
            verify=_trusted_authorities(by_environment=by_environment)
            if self.url.startswith("https:")
            else _trusts_nobody(),
        )
        self._exchange: Callable[[httpx.Request], Awaitable[httpx.Response]] = (
            partial(self._client.send, stream=True) if transport is None else transport.handle_async_request
        )
        self._headers = dict(self._client.headers)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._client.__aexit__(kind, error, traceback)

    async def get(
        self, path: str, *, reader: Reader | None = None, parameters: Mapping[str, str] | None = None
    ) -> Any:
        """The JSON behind a path. Raises NotFound, GatewayRefused, GatewayFailed."""
        return _json_of(await self._request("GET", path, reader=reader, parameters=parameters))

    async def get_text(self, path: str, *, accept: str, reader: Reader | None = None) -> str:
        """What a path holds in another media type, such as text/csv."""
        answer = await self._request("GET", path, reader=reader, headers={"Accept": accept})
        return answer.content.decode("utf-8", errors="replace")

    async def post(self, path: str, envelope: Envelope) -> Any:
        """Hand in one signed document; handing it in again is harmless. Raises Conflict and as `get`."""
        content = envelope.to_json()
        return _json_of(await self._request("POST", path, content=content, headers={"Content-Type": JSON}))

    async def post_several(self, path: str, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        """Hand in many documents of one type with one request: for each None, or why it was refused.

        For parties and registrars. Raises as `get` where the request itself failed.
        """
        outcomes: list[Exception | None] = []
        for start in range(0, len(envelopes), MAX_DOCUMENTS):
            part = envelopes[start : start + MAX_DOCUMENTS]
            content = b"\n".join(envelope.to_json() for envelope in part)
            answer = await self._request(
                "POST", path, content=content, headers={"Content-Type": DOCUMENTS_MEDIA_TYPE}
            )
            outcomes += self._outcomes_of(_json_of(answer), len(part))
        return outcomes

    async def post_parts(self, path: str, parts: Sequence[tuple[str, bytes, str]]) -> Any:
        """Hand in a multipart body of (name, content, media type), in this order."""
        content, media_type = multipart_body(parts)
        return _json_of(
            await self._request("POST", path, content=content, headers={"Content-Type": media_type})
        )

    async def events(self, path: str) -> AsyncGenerator[dict[str, Any], None]:
        """The data of a stream of server-sent events, until either side ends it. Raises as `get`."""
        try:
            async with self._client.stream("GET", path) as answer:
                if answer.status_code != 200:
                    content = await self._read(answer)
                    raise self._error_of(
                        httpx.Response(answer.status_code, headers=_plain(answer.headers), content=content)
                    )
                async for line in self._lines(answer):
                    if line.startswith(b"data:"):
                        value = _parsed_json(line[5:].strip())
                        if isinstance(value, dict):
                            yield value
        except httpx.HTTPError as error:
            raise self._unreachable(str(error) or type(error).__name__) from None

    async def _request(
        self,
        method: str,
        path: str,
        *,
        reader: Reader | None = None,
        parameters: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        async def attempt() -> httpx.Response:
            request = httpx.Request(
                method,
                self.url + path,
                params=parameters,
                content=content,
                headers={**self._headers, **(headers or {})},
                extensions={"timeout": self._timeout.as_dict()},
            )
            if reader is not None:  # signed anew each time, since a nonce serves once
                request.headers.update(reader.headers(method, str(request.url)))
            return await self._send(request)

        try:
            return await attempt()  # mostly the only one, so without what retries need
        except _TryAgain as error:
            failed = [error]
        try:
            async for again in stamina.retry_context(on=_backoff, attempts=self._attempts, timeout=120):
                with again:
                    if failed:
                        raise failed.pop()
                    return await attempt()
        except _TryAgain as last:
            raise last.error from None
        raise AssertionError("retries end in an answer or an error")

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            with anyio.fail_after(WHOLE_ANSWER_SECONDS):
                answer = await self._exchange(request)
                try:
                    content = await self._read(answer)
                finally:
                    await answer.aclose()
        except httpx.HTTPError as error:
            raise _TryAgain(self._unreachable(str(error) or type(error).__name__), None) from None
        except TimeoutError:
            slow = f"no whole answer within {WHOLE_ANSWER_SECONDS:g} seconds"
            raise _TryAgain(self._unreachable(slow), None) from None
        whole = httpx.Response(answer.status_code, headers=_plain(answer.headers), content=content)
        if whole.is_success:
            return whole
        failure = self._error_of(whole)
        if whole.status_code in RETRIED_STATUSES:
            raise _TryAgain(failure, _retry_after(whole))
        raise failure

    async def _read(self, answer: httpx.Response) -> bytes:
        pieces: list[bytes] = []
        size = 0
        async for piece in answer.aiter_bytes():
            size += len(piece)
            if size > MAX_ANSWER_BYTES:
                raise TooLarge(
                    f"{self.url} answered with more than {MAX_ANSWER_BYTES} bytes",
                    max_bytes=MAX_ANSWER_BYTES,
                    address=self.url,
                )
            pieces.append(piece)
        return b"".join(pieces)

    async def _lines(self, answer: httpx.Response) -> AsyncGenerator[bytes, None]:
        """The whole lines of a stream as they come."""
        begun = b""
        async for piece in answer.aiter_bytes():
            *whole, begun = (begun + piece).split(b"\n")
            for line in whole:
                yield line
            if len(begun) > MAX_EVENT_BYTES:
                raise TooLarge(
                    f"{self.url} sent an event of more than {MAX_EVENT_BYTES} bytes",
                    max_bytes=MAX_EVENT_BYTES,
                    address=self.url,
                )

    def _unreachable(self, reason: str) -> TransportError:
        return TransportError(f"the gateway at {self.url} cannot be reached: {reason}", address=self.url)

    def _outcomes_of(self, answer: Any, count: int) -> list[Exception | None]:
        documents = answer.get("documents") if isinstance(answer, dict) else None
        if not isinstance(documents, list) or len(documents) != count:
            raise GatewayFailed(f"the gateway's answer does not speak of {count} documents", address=self.url)
        outcomes: list[Exception | None] = []
        for each in documents:
            status = each.get("status") if isinstance(each, dict) else None
            if not isinstance(status, int):
                raise GatewayFailed("the gateway's answer has no status of a document", address=self.url)
            problem = each.get("problem")
            is_kept = status in (200, 201)
            outcomes.append(
                None if is_kept else self._error(status, problem if isinstance(problem, dict) else {})
            )
        return outcomes

    def _error_of(self, answer: httpx.Response) -> Exception:
        """A problem document (RFC 9457) as the error of whoever is at fault."""
        problem = _problem_of(answer)
        if problem is None:
            return GatewayFailed(
                f"{self.url} answered {answer.status_code} without a problem document; is it a gateway?",
                address=self.url,
            )
        return self._error(answer.status_code, problem)

    def _error(self, status: int, problem: Mapping[str, Any]) -> Exception:
        title = _text(problem, "title") or f"status {status}"
        detail = _text(problem, "detail")
        message = coded_detail(problem, f"{title}: {detail}" if detail and detail != title else title)
        hint = _text(problem, "hint")
        if status >= 500:
            return GatewayFailed(f"the gateway failed: {message}", address=self.url)
        if status == 404:
            return NotFound(message, hint=hint)
        if status == 409:
            return Conflict(message, hint=hint)
        return GatewayRefused(message, status=status, problem=_text(problem, "type") or "", hint=hint)


def multipart_body(parts: Sequence[tuple[str, bytes, str]]) -> tuple[bytes, str]:
    """A form of (name, content, media type) and its own media type.

    What divides the parts is the digest of all of them, which none of them can be made to hold.
    """
    boundary = hashlib.sha256(b"".join(content for _, content, _ in parts)).hexdigest()
    pieces: list[bytes] = []
    for name, content, media_type in parts:
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
            f"Content-Type: {media_type}\r\n\r\n"
        )
        pieces += (head.encode("ascii"), content, b"\r\n")
    pieces.append(f"--{boundary}--\r\n".encode("ascii"))
    return b"".join(pieces), f"multipart/form-data; boundary={boundary}"


@cache
def _trusted_authorities(*, by_environment: bool) -> ssl.SSLContext:
    """Whose certificates are believed, as httpx has it; read once for all clients of a process."""
    return httpx.create_ssl_context(trust_env=by_environment)


@cache
def _trusts_nobody() -> ssl.SSLContext:
    """For http, which looks at no certificate: to read the authorities takes 30 ms of every command."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def checked_url(url: str) -> str:
    """The address of a gateway: https, or http on this machine alone. Raises CallerError."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise CallerError(f"this is no address of a gateway: {url!r}") from None
    private_way = parsed.scheme == "https" or (parsed.scheme == "http" and _is_local(parsed))
    if private_way and parsed.host and not parsed.userinfo and not parsed.query:
        return str(parsed).rstrip("/")
    raise CallerError(
        f"expected the address of a gateway such as https://gateway.example.org, found {url!r}",
        hint="Plain http is for a gateway on this machine only.",
    )


def _is_local(url: httpx.URL) -> bool:
    return url.host in ("localhost", "127.0.0.1", "::1")


def _backoff(error: Exception) -> bool | timedelta:
    if not isinstance(error, _TryAgain):
        return False
    return True if error.after_seconds is None else timedelta(seconds=error.after_seconds)


def _retry_after(answer: httpx.Response) -> float | None:
    text = answer.headers.get("Retry-After", "")
    return min(float(text), 30.0) if text.isascii() and text.isdigit() and len(text) < 6 else None


def _plain(headers: httpx.Headers) -> list[tuple[bytes, bytes]]:
    """Headers of a body that is decoded already; as bytes, since a gateway may send what is no text."""
    return [
        (name, value)
        for name, value in headers.raw
        if name.lower() not in (b"content-encoding", b"content-length", b"transfer-encoding")
    ]


def _json_of(answer: httpx.Response) -> Any:
    return _parsed_json(answer.content) if answer.content else {}


def _parsed_json(content: bytes) -> Any:
    try:
        return parse_strict_json(content, max_bytes=MAX_ANSWER_BYTES)
    except BadDocument as error:
        raise GatewayFailed(f"the gateway's answer is not what a gateway says: {error}") from None


def _problem_of(answer: httpx.Response) -> dict[str, Any] | None:
    if not answer.headers.get("Content-Type", "").startswith("application/problem+json"):
        return None
    try:
        problem = parse_strict_json(answer.content)
    except BadDocument:
        return None
    return problem if isinstance(problem, dict) else None


def _text(problem: Mapping[str, Any], name: str) -> str | None:
    """A text of a problem document, fit to be shown: one line, no control characters, not long."""
    value = problem.get(name)
    if not isinstance(value, str):
        return None
    shown = "".join(character if character.isprintable() else " " for character in value)
    return shown[:500] or None
