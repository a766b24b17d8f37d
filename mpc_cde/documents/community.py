"""The root of trust: parties in their order, threshold, registrars and stewards, version after version.

A member pins the first version by its fingerprint, 25 base32 characters that each organisation prints on its
own site, and follows signed versions from there. Version v + 1 is signed by every party of v and of v + 1.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mpc_cde.documents.base import Document, Part, verify_unique
from mpc_cde.documents.canonical import Digest, Identifier, PublicKeyBytes, ShortText
from mpc_cde.documents.party_card import PartyCard
from mpc_cde.documents.suites import X_WING, SuiteName

MAX_PARTIES = 16
FINGERPRINT_CHARACTERS = 25


class RoleKey(Part):
    """A registrar or steward: the name that documents use for it, what it is called, its Ed25519 key."""

    name: Identifier
    label: ShortText
    key: PublicKeyBytes


class Community(Document):
    """Who computes and who may certify; a party's index is the position of its card."""

    type: Literal["community/v1"] = "community/v1"
    name: ShortText
    cards: Annotated[tuple[PartyCard, ...], Field(min_length=3, max_length=MAX_PARTIES)]
    threshold: Annotated[int, Field(ge=1, le=7)]
    registrars: Annotated[tuple[RoleKey, ...], Field(min_length=1, max_length=64)]
    stewards: Annotated[tuple[RoleKey, ...], Field(min_length=1, max_length=64)]
    membership_rule: Literal["countersigned", "registrar_alone"] = "countersigned"
    suites: Annotated[tuple[SuiteName, ...], Field(min_length=1, max_length=2)] = (X_WING,)
    version: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    previous: Digest | None = None

    @model_validator(mode="after")
    def _parties_and_threshold_fit(self) -> Self:
        if 2 * self.threshold + 1 > len(self.cards):
            raise ValueError("threshold: 2 t + 1 may not exceed the number of parties")
        verify_unique([card.name for card in self.cards], "names of parties")
        verify_unique([card.identity_key for card in self.cards], "identity keys of parties")
        verify_unique([card.mesh_address for card in self.cards], "mesh addresses of parties")
        verify_unique([card.mesh_spki_sha256() for card in self.cards], "mesh keys of parties")
        for what, roles in (("registrars", self.registrars), ("stewards", self.stewards)):
            verify_unique([role.name for role in roles], f"names of {what}")
            verify_unique([role.key for role in roles], f"keys of {what}")
        verify_unique([str(suite) for suite in self.suites], "suites")
        if (self.version == 1) != (self.previous is None):
            raise ValueError("previous: version 1 names none, every later version names the one before")
        return self

    @property
    def party_count(self) -> int:
        """m."""
        return len(self.cards)

    @property
    def session_size(self) -> int:
        """2 t + 1: how many parties compute together."""
        return 2 * self.threshold + 1

    def party_key(self, index: int) -> bytes:
        """Identity key of party `index`. Raises IndexError."""
        if index < 0:
            raise IndexError(index)
        return self.cards[index].identity_key

    def party_index(self, identity_key: bytes) -> int | None:
        """Index of the party with this identity key, or None."""
        return next((j for j, card in enumerate(self.cards) if card.identity_key == identity_key), None)

    def registrar(self, name: str) -> RoleKey | None:
        return next((role for role in self.registrars if role.name == name), None)

    def steward(self, name: str) -> RoleKey | None:
        return next((role for role in self.stewards if role.name == name), None)

    def fingerprint(self) -> str:
        """25 lower-case base32 characters of SHA-256 over the payload digest; names the key directory."""
        return fingerprint_of(self.digest())


def fingerprint_of(payload_digest: bytes) -> str:
    """25 lower-case base32 characters (125 bits) of SHA-256 over a payload digest."""
    text = base64.b32encode(hashlib.sha256(payload_digest).digest()).decode("ascii")
    return text[:FINGERPRINT_CHARACTERS].lower()


def format_fingerprint(fingerprint: str) -> str:
    """For people and paper: groups of five, such as "abcde-fghij-klmno-pqrst-uvwxy"."""
    return "-".join(fingerprint[start : start + 5] for start in range(0, FINGERPRINT_CHARACTERS, 5))


def parse_fingerprint(text: str) -> str:
    """The 25 characters that a person typed, in any case, with spaces or dashes. Raises ValueError."""
    fingerprint = "".join(text.split()).replace("-", "").lower()
    if len(fingerprint) != FINGERPRINT_CHARACTERS or set(fingerprint) - set(
        "abcdefghijklmnopqrstuvwxyz234567"
    ):
        raise ValueError("expected a fingerprint: 25 letters and digits in groups of five")
    return fingerprint
