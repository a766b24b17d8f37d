"""A node's store after a study of as many members as wanted: rows as intake leaves them, without their signatures."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mpc_cde.documents.base import Document
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.receipt import Receipt
from parties.gathered_rows import Interest
from parties.share_store import ShareStore, StoredDocument, StoreTransaction, SubmissionRecord
from tests.mpc_cde.client.paper import PaperCommunity

_AT_A_TIME = 500


def fill(store: ShareStore, paper: PaperCommunity, members: int) -> None:
    """`members` have submitted once each and every party has accepted."""
    for start in range(0, members, _AT_A_TIME):
        made = [_Made(paper, number) for number in range(start, min(start + _AT_A_TIME, members))]
        with store.writing() as transaction:
            transaction.gather([each.interest for each in made])
            for each in made:
                each.put(transaction, paper)


class _Made:
    """One member and its submission."""

    def __init__(self, paper: PaperCommunity, number: int) -> None:
        name = hashlib.sha256(b"member %d" % number).digest()
        self.member = name[:16]
        self.submission = _unsigned("submission/v1", b'{"number":%d}' % number)
        self.membership = paper.membership(0).model_copy(
            update={"member": self.member, "signing_key": name, "register_id": name}
        )

    @property
    def interest(self) -> Interest:
        digest = self.submission.digest()
        return Interest(digests=frozenset((digest,)), subjects=frozenset((digest, self.member)))

    def put(self, transaction: StoreTransaction, paper: PaperCommunity) -> None:
        study, digest = paper.study.terms_digest(), self.submission.digest()
        _put_document(transaction, self.membership, subject=self.member)
        record = SubmissionRecord(
            digest=digest,
            study=study,
            member=self.member,
            sequence=1,
            membership=self.membership.digest(),
            holding=None,
            state="accepted",
            reason="accepted",
            judged="2026-06-01T12:00:00Z",
            envelope=self.submission,
        )
        transaction.put_submission(record, correction=b"c", sealed_seeds=b"s")
        for party in range(paper.m):
            receipt = Receipt(study_terms=study, submission=digest, party=party, verdict="accepted")
            _put_document(transaction, receipt, subject=digest, study=study, party=party)


def _put_document(
    transaction: StoreTransaction,
    document: Document,
    *,
    subject: bytes,
    study: bytes | None = None,
    party: int | None = None,
) -> None:
    envelope = _unsigned(document.type_name(), document.payload_bytes())
    transaction.put_document(
        StoredDocument(
            envelope.digest(), document.type_name(), envelope, study=study, subject=subject, party=party
        )
    )


def _unsigned(type_name: str, payload: bytes) -> Envelope:
    name, version = type_name.split("/")
    kind = f"application/vnd.mpc-cde.{name}.{version}+json"
    return Envelope(payload_type=kind, payload=payload, signatures=())


def filled(path: Path, paper: PaperCommunity, members: int) -> ShareStore:
    """A new store with so many members."""
    store = ShareStore.open(path)
    fill(store, paper, members)
    return store
