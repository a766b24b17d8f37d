"""The way between one participant and the gateway, and what a hostile gateway may do there."""

from __future__ import annotations

import asyncio
from typing import Protocol

import httpx
from fastapi import FastAPI


class Meddler(Protocol):
    """What a hostile gateway does to the requests of one participant.

    `answer` gets the request and a way to the honest application; None from `feed_is_read` leaves it to numbers.
    """

    async def answer(self, request: httpx.Request, wire: Wire) -> httpx.Response: ...

    def feed_is_read(self, number: int, newest: int) -> bool | None: ...


class Wire(httpx.AsyncBaseTransport):
    """One participant's transport; without a meddler it is honest."""

    def __init__(self, app: FastAPI, honest: httpx.ASGITransport, meddler: Meddler | None) -> None:
        self.app = app
        self._honest = honest
        self._meddler = meddler

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)  # as a network would
        if self._meddler is None:
            return await self.forward(request)
        return await self._meddler.answer(request, self)

    async def forward(self, request: httpx.Request) -> httpx.Response:
        """What the honest gateway answers."""
        return await self._honest.handle_async_request(request)

    def feed_is_read(self, number: int, newest: int) -> bool:
        """Whether a party whose feed stands at `number` has read all that it will ever get."""
        told = None if self._meddler is None else self._meddler.feed_is_read(number, newest)
        return number >= newest if told is None else told
