"""A researcher's question: chosen among what the study allows, signed, decided on, computed, verified."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

import anyio

from mpc_cde.client.connection import Connection
from mpc_cde.client.evidence import verified_result
from mpc_cde.client.http import Reader
from mpc_cde.client.release_rules import items_of
from mpc_cde.client.verification import VerifiedResult, VerifiedStudy
from mpc_cde.documents.authority import open_from_all_parties, open_from_party
from mpc_cde.documents.canonical import timestamp_of
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.envelope import Envelope, open_envelope, sign_document
from mpc_cde.documents.query import Query, QueryItem
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.study_terms import FunctionTerms
from mpc_cde.errors import BadDocument, CallerError, DeadlinePassed
from mpc_cde.keys import SigningKey
from protocols.randomness import Randomness

POLL_SECONDS = 0.2
MAX_POLL_SECONDS = 3.0
FAILED_STATES = frozenset({"declined", "failed", "refused", "expired"})


@dataclass(frozen=True, slots=True)
class EnrolledResearcher:
    """A researcher that every party enrolled: its key and its document, as they signed it."""

    signing_key: SigningKey
    researcher: Researcher
    envelope: Envelope

    @classmethod
    def enrolled(
        cls, signing_key: SigningKey, envelope: Envelope, connection: Connection
    ) -> EnrolledResearcher:
        """Raises BadSignature naming a party that did not sign, CallerError for another key's document."""
        named = open_envelope(envelope, Researcher).community
        community = connection.trusted.version_named(named, what="the researcher's document")
        researcher = open_from_all_parties(envelope, Researcher, community)
        if researcher.signing_key != signing_key.public_bytes:
            raise CallerError("the enrolment is for another key than the one on this machine")
        return cls(signing_key, researcher, envelope)


class Asker(Protocol):
    """Who asks; `envelope` is the document that says so: an enrolment, or a membership."""

    @property
    def envelope(self) -> Envelope: ...


@dataclass(frozen=True, slots=True)
class QueryStatus:
    """What is known of a query: `yes` and `no` are verified decisions, `state` is the gateway's word."""

    query: bytes
    state: str
    parties: tuple[str, ...]
    yes: tuple[str, ...]
    no: tuple[tuple[str, str], ...]
    results: tuple[bytes, ...]

    def describe(self) -> str:
        """One sentence for people."""
        if self.no:
            return "Refused by " + "; ".join(f"{name}: {why}" for name, why in self.no)
        if self.results:
            return "Published."
        if len(self.yes) < len(self.parties):
            waiting = [name for name in self.parties if name not in self.yes]
            return f"{len(self.yes)} of {len(self.parties)} parties agree; waiting for {', '.join(waiting)}."
        return f"All parties agree; {self.state}."


class QueryDeclined(CallerError):
    """A party said no, or the query failed; nothing was computed for it or nothing came of it."""


def choose_items(
    study: VerifiedStudy,
    *,
    functions: Iterable[str] = (),
    figures: Iterable[str] = (),
    by: Iterable[str] = (),
    groups: bool | None = None,
    permitted: Iterable[str] | None = None,
) -> tuple[QueryItem, ...]:
    """The cells of all functions of the study that fit what was named; names that nothing fits are errors.

    `functions` with or without version; `by` attributes of groups; `groups` True for grouped cells alone, False
    for cells over all members alone. `permitted` are the functions that the asker may use. Functions for
    members themselves and scheduled ones are left out. Raises CallerError.
    """
    terms = study.study.terms
    wanted_functions, wanted_figures, wanted_by = set(functions), set(figures), set(by)
    askable = [f for f in terms.functions if not f.scheduled and f.audience != "self"]
    _known(wanted_functions, {n for f in askable for n in (f.function, _bare(f))}, "function")
    _known(wanted_figures, {name for f in askable for name in f.figures}, "figure")
    _known(wanted_by, {f.by for f in askable if f.by is not None}, "group")
    allowed = None if permitted is None else set(permitted)
    items: list[QueryItem] = []
    for function in askable:
        if wanted_functions and not wanted_functions & {function.function, _bare(function)}:
            continue
        if wanted_figures and not wanted_figures & set(function.figures):
            continue
        if wanted_by and function.by not in wanted_by:
            continue
        if groups is not None and groups != (function.by is not None):
            continue
        if allowed is not None and function.function not in allowed:
            continue
        items += [item for item in items_of(function, terms) if item not in items]
    if not items:
        raise CallerError(
            "nothing in this study fits the question", hint="See what it allows with `mpc-cde study show`."
        )
    return tuple(items)


