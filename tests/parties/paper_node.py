"""One party's intake on a community on paper: real keys, sealing and store; a clock and a feed in hand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np

from mpc_cde.documents.base import Document
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.submission import Submission
from mpc_cde.feed_format import FeedFrame
from mpc_cde.sealing import SealingContext, pack_seeds, seal
from parties.intake import Intake
from parties.log import NodeLog
from parties.party_home import CommunityHome, PartyHome
from parties.share_store import ShareStore
from protocols import field as fp
from protocols.randomness import ScriptedRandomness
from protocols.sharing import SharedVector, share_vector
from tests.mpc_cde.client.paper import PaperCommunity, signed

OPEN = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
"""A moment at which the study on paper is open."""

Changes = Mapping[str, object]
ReceiptT = TypeVar("ReceiptT", Receipt, WithdrawalReceipt)


class ManualClock:
    """Shows what it was set to."""

    def __init__(self, now: datetime = OPEN) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@dataclass
class PaperSubmission:
    """What a member's client would send, with everything secret at hand."""

    document: Submission
    envelope: Envelope
    shared: SharedVector
    correction: bytes
    sealed: tuple[bytes, ...]

    @property
    def digest(self) -> bytes:
        return self.envelope.digest()

    def parts_for(self, party: int) -> tuple[bytes, bytes]:
        return self.correction, self.sealed[party]


def make_submission(
    paper: PaperCommunity,
    number: int,
    *,
    sequence: int = 1,
    replaces: bytes | None = None,
    signer: int | None = None,
    elements: int | None = None,
    vector: fp.FieldVector | None = None,
    correction: bytes | None = None,
    changes: Changes | None = None,
    seeds_for: Mapping[int, tuple[bytes, ...]] | None = None,
    context: Mapping[int, SealingContext] | None = None,
) -> PaperSubmission:
    """Member `number` shares a vector of field elements; the options are ways to do it wrong."""
    m, t = paper.m, paper.t
    terms = paper.study.terms
    count = terms.element_count if elements is None else elements
    if vector is None:
        vector = np.arange(number, number + count, dtype=np.uint64)
    randomness = ScriptedRandomness(hashlib.sha256(f"{number} {sequence} {count}".encode()).digest())
    shared = share_vector(vector, m, t, randomness)
    packed = fp.to_bytes(shared.correction) if correction is None else correction
    member = paper.membership(number).member
    digest = paper.study.terms_digest()
    sealed = []
    for party in range(m):
        secrets = (seeds_for or {}).get(party) or tuple(
            seed.secret_bytes() for seed in shared.seeds_for_party(party)
        )
        where = (context or {}).get(party) or SealingContext(digest, member, sequence, party)
        sealed.append(seal(paper.sealing_keys[party].public, pack_seeds(secrets), where))
    document = Submission(
        study_terms=digest,
        member=member,
        sequence=sequence,
        replaces=replaces,
        seed_hashes=shared.seed_hashes(),
        correction=hashlib.sha256(packed).digest(),
        envelopes=tuple(hashlib.sha256(envelope).digest() for envelope in sealed),
        consent=terms.consent_digest,
    ).model_copy(update=dict(changes or {}))
    key = paper.member_key(number if signer is None else signer)
    return PaperSubmission(document, signed(document, [key]), shared, packed, tuple(sealed))


@dataclass
class PaperNode:
    """The intake of party `index`; `take` hands it items as a feed would."""

    paper: PaperCommunity
    path: Path
    index: int = 0
    clock: ManualClock = field(default_factory=ManualClock)
    number: int = 0

    def __post_init__(self) -> None:
        self.path.chmod(0o700)
        self.party_home = PartyHome(self.path)
        self.home: CommunityHome = self.party_home.pin(self.paper.fingerprint)
        self.home.write_sealing_key(
            self.paper.study.terms_digest(),
            self.paper.sealing_keys[self.index],
            passphrase=None,
            randomness=ScriptedRandomness(b"unused"),
        )
        self.start()

    def start(self) -> None:
        """As after a restart: everything from disk."""
        identity = self.paper.party_keys[self.index]
        self.store = ShareStore.open(self.home.store_path)
        self.log = NodeLog(self.home.log_path, identity, self.clock)
        self.intake = Intake(
            store=self.store,
            log=self.log,
            home=self.home,
            community=self.paper.community,
            identity=identity,
            clock=self.clock,
            randomness=ScriptedRandomness(b"node"),
        )

    def take(self, *items: Envelope | PaperSubmission | tuple[Envelope, tuple[bytes, ...]]) -> None:
        """One batch of the feed."""
        batch = []
        for item in items:
            self.number += 1
            if isinstance(item, PaperSubmission):
                batch.append(frame(self.number, item.envelope, item.parts_for(self.index)))
            elif isinstance(item, tuple):
                batch.append(frame(self.number, *item))
            else:
                batch.append(frame(self.number, item))
        self.intake.take(batch)

    def open_study(self, members: int = 3) -> None:
        """The study proposed and approved by all, the first members enrolled."""
        memberships = [self.paper.membership_envelope(number) for number in range(members)]
        self.take(self.paper.study_envelope, *self.paper.approvals, *memberships)

    def receipts(self) -> list[Receipt]:
        """Receipts of submissions on their way to the gateway, in order."""
        return self._receipts(Receipt)

    def withdrawal_receipts(self) -> list[WithdrawalReceipt]:
        """The same of withdrawals."""
        return self._receipts(WithdrawalReceipt)

    def _receipts(self, kind: type[ReceiptT]) -> list[ReceiptT]:
        with self.store.reading() as view:
            envelopes = [Envelope.parse_json(item.body) for item in view.outbox()]
        keys = [self.paper.party_keys[self.index].public_bytes]
        return [
            open_envelope(envelope, kind, signed_by=keys)
            for envelope in envelopes
            if envelope.payload_type == kind.payload_type()
        ]

    def reason(self, submission: PaperSubmission) -> str:
        """Hand it in; "accepted", the code of the refusal, or "no receipt"."""
        self.take(submission)
        found = [receipt for receipt in self.receipts() if receipt.submission == submission.digest]
        assert len(found) <= 1
        if not found:
            return "no receipt"
        return found[0].reason or found[0].verdict

    def events(self) -> list[str]:
        return [entry.event for entry in self.log.entries()]

    def kept(self, document: Document) -> Envelope | None:
        with self.store.reading() as view:
            stored = view.document(document.digest())
        return None if stored is None else stored.envelope


def membership_with(paper: PaperCommunity, number: int, **changes: object) -> Membership:
    return paper.membership(number).model_copy(update=changes)


def frame(number: int, envelope: Envelope, parts: tuple[bytes, ...] = ()) -> FeedFrame:
    """An item of the feed, as a gateway would number it."""
    kind = envelope.payload_type.removeprefix("application/vnd.mpc-cde.").removesuffix("+json")
    name, _, version = kind.rpartition(".")
    return FeedFrame(number, f"{name}/{version}", envelope, parts)
