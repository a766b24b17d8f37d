"""Cards of parties and offices -> the community document that every party then signs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import ValidationError

from mpc_cde.client.role_cards import OfficeCard
from mpc_cde.documents.authority import open_party_card
from mpc_cde.documents.base import describe_validation
from mpc_cde.documents.community import Community, RoleKey
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.errors import CallerError


def draft_community(
    *,
    cards: Sequence[Envelope],
    threshold: int,
    name: str,
    registrars: Sequence[OfficeCard],
    stewards: Sequence[OfficeCard],
    registrar_alone: bool = False,
    after: Envelope | None = None,
) -> tuple[Envelope, Community]:
    """An envelope without signatures, and the community inside; party j is the one of card j.

    `after` is the version that it follows. Raises BadSignature for a card that its own key did not sign, and
    CallerError for cards that make no community.
    """
    parties = len(cards)
    if 2 * threshold + 1 > parties:
        raise CallerError(
            f"{parties} parties cannot keep a threshold of {threshold}: 2t + 1 = {2 * threshold + 1} compute",
            hint=f"Lower the threshold to {(parties - 1) // 2}, or find more parties."
            if parties >= 3
            else "A community needs at least three parties.",
        )
    before = None if after is None else open_envelope(after, Community)
    rule: Literal["countersigned", "registrar_alone"] = (
        "registrar_alone" if registrar_alone else "countersigned"
    )
    try:
        community = Community(
            name=name,
            cards=tuple(open_party_card(card) for card in cards),
            threshold=threshold,
            registrars=_keys(registrars, "registrar"),
            stewards=_keys(stewards, "steward"),
            membership_rule=rule,
            version=1 if before is None else before.version + 1,
            previous=None if before is None else before.digest(),
        )
    except ValidationError as error:
        raise CallerError(f"these cards make no community: {describe_validation(error)}") from None
    envelope = Envelope(
        payload_type=community.payload_type(), payload=community.payload_bytes(), signatures=()
    )
    return envelope, community


def _keys(cards: Sequence[OfficeCard], office: str) -> tuple[RoleKey, ...]:
    for card in cards:
        if card.office != office:
            raise CallerError(f"expected the card of a {office}, found that of the {card.office} {card.name}")
    return tuple(RoleKey(name=card.name, label=card.label, key=card.key) for card in cards)