def make_query(
    study: VerifiedStudy,
    asker: EnrolledResearcher,
    items: tuple[QueryItem, ...],
    *,
    randomness: Randomness,
    now: datetime | None = None,
    valid_seconds: float = 3600.0,
) -> Envelope:
    """A signed query. Raises CallerError for a function that the researcher was not enrolled for."""
    for item in items:
        if not asker.researcher.may_ask(item.function, study.terms_digest):
            raise CallerError(
                f"you are not enrolled for {item.function} in this study",
                hint="Ask for it with `mpc-cde researcher request`.",
            )
    return signed_query(
        study,
        items,
        asker.signing_key,
        asker_kind="researcher",
        asker=asker.researcher.digest(),
        randomness=randomness,
        now=now,
        valid_seconds=valid_seconds,
    )


def signed_query(
    study: VerifiedStudy,
    items: tuple[QueryItem, ...],
    signing_key: SigningKey,
    *,
    asker_kind: Literal["researcher", "member"],
    asker: bytes,
    randomness: Randomness,
    now: datetime | None,
    valid_seconds: float,
) -> Envelope:
    """A query of whoever has the key; `asker` is the digest of its document."""
    moment = now or datetime.now(UTC)
    query = Query(
        study_terms=study.terms_digest,
        items=items,
        asker_kind=asker_kind,
        asker=asker,
        nonce=randomness.random_bytes(16),
        expires=timestamp_of(moment + timedelta(seconds=valid_seconds)),
    )
    return sign_document(query, signing_key)


async def query_status(
    connection: Connection, study: VerifiedStudy, query: bytes, *, reader: Reader | None = None
) -> QueryStatus:
    """Decisions so far, each verified. Raises BadSignature, NotFound."""
    file = await connection.calls.query(query, reader)
    decisions: dict[int, Decision] = {}
    for envelope in file.decisions:
        decision = open_from_party(envelope, Decision, study.community)
        if decision.query == query:
            decisions[decision.party] = decision
    names = tuple(card.name for card in study.community.cards)
    return QueryStatus(
        query=query,
        state=file.state,
        parties=names,
        yes=tuple(names[party] for party in sorted(decisions) if decisions[party].agrees),
        no=tuple(
            (names[party], f"{decisions[party].explanation} ({decisions[party].rule})")
            for party in sorted(decisions)
            if not decisions[party].agrees
        ),
        results=file.results,
    )


async def run_query(
    connection: Connection,
    study: VerifiedStudy,
    asker: Asker,
    envelope: Envelope,
    *,
    reader: Reader | None = None,
    deadline_seconds: float = 600.0,
    on_change: Callable[[QueryStatus], None] | None = None,
) -> VerifiedResult:
    """Send a query, wait for its result, verify it. Sending the same one again only waits again.

    `asker` is whoever signed it: a researcher, or a member.

    Raises QueryDeclined with every party's reason, DeadlinePassed, PeerError for a result that does not verify.
    """
    await connection.calls.post("queries", envelope)
    digest = envelope.digest()
    end = time.monotonic() + deadline_seconds
    pause = POLL_SECONDS
    shown = ""
    while True:
        status = await query_status(connection, study, digest, reader=reader)
        if on_change is not None and status.describe() != shown:
            shown = status.describe()
            on_change(status)
        if status.results:
            result = status.results[0]
            verified = await verified_result(connection, result, reader=reader, asker=asker.envelope)
            if verified.result.query != digest:
                raise BadDocument("the result that is served answers another query", whom="the gateway")
            return verified
        if status.no or status.state in FAILED_STATES:
            raise QueryDeclined(status.describe() if status.no else f"the query is {status.state}")
        if time.monotonic() + pause > end:
            raise DeadlinePassed(
                f"no result within {deadline_seconds:.0f} s. {status.describe()}",
                deadline_seconds=deadline_seconds,
            )
        await anyio.sleep(pause)
        pause = min(pause * 1.3, MAX_POLL_SECONDS)


def _bare(function: FunctionTerms) -> str:
    return function.function.partition("@")[0]


def _known(wanted: set[str], existing: set[str], what: str) -> None:
    unknown = sorted(wanted - existing)
    if unknown:
        raise CallerError(
            f"the study has no {what} {', '.join(unknown)}; it has {', '.join(sorted(existing)) or 'none'}"
        )
