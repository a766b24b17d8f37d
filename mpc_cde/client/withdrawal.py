"""Taking figures out: the withdrawal, the parties' receipts for it, and what they prove.

The gateway's word that it has a withdrawal is worth nothing: it can keep it from every party until the roster is
signed. A party's receipt is a promise to sign no roster with those figures, and every party must sign. So a member
is out with the first receipt of a party that keeps its word, and without any it is told that it is not out yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mpc_cde.client.connection import Connection
from mpc_cde.client.http import Reader
from mpc_cde.client.member import Member, SubmissionRecords
from mpc_cde.client.receipts import wait_until_final
from mpc_cde.client.verification import VerifiedStudy, verify_roster, verify_withdrawal_receipts
from mpc_cde.documents.base import Part
from mpc_cde.documents.canonical import Digest
from mpc_cde.documents.envelope import Envelope, merge_signatures, open_envelope, sign_document
from mpc_cde.documents.roster import Roster, RosterProof, verify_member_row
from mpc_cde.documents.submission import Submission
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import BadDocument, CallerError, NotFound, PeerError, StoreDamaged
from mpc_cde.secret_files import make_private_directory, read_secret_file, write_secret_file


class WithdrawalRecord(Part):
    """A member's newest withdrawal from one study, and every receipt for it that was ever shown."""

    max_payload_bytes: ClassVar[int] = 1 << 20

    type: Literal["withdrawal-record/v1"] = "withdrawal-record/v1"
    study_terms: Digest
    withdrawal: Envelope
    receipts: Annotated[tuple[Envelope, ...], Field(max_length=16)] = ()


class PromiseBroken(PeerError):
    """Parties signed a roster with figures that they had signed a receipt for the withdrawal of."""


@dataclass(frozen=True, slots=True)
class WithdrawalStatus:
    """Verified receipts of one withdrawal, by name of party; `contacts` says whom to reach at each."""

    withdrawal: Envelope
    parties: tuple[str, ...]
    known_to: tuple[str, ...]
    contacts: tuple[str, ...]
    envelopes: tuple[Envelope, ...]

    @property
    def waiting(self) -> tuple[str, ...]:
        """Parties that have not confirmed it."""
        return tuple(name for name in self.parties if name not in self.known_to)

    @property
    def is_final(self) -> bool:
        """Whether waiting longer changes nothing."""
        return not self.waiting

    def describe(self) -> str:
        """Plain sentences; without a receipt, that nothing is withdrawn yet and what to do."""
        text = f"{len(self.known_to)} of {len(self.parties)} parties know of your withdrawal."
        if not self.waiting:
            return text
        if self.known_to:
            return (
                f"{text} Waiting for {', '.join(self.waiting)}. A single party that keeps its word is enough: "
                "a list of contributors needs the signatures of all."
            )
        return (
            f"{text} You are not withdrawn yet: your figures still count. Withdraw again before the study closes; "
            "if no party confirms it, the gateway may be holding it back: tell a party "
            f"({'; '.join(self.contacts)})."
        )


async def withdraw_figures(
    connection: Connection, study: VerifiedStudy, member: Member, records: SubmissionRecords
) -> Envelope:
    """Take out everything submitted so far; again hands the same withdrawal in once more.

    Raises CallerError if nothing was ever submitted.
    """
    record = records.load(study.terms_digest)
    newest = record.newest
    if newest is None:
        raise CallerError("this machine has no figures in that study", hint="There is nothing to withdraw.")
    withdrawal = Withdrawal(
        study_terms=study.terms_digest, member=member.membership.member, sequence=newest.sequence
    )
    envelope = sign_document(withdrawal, member.signing_key)
    await connection.calls.post("withdrawals", envelope)
    _remember(records, study.terms_digest, envelope)
    records.save(record.model_copy(update={"withdrawn": newest.sequence}))
    return envelope


async def read_withdrawal(
    connection: Connection,
    study: VerifiedStudy,
    records: SubmissionRecords,
    *,
    known: int = 0,
    wait_seconds: float = 0.0,
) -> WithdrawalStatus:
    """The receipts that are there or were shown before, each verified against its party's key.

    What a gateway once showed it cannot take back: it is kept. Raises CallerError, BadSignature.
    """
    record = load_withdrawal(records, study.terms_digest)
    if record is None:
        raise CallerError(
            "this machine keeps no withdrawal from that study",
            hint="Withdraw with `mpc-cde member withdraw`.",
        )
    digest = record.withdrawal.digest()
    try:
        shown = await connection.calls.withdrawal_receipts(digest, known=known, wait_seconds=wait_seconds)
    except NotFound:
        shown = ()  # whatever it acknowledged before
    receipts = verify_withdrawal_receipts(study, digest, (*shown, *record.receipts))
    kept = tuple(receipts[party] for party in sorted(receipts))
    _remember(records, study.terms_digest, record.withdrawal, kept)
    cards = study.community.cards
    return WithdrawalStatus(
        withdrawal=record.withdrawal,
        parties=tuple(card.name for card in cards),
        known_to=tuple(cards[party].name for party in sorted(receipts)),
        contacts=tuple(f"{card.name}: {card.contact}" for card in cards),
        envelopes=kept,
    )


