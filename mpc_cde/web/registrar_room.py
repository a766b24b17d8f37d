"""The registrar's page: personal links for members, their requests certified, another registrar's countersigned,
and which of its own members have submitted.

Served by `mpc-cde registrar serve`; it signs by the same code as `mpc-cde registrar issue` and `countersign`. It has
public keys and certified attributes of members before it, and nothing that any of them submitted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mpc_cde.client.connection import Connected, Connection
from mpc_cde.client.enrolment import (
    CARD_COLUMNS,
    DEFAULT_VALIDITY_DAYS,
    cells_of_card,
    parse_register,
    registrar_of,
)
from mpc_cde.client.invitation import invitations
from mpc_cde.client.membership_ledger import (
    MembershipLedger,
    count_by_attribute,
    countersign_memberships,
    memberships_text,
    parse_memberships,
    post_memberships,
)
from mpc_cde.client.reminders import Turnout, read_turnout, still_to_come
from mpc_cde.client.role_cards import MemberCard
from mpc_cde.client.tables import Row, Table, parse_csv_table
from mpc_cde.client.verification import verify_proposed_study
from mpc_cde.coded_text import worded
from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.envelope import Envelope
from mpc_cde.errors import BadDocument, CallerError, PeerError
from mpc_cde.keys import SigningKey
from mpc_cde.reader_signatures import SignedReader
from mpc_cde.web.local_room import Described, Room, digest_of_text, optional_text_of, text_of
from mpc_cde.web.serving import PagesSettings
from protocols.randomness import Randomness

PAGE = "registrar.html"
MAX_TEXT_CHARACTERS = 4 << 20
MAX_REQUESTS = 500
STILL_TO_SUBMIT = frozenset({"proposed", "approved", "open"})
"""States of a study to which members submit, or may come to."""
SHOWN_CODE_CHARACTERS = 12
"""As the member's page shows the code of its request, for comparing by telephone."""


