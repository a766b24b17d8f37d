"""What an operator's command needs at hand: the opened home, documents found by name, letters to the gateway.

Commands work beside a running node: they share the store and the log with it, and what they cannot deliver
stays in the outbox for the node to send.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anyio

from mpc_cde.coded_text import worded
from mpc_cde.documents.canonical import encode_base64url, timestamp_of
from mpc_cde.documents.community import Community
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.study import Study
from mpc_cde.errors import CallerError, NotFound
from mpc_cde.keys import Passphrase, SigningKey
from mpc_cde.life_cycles import study as life
from parties.approvals import SigningPlace
from parties.ceremony import read_community, verify_own_place
from parties.clock import Clock
from parties.gateway_client import PartyGateway
from parties.log import NodeLog
from parties.opening import fetch_community, open_log
from parties.outbox import Outbox
from parties.party_home import CommunityHome, NotSetUp, PartyHome
from parties.settings import PartySettings, read_settings
from parties.share_store import ShareStore, StoredDocument
from parties.studies import know_study

SHOWN_CHARACTERS = 11
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Desk:
    """An opened home with its store and log."""

    home: PartyHome
    place: CommunityHome
    settings: PartySettings
    identity: SigningKey
    store: ShareStore
    log: NodeLog
    clock: Clock

    def signing_place(self) -> SigningPlace:
        """Who signs for which community, asking the gateway for it if the node has not seen it yet.

        Raises NotSetUp until every party has signed the community, and TransportError.
        """
        community = read_community(self.place)
        if community is None:
            community = anyio.run(self._fetch_community)
        own_index = verify_own_place(self.home, self.identity, community)
        return SigningPlace(self.place, community, own_index, self.identity)

    def send(self, path: str, envelope: Envelope, *, keep: StoredDocument | None = None) -> str:
        """Put a document into the outbox and try to deliver it now; says in words how that went."""
        with self.store.writing() as transaction:
            if keep is not None:
                transaction.put_document(keep)
            transaction.enqueue(path, envelope, queued=timestamp_of(self.clock()))
        return anyio.run(self._deliver, envelope.digest())

    async def _fetch_community(self) -> Community:
        try:
            async with PartyGateway(self.settings.gateway, attempts=2) as gateway:
                return await fetch_community(gateway, self.place, self.log)
        except NotFound:
            raise NotSetUp(
                worded("community_unsigned", "the community is not signed by every party yet"),
                hint=worded("community_unsigned_hint", "try again when all parties have approved it"),
            ) from None

    async def _deliver(self, digest: bytes) -> str:
        async with PartyGateway(self.settings.gateway, attempts=1) as gateway:
            flushed = await Outbox(self.store, gateway, self.log).flush()
        with self.store.reading() as view:
            refused = [item for item in view.outbox("refused") if item.digest == digest]
            pending = [item for item in view.outbox("pending") if item.digest == digest]
        if pending:
            reason = flushed.problem or pending[0].problem or "no answer"
            return worded(
                "delivery_kept", "kept in the outbox, the node sends it when it can ({why})", why=reason
            )
        if refused:
            raise CallerError(
                worded("delivery_refused", "the gateway refused it: {why}", why=refused[-1].problem)
            )
        return worded("delivered", "delivered to the gateway")

    def fetch_study(self, terms_digest: bytes) -> Envelope:
        """A proposal straight from the gateway, unverified. Raises NotFound, TransportError."""

        async def fetch() -> Envelope:
            async with PartyGateway(self.settings.gateway, attempts=2) as gateway:
                return await gateway.study(terms_digest)

        return anyio.run(fetch)

    def find(self, named: str, types: Sequence[str], *, wait_seconds: float) -> StoredDocument:
        """The one document of these types whose digest (or, for a study, terms or title) begins so.

        Looks again for `wait_seconds`, since the node may be about to receive it; a study that was called off
        gives way to one that was not. Raises NotFound, CallerError.
        """
        deadline = time.monotonic() + wait_seconds
        while True:
            with self.store.reading() as view:
                candidates = [stored for name in types for stored in view.documents(name)]
            found = [stored for stored in candidates if _is_named(stored, named)]
            if len(found) > 1:
                found = self._without_called_off(found) or found
            if len(found) == 1:
                return found[0]
            if len(found) > 1:
                listed = "; ".join(show_document(stored) for stored in found[:10])
                raise CallerError(
                    f"{named!r} names several documents: {listed}",
                    hint="name one by the first characters of its digest, as they stand here",
                )
            if time.monotonic() >= deadline:
                kinds = ", ".join(name.partition("/")[0] for name in types)
                raise NotFound(
                    f"this node has seen no {kinds} named {named!r}",
                    hint="is the node running (mpc-party status)? Its feed brings documents",
                )
            time.sleep(POLL_SECONDS)

    def _without_called_off(self, found: Sequence[StoredDocument]) -> list[StoredDocument]:
        """Without studies that were refused or cancelled: who writes a title means the one that was not."""
        community = read_community(self.place)
        if community is None:
            return list(found)
        kept = []
        with self.store.reading() as view:
            for stored in found:
                known = (
                    know_study(view, stored.study, community, self.clock())
                    if stored.type_name == Study.type_name() and stored.study is not None
                    else None
                )
                if known is None or not isinstance(known.state, life.CALLED_OFF):
                    kept.append(stored)
        return kept


@contextmanager
def open_desk(home: PartyHome, passphrase: Passphrase | None, clock: Clock) -> Iterator[Desk]:
    """The home of a party that has approved a community. Raises NotSetUp, KeyFileRefused, StoreDamaged."""
    home.verify()
    settings = read_settings(home.settings_path)
    place = home.pinned_community()
    identity = home.load_identity(passphrase)
    store = ShareStore.open(place.store_path)
    try:
        log = open_log(place, store, identity, clock)
        yield Desk(home, place, settings, identity, store, log, clock)
    finally:
        store.close()


def show_digest(digest: bytes) -> str:
    """The first characters of a digest: enough to name it on a command line."""
    return encode_base64url(digest)[:SHOWN_CHARACTERS]


def show_document(stored: StoredDocument) -> str:
    if stored.type_name == Study.type_name() and stored.study is not None:
        return f"study {show_digest(stored.study)} {stored.parse(Study).terms.title}"
    return f"{stored.type_name.partition('/')[0]} {show_digest(stored.digest)}"


def _is_named(stored: StoredDocument, named: str) -> bool:
    if encode_base64url(stored.digest).startswith(named):
        return True
    if stored.type_name != Study.type_name() or stored.study is None:
        return False
    title = stored.parse(Study).terms.title
    return encode_base64url(stored.study).startswith(named) or title.casefold().startswith(named.casefold())


def running_node(home: PartyHome) -> dict[str, Any] | None:
    """What run.json says, if the process that wrote it is alive."""
    try:
        facts: dict[str, Any] = json.loads(home.run_path.read_bytes())
        os.kill(int(facts["pid"]), 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return facts
