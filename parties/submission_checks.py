"""Whether one submission counts at this party: a pure judgement, with a stable code for every refusal.

What is judged was signed by the member; a document without the member's valid signature never gets here (a
refusal of it would let anybody spoil a digest that the member has yet to send).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mpc_cde.documents.membership import Membership
from mpc_cde.documents.submission import Submission
from mpc_cde.errors import SealRefused
from mpc_cde.life_cycles import study as life
from mpc_cde.life_cycles.roster_rules import is_standing, is_within_reach
from mpc_cde.sealing import SealingContext, parse_seeds
from parties.envelope_opener import SealedPart
from parties.studies import KnownStudy
from protocols import field as fp
from protocols.errors import MalformedMessage
from protocols.sharing import Seed, subsets

MAX_ACCEPTED_EACH = 100
"""Submissions of one member in one study: all are kept until the roster is signed, and all go into the list."""


@dataclass(frozen=True, slots=True)
class PartyPlace:
    """This party among m with threshold t."""

    index: int
    parties: int
    threshold: int


@dataclass(frozen=True, slots=True)
class SubmissionContext:
    """What the judgement rests on, all of it verified.

    `accepted` and `withdrawn` are the sequences of this member in this study; `holding_members` the members
    under the same holding of whom a submission stands; `members` of how many one stands; `now` this party's clock.
    A submission stands that was accepted and not withdrawn, of a member that was not revoked.
    """

    place: PartyPlace
    known: KnownStudy
    membership: Membership
    revoked: bool
    accepted: frozenset[int]
    withdrawn: frozenset[int]
    holding_members: frozenset[bytes]
    members: int
    now: str

    @property
    def stands(self) -> bool:
        """Whether the member has figures in the study already: sending others then takes no other place."""
        return is_standing(self.accepted, self.withdrawn)


@dataclass(frozen=True, slots=True)
class Parts:
    """What travels beside the signed document: the correction, and the envelope sealed to this party."""

    correction: bytes
    envelope: bytes


@dataclass(frozen=True, slots=True)
class AcceptedSeeds:
    """The party's seeds, in the order of their subsets."""

    seeds: tuple[Seed, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A stable code, and one sentence for the member."""

    reason: str
    explanation: str


def judge_submission(
    submission: Submission,
    parts: Parts,
    context: SubmissionContext,
    opened: Callable[[SealedPart], bytes],
) -> AcceptedSeeds | Refused:
    """The party's seeds if every check passes, else the first reason why not.

    `opened` gives the plaintext of an envelope or raises SealRefused; it is asked only while the study is open.
    """
    for check in (_study_takes_it, _member_may, _sequence_fits, _there_is_room, _shape_fits):
        refusal = check(submission, context)
        if refusal is not None:
            return refusal
    return _parts_fit(submission, parts, context.known) or _open_seeds(
        submission, parts.envelope, context, opened
    )


def _study_takes_it(submission: Submission, context: SubmissionContext) -> Refused | None:
    match context.known.state:
        case life.Open():
            pass
        case life.Proposed() | life.Approved():
            return Refused("study_not_open", "The study is not open yet; send it again when it is.")
        case life.Refused() | life.Cancelled():
            return Refused("study_cancelled", "The study was refused by a party and will not take place.")
        case _:
            return Refused("study_closed", "The study has closed; this party accepts nothing more.")
    if submission.consent not in context.known.consent_digests:
        return Refused("consent_differs", "The consent text that was shown is not the study's.")
    return None


def _member_may(_: Submission, context: SubmissionContext) -> Refused | None:
    membership, terms = context.membership, context.known.terms
    if context.revoked:
        return Refused("membership_revoked", "The membership was revoked; ask the registrar.")
    if not membership.is_valid_at(context.now):
        return Refused("membership_not_valid", "The membership is not valid today; ask the registrar.")
    for rule in terms.eligibility:
        if membership.attributes.get(rule.attribute) not in rule.values:
            return Refused("not_eligible", f"The study is for members with another {rule.attribute}.")
    for group in terms.groups:
        if membership.attributes.get(group.attribute) not in group.values:
            return Refused(
                "group_not_certified",
                f"The membership certifies no {group.attribute} that the study knows; ask the registrar.",
            )
    return None


def _sequence_fits(submission: Submission, context: SubmissionContext) -> Refused | None:
    sequence = submission.sequence
    if sequence in context.accepted:
        return Refused("sequence_used", f"Another submission number {sequence} was accepted before.")
    if sequence <= max(context.withdrawn, default=0):
        return Refused("withdrawn", "It was withdrawn; a new submission needs a higher sequence.")
    if not is_within_reach(sequence, context.accepted | context.withdrawn):
        return Refused("sequence_jump", "The sequence grows by more than 1000 at once.")
    return None


def _there_is_room(submission: Submission, context: SubmissionContext) -> Refused | None:
    if len(context.accepted) >= MAX_ACCEPTED_EACH:
        return Refused("too_many", f"{MAX_ACCEPTED_EACH} submissions of this member were accepted before.")
    if context.holding_members - {submission.member}:
        return Refused("holding_counted", "Another member of the same holding has submitted; one counts.")
    if not context.stands and context.members >= context.known.terms.roster_cap:
        return Refused(
            "roster_full", f"The study takes {context.known.terms.roster_cap} members and is full."
        )
    return None


def _shape_fits(submission: Submission, context: SubmissionContext) -> Refused | None:
    place = context.place
    if not submission.fits(parties=place.parties, threshold=place.threshold):
        return Refused(
            "wrong_shape",
            f"The community has {place.parties} parties and threshold {place.threshold}; it fits others.",
        )
    return None


def _parts_fit(submission: Submission, parts: Parts, known: KnownStudy) -> Refused | None:
    if hashlib.sha256(parts.correction).digest() != submission.correction:
        return Refused("correction_altered", "The correction that arrived is not the one that was signed.")
    expected = known.element_count * fp.ELEMENT_BYTES
    if len(parts.correction) != expected:
        return Refused(
            "correction_length",
            f"The correction has {len(parts.correction)} bytes; the study needs {expected}.",
        )
    try:
        fp.from_bytes(parts.correction)
    except MalformedMessage:
        return Refused("correction_malformed", "The correction holds a number outside the field.")
    return None


def _open_seeds(
    submission: Submission,
    envelope: bytes,
    context: SubmissionContext,
    opened: Callable[[SealedPart], bytes],
) -> AcceptedSeeds | Refused:
    place = context.place
    if hashlib.sha256(envelope).digest() != submission.envelopes[place.index]:
        return Refused("envelope_altered", "The envelope that arrived is not the one that was signed.")
    positions = own_positions(place)
    try:
        plaintext = opened(SealedPart(envelope, where_sealed(submission, place.index)))
    except SealRefused:
        return Refused("envelope_sealed_elsewhere", "The envelope does not open with this party's key here.")
    try:
        seeds = tuple(Seed(secret) for secret in parse_seeds(plaintext, count=len(positions)))
    except SealRefused:
        return Refused("seeds_malformed", "The envelope does not hold the seeds that this party needs.")
    if not _are_signed(seeds, positions, submission):
        return Refused("seed_differs", "A seed in the envelope is not the one whose hash was signed.")
    return AcceptedSeeds(seeds)


def where_sealed(submission: Submission, party: int) -> SealingContext:
    """Where the envelope to this party belongs."""
    return SealingContext(
        study_terms=submission.study_terms,
        member=submission.member,
        sequence=submission.sequence,
        party=party,
    )


def own_positions(place: PartyPlace) -> list[int]:
    """Positions, in the list of all t-subsets, of those that the party is outside of: whose seeds it gets."""
    every = subsets(place.parties, place.threshold)
    return [position for position, subset in enumerate(every) if place.index not in subset]


def _are_signed(seeds: Sequence[Seed], positions: Sequence[int], submission: Submission) -> bool:
    """Then all parties outside a subset hold the same seed for it, and the sharing has degree t."""
    return all(
        seed.hash() == submission.seed_hashes[position]
        for seed, position in zip(seeds, positions, strict=True)
    )