@dataclass(slots=True)
class RegistrarRoom:
    """The calls of the page; the ledger remembers what was certified, `connected` reaches the gateway."""

    signing_key: SigningKey = field(repr=False)
    connected: Connected
    ledger: MembershipLedger
    gateway: str
    fingerprint: str
    describe: Described
    randomness: Randomness
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def room(self) -> Room:
        """What can be asked here; nothing else can."""
        return Room(
            page=PAGE,
            looks={"overview": self.overview, "studies": self.studies},
            acts={
                "invite": self.invite,
                "read": self.read,
                "certify": self.certify,
                "compare": self.compare,
                "countersign": self.countersign,
                "turnout": self.turnout,
            },
            settings=PagesSettings(self.gateway, self.fingerprint, None, frozenset()),
            describe=self.describe,
        )

    def overview(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """The community, where members find its pages, and which attributes its studies ask to be certified.

        Those of studies that are open or may still open are `needed`; others can wait until one asks for them.
        """

        async def look(connection: Connection) -> dict[str, Any]:
            community = connection.trusted.current
            attributes: dict[str, dict[str, Any]] = {}
            for listing in await connection.calls.studies():
                try:
                    file = await connection.calls.study(listing.terms)
                    _, study = verify_proposed_study(connection.trusted, file.study)
                except PeerError:  # its groups are not believed
                    continue
                for group in study.terms.groups:
                    known = attributes.setdefault(
                        group.attribute, {"label": group.label, "values": [], "needed": False}
                    )
                    known["values"] += [value for value in group.values if value not in known["values"]]
                    known["needed"] |= listing.state in STILL_TO_SUBMIT
            return {
                "community": community.name,
                "registrar": registrar_of(community, self.signing_key).label,
                "pages": [card.pages_origin for card in community.cards if card.pages_origin is not None],
                "issued": len(self.ledger.load()),
                "attributes": attributes,
            }

        return self.connected(look)

    def studies(self, _: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Studies that members may submit to or could, with how many of this registrar's members have."""

        async def look(connection: Connection) -> list[dict[str, Any]]:
            found = []
            for listing in await connection.calls.studies():
                if listing.state != "open":
                    continue
                turnout = await self._turnout(connection, listing.terms)
                counts = turnout.counts
                study = turnout.study
                found.append(
                    {
                        "study": encode_base64url(listing.terms),
                        "title": study.study.terms.title,
                        "closes": study.presentation.closes,
                        "submitted": counts["submitted"],
                        "to_remind": counts["to_remind"],
                    }
                )
            return found

        return self.connected(look)

    def turnout(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Entry by entry of a register: who has submitted (never what), and a table of those who have not."""
        terms = digest_of_text(asked, "study")
        register = parse_csv_table(text_of(asked, "table", longest=MAX_TEXT_CHARACTERS).encode("utf-8"))
        turnout = self.connected(lambda connection: self._turnout(connection, terms))
        entries = turnout.entries(register)
        return {
            "csv": still_to_come(register, entries),
            "entries": [
                {"register_id": one.register_id, "name": one.name, "standing": one.standing}
                for one in entries
            ],
        }

    async def _turnout(self, connection: Connection, terms: bytes) -> Turnout:
        reader = SignedReader(self.signing_key, randomness=self.randomness, clock=self.clock)
        return await read_turnout(connection, terms, ledger=self.ledger, reader=reader)

    def invite(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A personal link for every entry of a register; the same text as `mpc-cde registrar invite` writes."""
        rows = parse_csv_table(text_of(asked, "table", longest=MAX_TEXT_CHARACTERS).encode("utf-8"))
        text = invitations(
            rows,
            pages=text_of(asked, "pages"),
            fingerprint=self.fingerprint,
            reply_to=optional_text_of(asked, "reply_to"),
        )
        people = [dict(row.cells) for row in parse_csv_table(text.encode("utf-8")).rows]
        return {"csv": text, "people": people}

    def read(self, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What members sent, before it is certified: which entry of the register, and the code to compare."""
        return [
            {"register_id": card.register_id, "code": _code(card), "sole_trader": card.sole_trader}
            for card in _cards(asked)
        ]

    def certify(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Sign memberships for these requests with the attributes that were chosen, and hand them in."""
        cards = _cards(asked)
        chosen = asked.get("attributes")
        if not isinstance(chosen, list) or len(chosen) != len(cards):
            raise CallerError(worded("attributes_missing", "attributes: expected those of every request"))
        rows = parse_register(_register(cards, chosen))

        async def issue(connection: Connection) -> tuple[list[Envelope], int]:
            issued, fresh = self.ledger.issue(
                rows,
                community=connection.trusted.current,
                signing_key=self.signing_key,
                randomness=self.randomness,
                now=self.clock(),
                validity_days=DEFAULT_VALIDITY_DAYS,
            )
            await post_memberships(connection, issued)
            return issued, fresh

        issued, fresh = self.connected(issue)
        return {"issued": len(issued), "fresh": fresh, "file": memberships_text(issued)}

    def compare(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What another registrar's file would certify, at a glance."""
        envelopes = _memberships(asked)
        return {"memberships": len(envelopes), "counts": count_by_attribute(envelopes)}

    def countersign(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Sign what another registrar issued, after it was compared with the register, and hand it in."""
        envelopes = _memberships(asked)

        async def sign(connection: Connection) -> list[Envelope]:
            signed = countersign_memberships(
                envelopes, community=connection.trusted.current, signing_key=self.signing_key
            )
            await post_memberships(connection, signed)
            return signed

        return {"countersigned": len(self.connected(sign))}


def _cards(asked: Mapping[str, Any]) -> list[MemberCard]:
    texts = asked.get("requests")
    if not isinstance(texts, list) or not 0 < len(texts) <= MAX_REQUESTS:
        raise CallerError(
            worded("requests_number", "requests: expected 1 to {most} of them", most=MAX_REQUESTS)
        )
    cards = []
    for number, text in enumerate(texts, start=1):
        try:
            cards.append(MemberCard.parse_payload(str(text).strip().encode("utf-8")))
        except BadDocument:
            raise CallerError(
                worded("no_request", "file {number} is no request of a member", number=number),
                hint=worded("no_request_hint", "It is what the member's page saves or mails."),
            ) from None
    return cards


def _register(cards: Sequence[MemberCard], chosen: Sequence[Any]) -> Table:
    attributes = sorted({name for one in chosen if isinstance(one, dict) for name in one})
    rows = []
    for number, (card, given) in enumerate(zip(cards, chosen, strict=True), start=1):
        if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
            raise CallerError(worded("attributes_texts", "attributes: expected a text for each"))
        own = {name: given.get(name, "") for name in attributes if name not in CARD_COLUMNS}
        rows.append(Row(number, {**own, **cells_of_card(card)}))
    return Table((*CARD_COLUMNS, *(name for name in attributes if name not in CARD_COLUMNS)), tuple(rows))


def _memberships(asked: Mapping[str, Any]) -> list[Envelope]:
    text = text_of(asked, "file", longest=MAX_TEXT_CHARACTERS)
    return parse_memberships(text.encode("utf-8"), where=worded("found_file", "the file"))


def _code(card: MemberCard) -> str:
    return encode_base64url(hashlib.sha256(card.payload_bytes()).digest())[:SHOWN_CODE_CHARACTERS]
