"""Rules for what members and researchers sign: submissions with their parts, withdrawals, queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb

from mpc_cde.body_parts import CORRECTION_PART, DOCUMENT_PART, envelope_part
from mpc_cde.coded_text import worded
from mpc_cde.documents.canonical import digest_of
from mpc_cde.documents.envelope import Envelope, keyid_of, open_envelope
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.query import Query, function_of
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.revocation import Revocation
from mpc_cde.documents.submission import MAX_SEQUENCE_GROWTH, Submission
from mpc_cde.documents.suites import ENCAPSULATION_LENGTHS
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import BadDocument, BadSignature
from mpc_cde.gateway.admission import Context, Rule
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.problems import ProblemKind, RequestRefused
from mpc_cde.gateway.standing import enrolled_researcher, is_revoked, valid_membership
from mpc_cde.gateway.store_view import StoredDocument, StoreView
from mpc_cde.gateway.study_files import StudyFile, get_study
from mpc_cde.life_cycles import study as life
from mpc_cde.life_cycles.roster_rules import is_standing, is_within_reach

ELEMENT_BYTES = 8
SEALING_OVERHEAD_BYTES = 8 + 16
"""Version header before the seeds, authentication tag after them."""


def submission_rule(
    envelope: Envelope, context: Context, parts: Mapping[str, bytes]
) -> tuple[Rule, StoredDocument]:
    """The member it names, in an open study, with exactly the parts it names; also the membership it counts by.

    Raises RequestRefused, NotFound, BadSignature, BadDocument.
    """
    submission = open_envelope(envelope, Submission)
    file = get_study(context.view, context.chain, submission.study_terms, context.now)
    community = file.community
    if not submission.fits(parties=community.party_count, threshold=community.threshold):
        raise BadDocument(
            f"expected {community.party_count} envelopes and {comb(community.party_count, community.threshold)} seeds"
        )
    _verify_parts(submission, parts, file)
    stored, membership = _membership_that_signed(envelope, context, submission.member)

    def guard(view: StoreView) -> None:
        _verify_open(file)
        valid_membership(view, context.chain, stored, context.now_text)
        _verify_eligible(membership, file)
        used = _sequences_of(view, submission.study_terms, submission.member)
        _verify_sequence(submission.sequence, used)
        if not used.stands and _is_full(view, context, file):
            raise RequestRefused(
                ProblemKind.STUDY_FULL,
                worded("study_full", "it takes {most} members", most=file.terms.roster_cap),
            )

    rule = Rule(
        Submission.type_name(),
        (membership.signing_key,),
        ((membership.signing_key, "the member it names"),),
        study=submission.study_terms,
        subject=submission.member,
        guard=guard,
    )
    return rule, stored


def _is_full(view: StoreView, context: Context, file: StudyFile) -> bool:
    """Whether members that may still count fill the roster: who was revoked or withdrew since takes no place."""
    members = view.count_members(file.terms_digest)
    if members < file.terms.roster_cap:
        return False
    revoked = {
        subject
        for subject in {stored.subject for stored in view.documents(Revocation.type_name())}
        if subject and is_revoked(view, context.chain, subject)
    }
    withdrew = {stored.subject for stored in view.documents(Withdrawal.type_name(), study=file.terms_digest)}
    gone = sum(
        bool(used.submitted) and (subject in revoked or not used.stands)
        for subject in revoked | withdrew
        if subject
        for used in (_sequences_of(view, file.terms_digest, subject),)
    )
    return members - gone >= file.terms.roster_cap


@dataclass(frozen=True, slots=True)
class _Sequences:
    """Of one member in one study, as they were handed in."""

    submitted: frozenset[int]
    withdrawn: frozenset[int]

    @property
    def used(self) -> frozenset[int]:
        return self.submitted | self.withdrawn

    @property
    def stands(self) -> bool:
        """Whether the member submitted something that it did not withdraw."""
        return is_standing(self.submitted, self.withdrawn)


def _sequences_of(view: StoreView, study: bytes, member: bytes) -> _Sequences:
    withdrawals: Sequence[StoredDocument] = view.documents(
        Withdrawal.type_name(), study=study, subject=member
    )
    return _Sequences(
        frozenset(row.sequence for row in view.submissions(study, member=member)),
        frozenset(parse_stored(stored, Withdrawal).sequence for stored in withdrawals),
    )


def withdrawal_rule(envelope: Envelope, context: Context) -> Rule:
    """The member it names, until the roster is signed."""
    withdrawal = open_envelope(envelope, Withdrawal)
    file = get_study(context.view, context.chain, withdrawal.study_terms, context.now)
    _, membership = _membership_that_signed(envelope, context, withdrawal.member)

    def guard(view: StoreView) -> None:
        if not isinstance(file.state, life.Open | life.Closing):
            raise RequestRefused(
                ProblemKind.STUDY_NOT_OPEN,
                worded(
                    "withdrawn_too_late",
                    "figures can be withdrawn until the roster is signed; the study is {state}",
                    state=file.state.name,
                ),
            )
        used = _sequences_of(view, withdrawal.study_terms, withdrawal.member).used
        if not is_within_reach(withdrawal.sequence, used):
            raise _out_of_reach(max(used, default=0))

    return Rule(
        Withdrawal.type_name(),
        (membership.signing_key,),
        ((membership.signing_key, "the member it names"),),
        study=withdrawal.study_terms,
        subject=withdrawal.member,
        guard=guard,
    )


def query_rule(envelope: Envelope, context: Context) -> Rule:
    """A researcher whom all parties enrolled, or a member; only what the study allows. Parties decide anew."""
    query = open_envelope(envelope, Query)
    file = get_study(context.view, context.chain, query.study_terms, context.now)
    key = _asker_key(query, context)

    def guard(view: StoreView) -> None:
        if query.expires <= context.now_text:
            raise BadDocument(f"the query expired at {query.expires}", whom="the asker")
        if file.is_ended or isinstance(file.state, life.Expired | life.Deleted):
            raise RequestRefused(
                ProblemKind.STUDY_NOT_OPEN,
                worded("study_state", "the study is {state}", state=file.state.name),
            )
        for number, item in enumerate(query.items):
            if function_of(item, file.terms) is None:
                raise BadDocument(
                    f"item {number}: the study has no {item.function} with these figures, group and parameters",
                    whom="the asker",
                )

    return Rule(
        Query.type_name(),
        (key,),
        ((key, "the asker it names"),),
        study=query.study_terms,
        subject=query.asker,
        guard=guard,
    )


def _asker_key(query: Query, context: Context) -> bytes:
    stored = context.view.document(query.asker)
    if query.asker_kind == "researcher" and stored is not None and stored.type_name == Researcher.type_name():
        return enrolled_researcher(context.view, context.chain, stored, context.now_text).signing_key
    if query.asker_kind == "member" and stored is not None and stored.type_name == Membership.type_name():
        return valid_membership(context.view, context.chain, stored, context.now_text).signing_key
    raise RequestRefused(
        ProblemKind.ASKER_NOT_ENROLLED, worded("asker_unknown", "this gateway knows no such asker")
    )


def _verify_parts(submission: Submission, parts: Mapping[str, bytes], file: StudyFile) -> None:
    """Exactly the parts that were signed, of the sizes that the study gives."""
    names = [envelope_part(party) for party in range(len(submission.envelopes))]
    expected = {DOCUMENT_PART, CORRECTION_PART, *names}
    if set(parts) != expected:
        wrong = sorted(expected - set(parts)) or ["no other part"]
        raise RequestRefused(ProblemKind.PARTS_REFUSED, f"expected {', '.join(wrong[:5])}")
    elements = file.element_count
    if len(parts[CORRECTION_PART]) != elements * ELEMENT_BYTES:
        raise RequestRefused(
            ProblemKind.PARTS_REFUSED,
            f"correction: expected {elements} elements of {ELEMENT_BYTES} bytes, "
            f"found {len(parts[CORRECTION_PART])} bytes",
        )
    if digest_of(parts[CORRECTION_PART]) != submission.correction:
        raise RequestRefused(ProblemKind.PARTS_REFUSED, "correction: its digest is not the signed one")
    m, t = file.community.party_count, file.community.threshold
    largest = max(ENCAPSULATION_LENGTHS.values()) + SEALING_OVERHEAD_BYTES + 32 * comb(m - 1, t)
    for name, signed in zip(names, submission.envelopes, strict=True):
        if len(parts[name]) > largest:
            raise RequestRefused(ProblemKind.PARTS_REFUSED, f"{name}: expected at most {largest} bytes")
        if digest_of(parts[name]) != signed:
            raise RequestRefused(ProblemKind.PARTS_REFUSED, f"{name}: its digest is not the signed one")


def _membership_that_signed(
    envelope: Envelope, context: Context, member: bytes
) -> tuple[StoredDocument, Membership]:
    """The newest membership of the member whose key the signature names. Raises RequestRefused, BadSignature.

    Whether that key really signed is for `admit`, which takes no signature of any other.
    """
    known = context.view.documents(Membership.type_name(), subject=member)
    named = {signature.keyid for signature in envelope.signatures}
    for stored in reversed(known):
        membership = parse_stored(stored, Membership)
        if keyid_of(membership.signing_key) in named:
            return stored, membership
    if not known:
        raise RequestRefused(
            ProblemKind.MEMBERSHIP_NOT_VALID,
            worded("membership_unknown", "this gateway knows no membership of the member it names"),
        )
    raise BadSignature("it is not signed by the member it names", whom="the member it names")


def _verify_open(file: StudyFile) -> None:
    if not isinstance(file.state, life.Open):
        raise RequestRefused(
            ProblemKind.STUDY_NOT_OPEN,
            worded(
                "figures_state",
                "figures are taken while a study is open; it is {state}",
                state=file.state.name,
            ),
        )


def _verify_eligible(membership: Membership, file: StudyFile) -> None:
    for condition in file.terms.eligibility:
        if membership.attributes.get(condition.attribute) not in condition.values:
            raise RequestRefused(
                ProblemKind.MEMBERSHIP_NOT_VALID,
                worded(
                    "members_only",
                    "the study takes members with certain values of {attribute} only",
                    attribute=condition.attribute,
                ),
            )


def _verify_sequence(sequence: int, before: _Sequences) -> None:
    if sequence in before.submitted:
        raise RequestRefused(
            ProblemKind.SEQUENCE_USED,
            worded(
                "sequence_used",
                "sequence {sequence} was used for another submission",
                sequence=sequence,
            ),
        )
    if sequence <= max(before.withdrawn, default=0):
        raise RequestRefused(
            ProblemKind.CONFLICT,
            worded(
                "sequence_withdrawn",
                "everything up to sequence {sequence} was withdrawn",
                sequence=max(before.withdrawn),
            ),
            hint="Submit under a higher sequence.",
        )
    if not is_within_reach(sequence, before.used):
        raise _out_of_reach(max(before.used, default=0))


def _out_of_reach(highest: int) -> RequestRefused:
    return RequestRefused(
        ProblemKind.CONFLICT,
        worded(
            "sequence_growth",
            "a sequence grows by at most {most} at a time; the highest so far is {highest}",
            most=MAX_SEQUENCE_GROWTH,
            highest=highest,
        ),
    )
