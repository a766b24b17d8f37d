"""Which session this party wants, and when: from a closed study to signed results.

Everything is decided from the store: a study that closed wants an agreement among all parties; a frozen one wants
its inputs checked; a checked one has its decided queries answered. A session that fails is logged with whom and
why, and wanted again after a pause; a restart finds the same wants. Nothing is remembered outside store and log, but
for rows that were verified against a signed root.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from anyio import to_thread

from mpc_cde.body_parts import ENTRIES_PART, entries_content
from mpc_cde.documents.authority import open_from_all_parties
from mpc_cde.documents.canonical import encode_base64url, short_text_of
from mpc_cde.documents.complaint import GIVEN_UP_STEP, Complaint
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.envelope import Envelope, sign_document
from mpc_cde.documents.query import Query
from mpc_cde.documents.roster import Roster
from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.errors import OwnError
from mpc_cde.life_cycles import study as life
from parties import roster_table
from parties.agreement import RostersDiffer, agree_on_roster
from parties.computing_work import ComputingWork
from parties.decisions import decide_pending
from parties.desk import Desk
from parties.document_checks import DocumentContext
from parties.errors import PartyError, PeerProtocolViolation
from parties.known_members import read_members
from parties.party_home import CommunityHome
from parties.policy import MAX_ATTEMPTS, PartyPolicy
from parties.query_work import PartyDisagrees
from parties.roster import (
    AgreedInputs,
    ListRefused,
    RosterWaits,
    read_basis,
    read_promises,
    verify_promises,
)
from parties.session_supervisor import SessionInputs
from parties.sessions import Sessions
from parties.share_store import StoredDocument, StoreTransaction, StoreView
from parties.studies import KnownStudy

COMPLAINTS_PATH = "/v1/complaints"
IDLE_SECONDS = 1.0
PAUSE_SECONDS = 0.2  # the supervisor waits longer after each failed session in a row
READING_SECONDS = 60.0
READING_SECONDS_PER_RECORD = 0.001
"""How long the others may take to read and write what a roster is made of; some six times what it took."""
MAX_PAUSE_SECONDS = 30.0  # after failures of which the supervisor does not know
SLOT_SECONDS = 20
MAX_COMPLAINTS_KNOWN = 1000
LONG_AGO = "1970-01-01T00:00:00Z"
OPENED_CHARACTERS = 40_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A session that this party wants: `kind` "agreement" or "computing"."""

    kind: str
    study_terms: bytes


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A query of a study to which no answer can come any more."""

    study_terms: bytes
    query: bytes


def choose(wanted: Sequence[Wanted], now: datetime) -> Wanted:
    """The want of this moment's slot: parties that want the same choose the same, whatever failed at each before.

    Sessions meet only if all parties come for the same study. Counting through a list of wants would keep parties
    apart for ever that once counted differently; so each slot of time has its own order of studies.
    """
    slot = int(now.timestamp()) // SLOT_SECONDS
    return min(
        wanted,
        key=lambda want: hashlib.sha256(b"%d %b " % (slot, want.kind.encode()) + want.study_terms).digest(),
    )


class Conductor:
    """One per node; `run` never returns."""

    def __init__(
        self,
        *,
        desk: Desk,
        home: CommunityHome,
        sessions: Sessions,
        policy: PartyPolicy,
        prepare_columns: Callable[[bytes, bytes], Awaitable[Path]],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`prepare_columns(study, roster)` returns the directory of sound columns."""
        self.desk = desk
        self._home = home
        self._sessions = sessions
        self._policy = policy
        self._prepare_columns = prepare_columns
        self._pause = pause
        self._changed = asyncio.Event()
        self._complaints: set[bytes] = set()
        self._read_last: tuple[Roster, RosterRows] | None = None
        self.last_failure: str | None = None
        self._last_error = "a stop"
        self.doing = "waiting"

    def wake(self) -> None:
        """Something came in: look again at what is wanted."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for_change(self, seconds: float) -> None:
        """Until something comes in, or `seconds` have passed."""
        changed = self._changed
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await changed.wait()

    async def run(self) -> None:
        """Decide queries, and serve wanted sessions one after another, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._decide_queries())
            tasks.create_task(self._serve_sessions())

    async def _serve_sessions(self) -> None:
        failures = 0
        while True:
            wanted, given_up = await self.desk.read(self._look)
            await self._give_up(given_up)
            if not wanted:
                self.doing = "waiting"
                await self.wait_for_change(IDLE_SECONDS)
                continue
            want = choose(wanted, self.desk.clock())
            try:
                self.doing = f"{want.kind} session"
                await self._serve(want)
                failures = 0
            except Exception as error:  # noqa: BLE001  # logged as what it is: one study must not stop the node
                await self._note_failure(want, error)
                failures = 0 if isinstance(error, PartyError) else failures + 1
                self.doing = f"pausing after a failed {want.kind} session"
                await self._pause(min(PAUSE_SECONDS * 2.0 ** min(failures, 20), MAX_PAUSE_SECONDS))

    def _look(self, view: StoreView) -> tuple[list[Wanted], list[GivenUp]]:
        """The sessions that are wanted, and the queries that this party has to say it gives up."""
        wanted: list[Wanted] = []
        given_up: list[GivenUp] = []
        for known in self.desk.studies(view):
            if not self._home.has_sealing_key(known.terms_digest) or not known.is_among(self.desk.community):
                continue
            match known.state:
                case life.Closing():
                    wanted.append(Wanted("agreement", known.terms_digest))
                case life.Frozen():
                    wanted.append(Wanted("computing", known.terms_digest))
                case life.Checked() | life.Answering():
                    pending, lost = self.desk.sort_queries(view, known)
                    if pending:
                        wanted.append(Wanted("computing", known.terms_digest))
                    given_up += [
                        GivenUp(known.terms_digest, found.digest)
                        for found in lost
                        if self.desk.own_index
                        not in self.desk.gave_up(view, known.terms_digest, found.digest)
                    ]
                case _:
                    pass
        return wanted, given_up

    async def _wants_something_else(self, study_terms: bytes) -> bool:
        wanted, _ = await self.desk.read(self._look)
        return any(want != Wanted("computing", study_terms) for want in wanted)

    # decisions -------------------------------------------------------------------------------------------

    async def _decide_queries(self) -> None:
        while True:
            if await self.desk.read(self._has_undecided):
                await self.desk.write(self._decide)
            await self.wait_for_change(IDLE_SECONDS)

    def _has_undecided(self, view: StoreView) -> bool:
        decided = {
            stored.subject for stored in view.documents(Decision.type_name(), party=self.desk.own_index)
        }
        return any(stored.digest not in decided for stored in view.documents(Query.type_name()))

    def _decide(self, transaction: StoreTransaction) -> None:
        context = DocumentContext(transaction, self.desk.community, self.desk.clock())
        for known in self.desk.studies(transaction):
            for decision in decide_pending(
                transaction,
                context,
                known,
                self._policy,
                party=self.desk.own_index,
                signing_key=self.desk.identity,
            ):
                answer = {
                    "query": encode_base64url(decision.query),
                    "agrees": decision.verdict.agrees,
                    "rule": decision.verdict.rule,
                }
                self.desk.log.append("query.decided", answer)

    # sessions --------------------------------------------------------------------------------------------

    async def _serve(self, want: Wanted) -> None:
        known = await self.desk.read(lambda view: self.desk.know(view, want.study_terms))
        if want.kind == "agreement":
            await self._agree(known)
        else:
            await self._compute(known)

    async def _agree(self, known: KnownStudy) -> None:
        """The roster of a closed study, signed by every party."""
        desk = self.desk
        records = await desk.read(lambda view: view.count_members(known.terms_digest))
        patience = READING_SECONDS + READING_SECONDS_PER_RECORD * records
        async with self._sessions.agreement(known.terms_digest) as session:
            promises = await desk.read(lambda view: read_promises(view, known.terms_digest))
            members = await desk.read(lambda view: read_members(view, known.terms))
            # Once all have come here, each makes its list, which is to keep what anybody read.
            await session.exchange("roster promises read", b"", patience_seconds=patience)
            basis = await desk.read(
                lambda view: read_basis(view, desk.community, known.terms, desk.own_index, promises, members)
            )

            async def before_signing(inputs: AgreedInputs) -> None:
                digest = inputs.roster.digest()

                def promise(transaction: StoreTransaction) -> None:
                    verify_promises(transaction, basis, inputs.entries)
                    roster_table.put_entries(transaction, digest, inputs.entries)

                await desk.note("roster.signing", study=known.terms_digest, roster=digest)
                await desk.write(promise)

            signed = await agree_on_roster(
                session, basis, desk.identity, before_signing=before_signing, patience_seconds=patience
            )
        open_from_all_parties(signed.envelope, Roster, desk.community)
        await desk.note(
            "roster.signed",
            study=known.terms_digest,
            roster=signed.envelope.digest(),
            count=signed.inputs.roster.count,
        )

        content = await to_thread.run_sync(entries_content, signed.inputs.entries)
        # Of more than a gateway takes, it works them out from the receipts and memberships that it has.
        entries = None if content is None else (ENTRIES_PART, content)

        def keep(transaction: StoreTransaction) -> None:
            desk.keep_and_post(
                transaction, Roster, signed.envelope, study=known.terms_digest, attachment=entries
            )

        await desk.write(keep)

    async def _compute(self, known: KnownStudy) -> None:
        """Serve a computing session until its proposer ends it."""
        if not isinstance(known.state, life.Frozen | life.Checked | life.Answering):
            raise OwnError("the study has no signed roster")
        roster_digest = known.state.roster
        checked = None if isinstance(known.state, life.Frozen) else known.state.checked
        directory = await self._prepare_columns(known.terms_digest, roster_digest)
        roster, entries = await self._roster(roster_digest)
        inputs = SessionInputs(known.terms_digest, roster_digest, checked)
        async with self._sessions.computing(inputs, journal=self._note_opened) as session:
            if session.is_spare:
                await session.wait_failed()
                return
            await ComputingWork(
                desk=self.desk,
                session=session,
                known=known,
                roster=roster,
                entries=entries,
                columns=directory,
                p_percent=self._p_percent(known),
                wait_for_change=self.wait_for_change,
                other_wants=self._wants_something_else,
            ).serve()

    async def _roster(self, digest: bytes) -> tuple[Roster, RosterRows]:
        """A signed roster and its rows, read and verified once: of very many that takes longer than peers wait."""
        if self._read_last is None or self._read_last[0].digest() != digest:
            self._read_last = None
            self._read_last = await self.desk.read(lambda view: self.desk.roster(view, digest))
        return self._read_last

    def _p_percent(self, known: KnownStudy) -> int | None:
        """The unpublished p of the study's rule, as the steward handed it to this party. Raises KeyFileRefused."""
        commitment = known.terms.disclosure.p_percent
        return None if commitment is None else self._home.load_p_percent(known.terms_digest, commitment).p

    async def _note_opened(self, job: bytes, label: str, values: tuple[int, ...]) -> None:
        """An opening goes into the log before anything that depends on it is sent."""
        text = " ".join(str(value) for value in values)
        for start in range(0, max(len(text), 1), OPENED_CHARACTERS):
            await self.desk.note(
                "job.opened", job=job, label=label, part=text[start : start + OPENED_CHARACTERS]
            )

    # failures --------------------------------------------------------------------------------------------

    async def _note_failure(self, want: Wanted, error: Exception) -> None:
        self.last_failure, self._last_error = f"{want.kind}: {error}", type(error).__name__
        await self.desk.note(
            "session.failed",
            study=want.study_terms,
            kind=want.kind,
            error=type(error).__name__,
            message=short_text_of(str(error), max_characters=500),
        )
        complaint = self._complaint(want, error)
        if complaint is None or self._is_known(complaint):
            return
        envelope = sign_document(complaint, self.desk.identity)
        await self._post_complaint(envelope)

    def _is_known(self, complaint: Complaint) -> bool:
        """Whether the same, but for its time, was posted before: a session that fails again says nothing new."""
        said = complaint.model_copy(update={"time": LONG_AGO}).digest()
        if said in self._complaints:
            return True
        if len(self._complaints) >= MAX_COMPLAINTS_KNOWN:
            self._complaints.clear()
        self._complaints.add(said)
        return False

    async def _post_complaint(self, envelope: Envelope) -> None:
        await self.desk.write(
            lambda transaction: transaction.enqueue(COMPLAINTS_PATH, envelope, queued=self.desk.now())
        )

    async def _give_up(self, given_up: Sequence[GivenUp]) -> None:
        """Tell the asker of each query for which nothing is left: a complaint whose evidence is the query.

        Found in the store, since a party that is stopped in the last attempt sees no session fail; and kept there,
        so that it is said once.
        """
        for each in given_up:
            complaint = Complaint(
                community=self.desk.community.digest(),
                study_terms=each.study_terms,
                party=self.desk.own_index,
                step=GIVEN_UP_STEP,
                expected=f"an answer within {MAX_ATTEMPTS} attempts",
                found=self._last_error,
                evidence=(each.query,),
                time=self.desk.now(),
            )
            await self.desk.note("query.failed", query=each.query, error=self._last_error)
            await self.desk.write(functools.partial(self._keep_and_post, complaint=complaint))

    def _keep_and_post(self, transaction: StoreTransaction, *, complaint: Complaint) -> None:
        envelope = sign_document(complaint, self.desk.identity)
        transaction.put_document(
            StoredDocument(
                envelope.digest(),
                Complaint.type_name(),
                envelope,
                study=complaint.study_terms,
                party=self.desk.own_index,
            )
        )
        transaction.enqueue(COMPLAINTS_PATH, envelope, queued=self.desk.now())

    def _complaint(self, want: Wanted, error: Exception) -> Complaint | None:
        """A signed complaint where another party deviated, and not merely failed to be there."""
        accused: int | None
        step = want.kind
        evidence: tuple[bytes, ...] = ()
        match error:
            case RosterWaits():
                first = error.disagreements[0]
                accused, expected, found = first.party, first.expected, first.found
                step = first.fault.value
                evidence = (first.submission,) if first.submission else ()
            case ListRefused() | PartyDisagrees():
                accused, expected, found = error.party, error.expected, error.found
            case RostersDiffer():
                accused, expected, found = error.party, "the roster that the lists lead to", "another roster"
            case PeerProtocolViolation():
                accused, expected, found = error.peer, error.expected, error.found
            case _:
                return None
        return Complaint(
            community=self.desk.community.digest(),
            study_terms=want.study_terms,
            party=self.desk.own_index,
            step=step,
            accused_party=accused,
            expected=short_text_of(expected),
            found=short_text_of(found),
            evidence=evidence,
            time=self.desk.now(),
        )