async def wait_for_withdrawal(
    connection: Connection,
    study: VerifiedStudy,
    records: SubmissionRecords,
    *,
    deadline_seconds: float,
    on_change: Callable[[WithdrawalStatus], None] | None = None,
) -> WithdrawalStatus:
    """Wait until every party knows of it. Raises DeadlinePassed naming who is missing."""
    return await wait_until_final(
        lambda known, seconds: read_withdrawal(connection, study, records, known=known, wait_seconds=seconds),
        deadline_seconds=deadline_seconds,
        on_change=on_change,
    )


async def verify_left_out(
    connection: Connection,
    study: VerifiedStudy,
    records: SubmissionRecords,
    status: WithdrawalStatus,
    *,
    reader: Reader | None = None,
) -> bool | None:
    """After the roster was signed: True if the gateway has no row of what was withdrawn, False if it counts since no
    party had the withdrawal in time, None while there is no roster. `reader` is the member itself.

    Raises PromiseBroken naming the parties whose receipts prove that they knew.
    """
    file = await connection.calls.study(study.terms_digest)
    if file.roster is None:
        return None
    roster = verify_roster(study, file.roster)
    for submission in reversed(records.load(study.terms_digest).submissions):
        try:
            proof = await connection.calls.proof(study.terms_digest, submission.digest(), reader)
        except NotFound:
            continue
        verify_promises(study, roster, proof, submission, status.withdrawal, status.envelopes)
        return False
    return True


def verify_promises(
    study: VerifiedStudy,
    roster: Roster,
    proof: RosterProof,
    submission: Envelope,
    withdrawal: Envelope,
    receipts: tuple[Envelope, ...],
) -> None:
    """Returns if no party broke its word: the row is there, and none had signed a receipt of the withdrawal.

    All of it can be checked by anybody, from these documents alone. Raises PromiseBroken, BadProof, BadDocument.
    """
    taken_out = open_envelope(withdrawal, Withdrawal)
    withdrawn = open_envelope(submission, Submission)
    covers = (
        (taken_out.study_terms, taken_out.member) == (withdrawn.study_terms, withdrawn.member)
        and taken_out.study_terms == roster.study_terms
        and withdrawn.sequence <= taken_out.sequence
    )
    if not covers:
        raise BadDocument("the withdrawal does not take this submission out")
    verify_member_row(roster, proof, submission=submission.digest())
    promised = verify_withdrawal_receipts(study, withdrawal.digest(), receipts)
    if promised:
        names = ", ".join(study.community.cards[party].name for party in sorted(promised))
        raise PromiseBroken(
            "the roster holds figures that you withdrew, and these parties signed both it and a receipt for your "
            f"withdrawal: {names}. Their signatures prove it: show them to the others",
            whom=names,
        )


def load_withdrawal(records: SubmissionRecords, study_terms: bytes) -> WithdrawalRecord | None:
    """What is kept of the newest withdrawal from a study. Raises StoreDamaged."""
    path = records.withdrawal_path(study_terms)
    if not path.exists():
        return None
    try:
        return WithdrawalRecord.parse_payload(
            read_secret_file(path, max_bytes=WithdrawalRecord.max_payload_bytes)
        )
    except BadDocument as error:
        raise StoreDamaged(f"{path}: {error}") from None


def _remember(
    records: SubmissionRecords, study_terms: bytes, withdrawal: Envelope, receipts: tuple[Envelope, ...] = ()
) -> None:
    """On disk when this returns; receipts of the same withdrawal that were kept before stay."""
    before = load_withdrawal(records, study_terms)
    if before is not None and before.withdrawal.digest() == withdrawal.digest():
        receipts = receipts or before.receipts
        withdrawal = merge_signatures(before.withdrawal, [withdrawal])
        if (withdrawal, receipts) == (before.withdrawal, before.receipts):
            return
    record = WithdrawalRecord(study_terms=study_terms, withdrawal=withdrawal, receipts=receipts)
    path = records.withdrawal_path(study_terms)
    make_private_directory(path.parent)
    write_secret_file(path, record.payload_bytes(), replace=True)
