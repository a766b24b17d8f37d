"""A node's store as a study of very many members leaves it, without minutes of signing for each hundred thousand.

Every document has its form, its digest and the length of its signatures; the signatures themselves, which nobody
looks at again once a document is kept, are zeros. Shares are made up, seeds are locked as intake locks them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.generated_community import GeneratedCommunity
from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import base64url_bytes, digest_of, timestamp_of
from mpc_cde.documents.envelope import envelope_json
from mpc_cde.documents.receipt import Receipt
from mpc_cde.documents.submission import Submission
from parties import store_tables as tables
from parties.clock import system_clock
from parties.seed_vault import SeedVault
from parties.share_store import ShareStore
from protocols import field as fp
from protocols.randomness import ScriptedRandomness
from protocols.sharing import Seed, subsets_of_party

PARTY = 0
_CHUNK = 2000
_SIGNATURE = (bytes(16), bytes(64))


@dataclass(frozen=True)
class Template:
    """A document in which some byte strings are replaced in each copy."""

    payload_type: str
    type_name: str
    pieces: tuple[bytes, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, document: Document, **fields: bytes) -> Template:
        """`fields` are values that stand in the document once."""
        payload = document.payload_bytes()
        texts = {name: base64url_bytes(value) for name, value in fields.items()}
        names = tuple(sorted(texts, key=lambda name: payload.index(texts[name])))
        pieces, rest = [], payload
        for name in names:
            before, _, rest = rest.partition(texts[name])
            pieces.append(before)
        return cls(document.payload_type(), document.type_name(), (*pieces, rest), names)

    def payload(self, fields: Mapping[str, bytes]) -> bytes:
        """The document with these instead."""
        parts = [
            piece + base64url_bytes(fields[name])
            for piece, name in zip(self.pieces, self.names, strict=False)
        ]
        return b"".join((*parts, self.pieces[-1]))

    def envelope(self, payload: bytes, *, signatures: int = 1) -> bytes:
        """As it is kept."""
        return envelope_json(self.payload_type, payload, [_SIGNATURE] * signatures)


def fill(store: ShareStore, paper: GeneratedCommunity, records: int) -> tuple[Seed, ...]:
    """Accepted submissions of `records` members; returns the seeds of the first by digest."""
    filling = _Filling(paper)
    for start in range(0, records, _CHUNK):
        filling.make(range(start, min(records, start + _CHUNK)))
        with store.writing() as transaction:
            transaction.connection.execute(tables.documents.insert(), filling.documents)
            transaction.connection.execute(tables.submissions.insert(), filling.submissions)
    return filling.first[1]


class _Filling:
    """Makes rows; `first` is the lowest digest so far and its seeds."""

    def __init__(self, paper: GeneratedCommunity) -> None:
        self._paper = paper
        self._study = paper.study.terms_digest()
        self._length = paper.study.terms.element_count
        self._now = timestamp_of(system_clock())
        self._vault = SeedVault(paper.sealing_keys[PARTY], self._study)
        self._randomness = ScriptedRandomness(b"freeze")
        self._seeds_each = len(subsets_of_party(paper.parties, paper.threshold, PARTY))
        self.first = (b"\xff" * 32, tuple[Seed, ...]())
        self.documents: list[dict[str, Any]] = []
        self.submissions: list[dict[str, Any]] = []
        sample = paper.member(0).membership
        self._membership = Template.of(
            sample, member=sample.member, signing_key=sample.signing_key, register_id=sample.register_id
        )
        self._submission = Template.of(
            Submission(
                study_terms=self._study,
                member=sample.member,
                sequence=1,
                seed_hashes=tuple(bytes([1, j]) * 16 for j in range(paper.parties)),
                correction=b"c" * 32,
                envelopes=tuple(bytes([2, j]) * 16 for j in range(paper.parties)),
                consent=paper.study.terms.consent_digest,
            ),
            member=sample.member,
            correction=b"c" * 32,
        )
        self._receipts = [
            Template.of(
                Receipt(study_terms=self._study, submission=b"s" * 32, party=j, verdict="accepted"),
                submission=b"s" * 32,
            )
            for j in range(paper.parties)
        ]

    def make(self, numbers: range) -> None:
        """Rows of these members, in place of those made before."""
        self.documents, self.submissions = [], []
        for number in numbers:
            self._make(number)

    def _make(self, number: int) -> None:
        name = hashlib.sha256(b"member %d" % number).digest()
        member = name[:16]
        words = np.frombuffer(self._randomness.random_bytes(8 * self._length), dtype="<u8")
        correction = fp.to_bytes(words % np.uint64(fp.P))
        payload = self._membership.payload({"member": member, "signing_key": name, "register_id": name})
        membership = self._put(self._membership, payload, subject=member, signatures=2)
        payload = self._submission.payload({"member": member, "correction": digest_of(correction)})
        digest = digest_of(payload)
        seeds = tuple(Seed(self._randomness.random_bytes(32)) for _ in range(self._seeds_each))
        self.first = min(self.first, (digest, seeds), key=lambda found: found[0])
        self.submissions.append(
            {
                "digest": digest,
                "study": self._study,
                "member": member,
                "sequence": 1,
                "membership": membership,
                "state": "accepted",
                "reason": "accepted",
                "judged": self._now,
                "envelope": self._submission.envelope(payload),
                "correction": correction,
                "sealed_seeds": self._vault.lock(digest, seeds, self._randomness),
            }
        )
        for party, template in enumerate(self._receipts):
            receipt = template.payload({"submission": digest})
            self._put(template, receipt, subject=digest, study=self._study, party=party)

    def _put(
        self,
        template: Template,
        payload: bytes,
        *,
        subject: bytes,
        study: bytes | None = None,
        party: int | None = None,
        signatures: int = 1,
    ) -> bytes:
        digest = digest_of(payload)
        self.documents.append(
            {
                "digest": digest,
                "type": template.type_name,
                "study": study,
                "subject": subject,
                "party": party,
                "feed_number": None,
                "received": self._now,
                "envelope": template.envelope(payload, signatures=signatures),
            }
        )
        return digest
