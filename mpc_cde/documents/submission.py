"""One member's figures, named by digests only: nothing in here says what they are."""

from __future__ import annotations

from math import comb
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import Digest, MemberId, Sequence, base64url_bytes
from mpc_cde.documents.community import MAX_PARTIES

MAX_SEQUENCE_GROWTH = 1000
"""A thief of a key may not lock its owner out by jumping to the last sequence."""


class Submission(Document):
    """Signed by the member. `seed_hashes` for every t-subset of the parties in lexicographic order.

    `correction` is the digest of its packed little-endian uint64; `envelopes` are the digests of the m sealed
    envelopes in party order; `consent` is the digest of the text that was shown; `waiver` accepts being
    recognisable.
    """

    type: Literal["submission/v1"] = "submission/v1"
    study_terms: Digest
    member: MemberId
    sequence: Sequence
    replaces: Digest | None = None
    seed_hashes: Annotated[tuple[Digest, ...], Field(min_length=3, max_length=comb(MAX_PARTIES, 7))]
    correction: Digest
    envelopes: Annotated[tuple[Digest, ...], Field(min_length=3, max_length=MAX_PARTIES)]
    consent: Digest
    waiver: bool = False

    @model_validator(mode="after")
    def _seeds_are_those_of_some_threshold(self) -> Self:
        m = len(self.envelopes)
        if len(self.seed_hashes) not in {comb(m, t) for t in range(1, (m - 1) // 2 + 1)}:
            raise ValueError("seed_hashes: expected one for every t-subset of the parties")
        if len(set(self.seed_hashes)) != len(self.seed_hashes):
            raise ValueError("seed_hashes: every subset has its own seed")
        if self.replaces is None and self.sequence > MAX_SEQUENCE_GROWTH:
            raise ValueError(f"sequence: a first submission is numbered at most {MAX_SEQUENCE_GROWTH}")
        return self

    def payload_bytes(self) -> bytes:
        """As any part's, written at once: every member sends one, and gateway and parties read it."""
        envelopes, hashes = (
            b",".join([b'"%b"' % base64url_bytes(digest) for digest in digests])
            for digests in (self.envelopes, self.seed_hashes)
        )
        replaces = b"null" if self.replaces is None else b'"%b"' % base64url_bytes(self.replaces)
        return (
            b'{"consent":"%b","correction":"%b","envelopes":[%b],"member":"%b","replaces":%b,"seed_hashes":[%b],'
            b'"sequence":%d,"study_terms":"%b","type":"%b","waiver":%b}'
        ) % (
            base64url_bytes(self.consent),
            base64url_bytes(self.correction),
            envelopes,
            base64url_bytes(self.member),
            replaces,
            hashes,
            self.sequence,
            base64url_bytes(self.study_terms),
            self.type.encode("ascii"),
            b"true" if self.waiver else b"false",
        )

    def fits(self, *, parties: int, threshold: int) -> bool:
        """Whether the numbers of seeds and envelopes are those of m parties with threshold t."""
        return len(self.envelopes) == parties and len(self.seed_hashes) == comb(parties, threshold)
