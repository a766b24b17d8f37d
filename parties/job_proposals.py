"""What parties say to each other about the next job: proposal, answer, and the checks between them.

The lowest-numbered party of a session proposes; every other looks at its own documents, decisions and ledger and
accepts, or refuses with a reason. All see all answers, so all start the same job in the same order or none does.
Nothing here is signed: it lives inside one authenticated session; what it leads to is signed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mpc_cde.documents.base import Part
from mpc_cde.documents.canonical import Count, Digest, ShortText, Timestamp, datetime_of, digest_of
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.query import Query, QueryItem
from parties.policy import MAX_ATTEMPTS
from parties.release_ledger import Ledger, Released
from parties.results import FoundAnswer

MAX_SECONDS_APART = 300
"""How far a proposal's time may lie from an answering party's clock: it stands in the result, and `expires` is held
against it."""


Facts = Annotated[tuple[Released, ...], Field(max_length=1024)]
"""For each item of a query what is released and must be kept clear of."""


class Proposal(Part):
    """The next job, or the end of the session. `released[i]` is what item i must keep clear of.

    `subject` is the roster's digest for input checks and the query's for a query; `roster` the roster's or the
    checked roster's. "answered" finishes what an earlier job came to, named by the digest of that
    `answer` and so the same at every party that accepts: nothing is computed again.
    """

    max_payload_bytes: ClassVar[int] = 8 << 20

    kind: Literal["input_checks", "query", "answered", "end"]
    study_terms: Digest
    subject: Digest
    roster: Digest
    attempt: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS)]
    time: Timestamp
    answer: Digest | None = None
    released: Facts = ()


class Answer(Part):
    """Yes, with where the party's log stands; or no, with the reason and what it would accept instead."""

    max_payload_bytes: ClassVar[int] = 8 << 20

    accepts: bool
    reason: ShortText | None = None
    next_attempt: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS + 1)] = 1
    released: Facts = ()
    log_head: Digest
    log_length: Count


def agreed_digest(proposal: Proposal, answers: Mapping[int, Answer]) -> bytes:
    """32 bytes of all that was said before a job: who was told something else finds out before it begins."""
    said = b"".join(answers[party].digest() for party in sorted(answers))
    return digest_of(b"mpc-cde/agreed/v1\x00" + proposal.digest() + said)


@dataclass(frozen=True, slots=True)
class OwnView:
    """What this party's store says about the query of a proposal."""

    query: Query
    query_digest: bytes
    decisions: Mapping[int, Decision]
    party_count: int
    checked_roster: bytes
    ledger: Ledger
    now: str


def released_by(ledger: Ledger, query: bytes, items: Sequence[QueryItem]) -> tuple[Released, ...]:
    """For each item what this party has let out of its figures and group."""
    return tuple(ledger.released(item, besides=query) for item in items)


def next_attempt(ledger: Ledger, query: bytes) -> int:
    """The attempt that this party would start next; above MAX_ATTEMPTS there is none."""
    return 1 + max((entry.attempt for entry in ledger.entries if entry.query == query), default=0)


def union(sets: Sequence[tuple[Released, ...]]) -> tuple[Released, ...]:
    """Item by item what any party has let out."""
    return tuple(reduce(Released.joined, position) for position in zip(*sets, strict=True))


def refusal_of_answer(
    proposal: Proposal, parties: tuple[int, ...], answers: Sequence[FoundAnswer]
) -> str | None:
    """Why this party does not sign what an earlier job came to, in a session of these parties, or None."""
    for answer in answers:
        if answer.digest() == proposal.answer and answer.query == proposal.subject:
            if answer.checked_roster != proposal.roster:
                return "that job was about another checked roster"
            return None if answer.parties == parties else "that job ran among other parties"
    return "this party does not know that answer"


def refusal_of_query(proposal: Proposal, own: OwnView) -> str | None:
    """Why this party does not start the proposed query, or None."""
    missing = [party for party in range(own.party_count) if party not in own.decisions]
    if missing:
        return f"no decision of party {missing[0]} is here yet"
    if any(not decision.agrees for decision in own.decisions.values()):
        return "some party said no to the query"
    if any(decision.checked_roster != own.checked_roster for decision in own.decisions.values()):
        return "some party decided about another checked roster"
    if proposal.roster != own.checked_roster:
        return "the checked roster is another one here"
    if own.ledger.other_roster(own.checked_roster):
        return "something of this study was begun on another roster"
    if proposal.attempt < next_attempt(own.ledger, own.query_digest):
        return "this attempt was started before"
    if max(proposal.time, own.now) >= own.query.expires:
        return "the query has expired"
    if abs(datetime_of(proposal.time) - datetime_of(own.now)) > timedelta(seconds=MAX_SECONDS_APART):
        return "the proposal's time is not this party's"
    mine = released_by(own.ledger, own.query_digest, own.query.items)
    if len(proposal.released) != len(mine):
        return "the proposal lists another number of items"
    if not all(proposed.covers(item) for item, proposed in zip(mine, proposal.released, strict=True)):
        return "the proposal leaves out what is released here"
    return None
