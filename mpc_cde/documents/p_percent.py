"""The p of a study's p% rule: unpublished, held by the parties, and committed to in the terms.

p is not secret for ever (what is withheld lets members infer something of it), but whoever knew it beforehand could
aim at it. So the steward hands it to each party out of band, as a small file; the terms carry a commitment,

    SHA-256("mpc-cde/p-percent/v1" || 0x00 || canonical bytes of the file's content),

whose 32 bytes of salt keep the hundred possible values of p from being tried out.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mpc_cde.documents.base import Part
from mpc_cde.documents.canonical import Bytes32, digest_of
from protocols.randomness import Randomness

DOMAIN = b"mpc-cde/p-percent/v1\x00"


class PPercent(Part):
    """What a commitment stands for; neither p nor the salt is printed."""

    type: Literal["p-percent/v1"] = "p-percent/v1"
    p: Annotated[int, Field(ge=1, le=100, repr=False)]
    salt: Bytes32 = Field(repr=False)

    @classmethod
    def choose(cls, p: int, randomness: Randomness) -> PPercent:
        """With a salt of its own. Raises ValueError for a p that is no per cent."""
        return cls(p=p, salt=randomness.random_bytes(32))

    def commitment(self) -> bytes:
        """What the study's terms say of it, 32 bytes."""
        return digest_of(DOMAIN + self.payload_bytes())
