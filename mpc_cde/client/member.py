"""A member: its keys, its membership, and what it has submitted, on its own machine.

What is about to be sent is written down first, so that after a crash the sequence goes on and nothing is sent
twice under one number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mpc_cde.client.connection import Connection
from mpc_cde.client.figures import Value
from mpc_cde.client.http import Reader
from mpc_cde.client.receipts import ReceiptStatus, read_receipts
from mpc_cde.client.submission import PreparedSubmission, prepare_submission
from mpc_cde.client.verification import NotCounted, OwnEvidence, VerifiedStudy, verify_receipts
from mpc_cde.documents.authority import open_membership
from mpc_cde.documents.base import Part
from mpc_cde.documents.canonical import Digest, Sequence
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.study_terms import GroupTerms
from mpc_cde.documents.submission import Submission
from mpc_cde.errors import BadDocument, CallerError, NotFound, StoreDamaged
from mpc_cde.keys import SigningKey
from mpc_cde.secret_files import make_private_directory, read_secret_file, write_secret_file
from protocols.randomness import Randomness

MAX_RECORD_BYTES = 32 << 20


class SubmissionRecord(Part):
    """What a member did in one study: every submission, newest last, and up to where it withdrew.

    `used` is the highest sequence that was ever tried, so that none is tried with other content again.
    """

    max_payload_bytes: ClassVar[int] = MAX_RECORD_BYTES

    type: Literal["submission-record/v1"] = "submission-record/v1"
    study_terms: Digest
    submissions: Annotated[tuple[Envelope, ...], Field(max_length=10_000)] = ()
    withdrawn: Sequence | None = None
    used: Sequence | None = None

    @property
    def newest(self) -> Submission | None:
        """The submission with the highest sequence."""
        return open_envelope(self.submissions[-1], Submission) if self.submissions else None

    @property
    def next_sequence(self) -> int:
        """One more than anything used so far."""
        newest = self.newest
        return 1 + max(0 if newest is None else newest.sequence, self.withdrawn or 0, self.used or 0)

    @property
    def standing(self) -> Submission | None:
        """The newest submission, unless it was withdrawn."""
        newest = self.newest
        return None if newest is None or newest.sequence <= (self.withdrawn or 0) else newest


class SubmissionRecords:
    """One file a study in a private directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load(self, study_terms: bytes) -> SubmissionRecord:
        """What is known of a study; an empty record if nothing is. Raises StoreDamaged."""
        path = self._path(study_terms)
        if not path.exists():
            return SubmissionRecord(study_terms=study_terms)
        try:
            return SubmissionRecord.parse_payload(read_secret_file(path, max_bytes=MAX_RECORD_BYTES))
        except BadDocument as error:
            raise StoreDamaged(f"{path}: {error}") from None

    def save(self, record: SubmissionRecord) -> None:
        """On disk when this returns."""
        make_private_directory(self._directory)
        write_secret_file(self._path(record.study_terms), record.payload_bytes(), replace=True)

    def withdrawal_path(self, study_terms: bytes) -> Path:
        """Where the newest withdrawal from a study is kept (withdrawal.py)."""
        return self._directory / f"{study_terms.hex()}.withdrawal.json"

    def _path(self, study_terms: bytes) -> Path:
        return self._directory / f"{study_terms.hex()}.json"


@dataclass(frozen=True, slots=True)
class Member:
    """A member that is certified: its signing key and its membership, as the registrar signed it.

    `earlier` are memberships that it had before, in any order, perhaps with other keys.
    """

    signing_key: SigningKey
    membership: Membership
    envelope: Envelope
    earlier: tuple[Envelope, ...] = ()

    @classmethod
    def certified(cls, signing_key: SigningKey, envelope: Envelope, connection: Connection) -> Member:
        """Raises BadSignature for a membership that is not countersigned, CallerError for another key's."""
        named = open_envelope(envelope, Membership).community
        community = connection.trusted.version_named(named, what="the membership")
        membership = open_membership(envelope, community)
        if membership.signing_key != signing_key.public_bytes:
            raise CallerError("the membership is for another key than the one on this machine")
        return cls(signing_key, membership, envelope)


async def submit_figures(
    connection: Connection,
    study: VerifiedStudy,
    member: Member,
    values: Mapping[str, Value],
    *,
    randomness: Randomness,
    records: SubmissionRecords | None = None,
    waiver: bool = False,
) -> PreparedSubmission:
    """Share, seal, sign and hand in one member's figures; the gateway has stored them when this returns.

    With `records` a second call replaces the first. Raises CallerError, EncodingError, TransportError.
    """
    _verify_eligible(study, member.membership)
    record = None if records is None else records.load(study.terms_digest)
    standing = None if record is None else record.standing
    prepared = prepare_submission(
        study=study,
        values=values,
        membership=member.membership,
        signing_key=member.signing_key,
        randomness=randomness,
        sequence=1 if record is None else record.next_sequence,
        replaces=None if standing is None else standing.digest(),
        waiver=waiver,
    )
    if records is None or record is None:
        await connection.calls.submit(prepared.parts())
        return prepared
    tried = record.model_copy(update={"used": prepared.document.sequence})
    records.save(tried.model_copy(update={"submissions": (*record.submissions, prepared.envelope)}))
    try:
        await connection.calls.submit(prepared.parts())
    except CallerError:  # refused for certain: what stood before stands
        records.save(tried)
        raise
    return prepared


async def submission_status(
    connection: Connection, study: VerifiedStudy, records: SubmissionRecords
) -> ReceiptStatus:
    """Receipts of what stands now. Raises CallerError if nothing does."""
    standing = records.load(study.terms_digest).standing
    if standing is None:
        raise CallerError(
            "this machine has no figures in that study", hint="Send some with `mpc-cde member submit`."
        )
    return await read_receipts(connection, study, standing.digest())


async def own_evidence(
    connection: Connection,
    study: VerifiedStudy,
    member: Member,
    submission: Envelope,
    *,
    reader: Reader | None = None,
) -> OwnEvidence:
    """What proves the member's own place under a signed roster; unverified.

    `reader` is the member itself: the gateway asks for it once the input checks removed the submission. A member
    that was certified again shows the membership that its row names. Raises NotFound; NotCounted if every party's
    receipt is there and no place in the roster.
    """
    digest = submission.digest()
    receipts = await connection.calls.receipts(digest)
    try:
        proof = await connection.calls.proof(study.terms_digest, digest, reader)
    except NotFound as error:
        given = verify_receipts(study, digest, receipts)
        if sum(receipt.accepted for receipt in given.values()) < study.community.party_count:
            raise
        raise NotCounted(
            f"every party gave a receipt, but the gateway shows no row of the roster: {error}. Unless you withdrew "
            "or replaced it, or were revoked, your receipts prove that it is missing: show them to a party",
            whom="the gateway",
        ) from None
    named = proof.entry.membership
    shown = next((held for held in member.earlier if held.digest() == named), member.envelope)
    return OwnEvidence(membership=shown, submission=submission, receipts=receipts, proof=proof)


def _verify_eligible(study: VerifiedStudy, membership: Membership) -> None:
    lacking = study.study.terms.lacking(membership.attributes)
    if lacking is None:
        return
    values = ", ".join(lacking.values)
    if isinstance(lacking, GroupTerms):
        raise CallerError(
            f"the membership certifies no {lacking.attribute} that this study knows",
            hint=f"Ask the registrar; expected one of {values}.",
        )
    raise CallerError(f"this study is for members whose {lacking.attribute} is one of {values}")
