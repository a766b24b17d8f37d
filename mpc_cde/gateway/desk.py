"""What every route of one gateway shares: settings, store, clock, bell, buckets, metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from anyio import to_thread
from fastapi import Depends, Request

from mpc_cde.callers import caller_of
from mpc_cde.documents.canonical import timestamp_of
from mpc_cde.gateway.admission import Context
from mpc_cde.gateway.bell import Bell
from mpc_cde.gateway.communities import (
    CommunityChain,
    page_origins,
    party_keys,
    read_chain,
    registrar_keys,
)
from mpc_cde.gateway.keeping import Keeper
from mpc_cde.gateway.metrics import Metrics
from mpc_cde.gateway.open_streams import OpenStreams
from mpc_cde.gateway.proofs import ProofDesk
from mpc_cde.gateway.receipt_desk import ReceiptDesk
from mpc_cde.gateway.settings import GatewaySettings
from mpc_cde.gateway.store import Store
from mpc_cde.gateway.store_view import StoreView
from mpc_cde.gateway.token_buckets import Rate, TokenBuckets

Clock = Callable[[], datetime]
T = TypeVar("T")


class Desk:
    """One gateway. `clock` gives aware times, `monotonic` seconds."""

    def __init__(
        self,
        settings: GatewaySettings,
        store: Store,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        limits = settings.limits
        self.settings = settings
        self.limits = limits
        self.store = store
        self.clock = clock
        self.bell = Bell()
        self.metrics = Metrics()
        self.addresses = TokenBuckets(
            Rate(limits.requests_per_second_per_address, limits.request_burst_per_address), monotonic
        )
        self.keys = TokenBuckets(
            Rate(limits.requests_per_second_per_key, limits.request_burst_per_key), monotonic
        )
        self.offices = TokenBuckets(
            Rate(limits.requests_per_second_per_office, limits.request_burst_per_office), monotonic
        )
        self.proofs = ProofDesk()
        self.keeper = Keeper(store, context=self.context, received=lambda: timestamp_of(clock()))
        self.receipts = ReceiptDesk(store, context=self.context)
        self.streams = OpenStreams(limits.streams, limits.streams_per_address)
        self.reader_origins: frozenset[str] = frozenset()
        """Origins that readers may sign for; empty: whatever the request says (tests)."""
        self.fingerprint = settings.fingerprint
        """Of the community that is served; None until one is."""
        self._page_origins = frozenset(settings.page_origins)
        self._office_keys: frozenset[bytes] = frozenset()

    def origins(self) -> frozenset[str]:
        """Pages that may call; refreshed when a community comes into force."""
        return self._page_origins

    def is_office(self, key: bytes) -> bool:
        """Whether the key is a party's or a registrar's, who speak for many."""
        return key in self._office_keys

    def refresh_community(self) -> None:
        """Read from the community in force whose pages may call, and who holds an office. Blocks."""
        chain = self.look(self.chain)
        if chain.versions:
            current = chain.current
            self.fingerprint = self.settings.fingerprint or chain.versions[0].fingerprint()
            self._page_origins = frozenset(self.settings.page_origins) | page_origins(current)
            self._office_keys = party_keys(current) | registrar_keys(current)

    def chain(self, view: StoreView) -> CommunityChain:
        """The versions of the community in force."""
        return read_chain(view, fingerprint=self.settings.fingerprint)

    def context(self, view: StoreView) -> Context:
        """What checks look at, now."""
        return Context(
            view,
            self.chain(view),
            self.clock(),
            fingerprint=self.settings.fingerprint,
            pending_communities=self.limits.pending_communities,
        )

    def look(self, read: Callable[[StoreView], T]) -> T:
        """One consistent read. Blocks."""
        with self.store.reading() as view:
            return read(view)

    async def read(self, read: Callable[[StoreView], T]) -> T:
        """One consistent read, in a thread."""
        return await to_thread.run_sync(self.look, read)


def address_of(scope: Mapping[str, Any]) -> str:
    """Where a request comes from, as far as the proxies in front are trusted."""
    client = scope.get("client")
    return caller_of(str(client[0])) if client else ""


def system_clock() -> datetime:
    return datetime.now(UTC)


async def desk_of(request: Request) -> Desk:
    """The desk of the application that serves this request. Not a plain function: those go through a thread."""
    desk = request.app.state.desk
    if not isinstance(desk, Desk):
        raise TypeError("the application has no desk")
    return desk


DeskOf = Annotated[Desk, Depends(desk_of)]
