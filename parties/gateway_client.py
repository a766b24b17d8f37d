"""The gateway as one party sees it: its own feed, signed for; documents handed in; the community served.

A party dials out only. What comes back is verified by intake; here only its form is checked.
"""

from __future__ import annotations

from dataclasses import dataclass

from anyio import to_thread

from mpc_cde.client.gateway_calls import GatewayCalls
from mpc_cde.client.http import GatewayClient, GatewayRefused, Reader
from mpc_cde.documents.canonical import MAX_INTEGER
from mpc_cde.documents.envelope import Envelope
from mpc_cde.errors import BadDocument, CallerError
from mpc_cde.feed_format import NEWEST_HEADER, FeedFrame, read_frames

FEED_ENDS_BEFORE = 416


class FeedEndsBefore(CallerError):
    """The gateway has given no item a number as high as the one that this party would go on from."""


@dataclass(frozen=True, slots=True)
class FeedPage:
    """An answer of the feed: items in order, and the number of the newest there was, if the gateway says so."""

    frames: tuple[FeedFrame, ...]
    newest: int | None = None


class PartyGateway(GatewayClient):
    """A gateway client that also reads a party's feed; attempts are few, since every caller tries again."""

    async def feed(self, party: int, *, after: int, wait_seconds: float, reader: Reader) -> FeedPage:
        """Feed items numbered above `after`, in order; empty if none came within `wait_seconds`.

        A broken frame ends the answer: what came before it stands, and if nothing did, BadDocument is raised.
        Raises FeedEndsBefore, and as GatewayClient.get.
        """
        try:
            answer = await self._request(
                "GET",
                f"/v1/parties/{party}/feed",
                reader=reader,
                parameters={"after": str(after), "wait": str(max(0, int(wait_seconds)))},
            )
        except GatewayRefused as error:
            if error.status == FEED_ENDS_BEFORE:
                raise FeedEndsBefore(str(error), hint=error.hint) from None
            raise
        frames = await to_thread.run_sync(_frames, answer.content, after)  # it may be large
        return FeedPage(frames, _newest(answer.headers.get(NEWEST_HEADER, "")))

    async def communities(self) -> tuple[Envelope, ...]:
        """All versions that the gateway serves, oldest first, unverified."""
        return await GatewayCalls(self).communities()

    async def study(self, terms_digest: bytes) -> Envelope:
        """The proposal with these terms, unverified. Raises NotFound."""
        return (await GatewayCalls(self).study(terms_digest)).study


def _newest(told: str) -> int | None:
    """The gateway's word for it, or None: what is no number of an item says nothing."""
    is_number = told.isascii() and told.isdecimal() and len(told) <= len(str(MAX_INTEGER))
    return int(told) if is_number else None


def _frames(content: bytes, after: int) -> tuple[FeedFrame, ...]:
    frames: list[FeedFrame] = []
    try:
        for frame in read_frames(content):
            if frame.number <= after:
                raise BadDocument(
                    "the feed repeats an item that was asked to be left out", whom="the gateway"
                )
            frames.append(frame)
    except BadDocument:
        if not frames:
            raise
    return tuple(frames)
