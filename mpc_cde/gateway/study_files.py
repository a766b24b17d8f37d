"""What the stored documents of a study come to: its presentation, its state, who is being waited for.

State is computed by `mpc_cde.life_cycles.study` from documents whose signatures were verified when they came,
in the order of the feed, and by the gateway's clock. It is the gateway's word; clients and parties compute theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from mpc_cde.documents.amendment import Amendment
from mpc_cde.documents.approval import Approval, Refusal
from mpc_cde.documents.canonical import datetime_of
from mpc_cde.documents.checked_roster import CheckedRoster
from mpc_cde.documents.closing import Closing
from mpc_cde.documents.community import Community
from mpc_cde.documents.query import Query
from mpc_cde.documents.roster import Roster
from mpc_cde.documents.study import Presentation, Study
from mpc_cde.documents.study_terms import StudyTerms
from mpc_cde.errors import NotFound
from mpc_cde.gateway.communities import CommunityChain, party_keys
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.store_view import StoredDocument, StoreView
from mpc_cde.life_cycles import study as life


@dataclass(frozen=True)  # without slots, where what is worked out once has no room
class StudyFile:
    """A study and everything said about it; documents in the order of their arrival."""

    stored: StoredDocument
    study: Study
    community: Community
    presentation: Presentation
    state: life.State
    amendments: tuple[StoredDocument, ...]
    approvals: tuple[StoredDocument, ...]
    refusals: tuple[StoredDocument, ...]
    closings: tuple[StoredDocument, ...]
    rosters: tuple[StoredDocument, ...]
    checked_rosters: tuple[StoredDocument, ...]

    @property
    def terms(self) -> StudyTerms:
        return self.study.terms

    @property
    def terms_digest(self) -> bytes:
        if self.stored.study is None:
            raise AssertionError("a stored study has the digest of its terms")
        return self.stored.study

    @cached_property
    def element_count(self) -> int:
        """As its terms say, of one submission's correction."""
        return self.terms.element_count

    @property
    def is_ended(self) -> bool:
        """Refused or cancelled: the same terms may be proposed again."""
        return isinstance(self.state, life.CALLED_OFF)

    @property
    def roster(self) -> StoredDocument | None:
        """The roster that every party signed."""
        needed = party_keys(self.community)
        return next((stored for stored in self.rosters if needed <= stored.signers), None)

    @property
    def checked_roster(self) -> StoredDocument | None:
        """The checked roster that all it names signed."""
        roster = self.roster
        if roster is None:
            return None
        for stored in self.checked_rosters:
            checked = parse_stored(stored, CheckedRoster)
            named = {self.community.party_key(party) for party in checked.parties}
            if checked.roster == roster.digest and named <= stored.signers:
                return stored
        return None

    @property
    def waiting_for(self) -> tuple[int, ...]:
        """Parties whose document would move the study on."""
        return tuple(sorted(life.waiting_for(self.state)))

    def parties_of(self, stored: StoredDocument) -> tuple[int, ...]:
        """Parties that signed a document of the study."""
        return parties_that_signed(stored, self.community)


def parties_that_signed(stored: StoredDocument, community: Community) -> tuple[int, ...]:
    """Indices of the parties among the signers, ascending."""
    signers = stored.signers
    return tuple(j for j, card in enumerate(community.cards) if card.identity_key in signers)


def find_study(
    view: StoreView, chain: CommunityChain, terms_digest: bytes, now: datetime
) -> StudyFile | None:
    """The study with these terms as it stands: the proposal that lives, else the newest that ended."""

    def find() -> StudyFile | None:
        stamp = (view.fact("studies"), view.fact("community"))
        read = view.recall("study", terms_digest, stamp, lambda: _read_all(view, chain, terms_digest))
        files = [_with_state(*documents, now) for documents in read]
        return next((file for file in files if not file.is_ended), files[-1] if files else None)

    return view.once(("study", terms_digest, now), find)


def get_study(view: StoreView, chain: CommunityChain, terms_digest: bytes, now: datetime) -> StudyFile:
    """As `find_study`. Raises NotFound."""
    file = find_study(view, chain, terms_digest, now)
    if file is None:
        raise NotFound("this gateway knows no study with these terms")
    return file


def all_studies(view: StoreView, chain: CommunityChain, now: datetime) -> Iterator[StudyFile]:
    """Every study, one for each terms, in the order of their first proposal."""
    seen = dict.fromkeys(stored.study for stored in view.documents(Study.type_name()) if stored.study)
    for terms_digest in seen:
        yield get_study(view, chain, terms_digest, now)


_Documents = tuple[StudyFile, tuple[StoredDocument, ...], tuple[StoredDocument, ...]]


def _read_all(view: StoreView, chain: CommunityChain, terms_digest: bytes) -> list[_Documents]:
    """Each proposal with its documents, before any of them is applied; amendments and queries beside it."""
    return [
        _read_documents(view, chain, stored, terms_digest)
        for stored in view.documents(Study.type_name(), study=terms_digest)
    ]


def _read_documents(
    view: StoreView, chain: CommunityChain, stored: StoredDocument, terms_digest: bytes
) -> _Documents:
    study = parse_stored(stored, Study)
    community = chain.named(study.terms.community)

    def documents(type_name: str) -> tuple[StoredDocument, ...]:
        return tuple(view.documents(type_name, study=terms_digest))

    plan = life.StudyPlan(
        parties=community.party_count,
        threshold=community.threshold,
        opens=datetime_of(study.presentation.opens),
        closes=datetime_of(study.presentation.closes),
        retention=timedelta(days=study.terms.retention_days),
    )
    file = StudyFile(
        stored=stored,
        study=study,
        community=community,
        presentation=study.presentation,
        state=life.Proposed(plan),
        amendments=(),
        approvals=tuple(d for d in documents(Approval.type_name()) if d.subject == stored.digest),
        refusals=tuple(d for d in documents(Refusal.type_name()) if d.subject == stored.digest),
        closings=documents(Closing.type_name()),
        rosters=documents(Roster.type_name()),
        checked_rosters=documents(CheckedRoster.type_name()),
    )
    return file, documents(Amendment.type_name()), documents(Query.type_name())[:1]


def _with_state(
    file: StudyFile,
    amendments: tuple[StoredDocument, ...],
    queries: tuple[StoredDocument, ...],
    now: datetime,
) -> StudyFile:
    early = sorted(
        (*file.approvals, *file.refusals, *amendments, *file.closings), key=lambda stored: stored.number
    )
    for stored in early:
        file = _apply_early(file, stored, now)
    if file.roster is not None:  # signed by every party: a clock that is set back does not open it again
        now = max(now, file.state.plan.stops_accepting)
    file = _after(file, [life.ClockReached(now)])
    for stored in file.rosters:
        file = _after(file, [life.RosterSigned(party, stored.digest) for party in file.parties_of(stored)])
    for stored in file.checked_rosters:
        file = _after(file, _checks_of(file, stored))
    return _after(file, [life.QueryReceived(stored.digest) for stored in queries])


def _apply_early(file: StudyFile, stored: StoredDocument, now: datetime) -> StudyFile:
    match stored.type_name:
        case "approval/v1":
            return _after(file, [life.ApprovalGiven(parse_stored(stored, Approval).party)])
        case "refusal/v1":
            refusal = parse_stored(stored, Refusal)
            return _after(file, [life.RefusalGiven(refusal.party, refusal.reason)])
        case "amendment/v1":
            return _amended(file, stored)
        case _:
            # A closing counts in an open study: the clock goes on to `opens`, not beyond it.
            opened = life.ClockReached(min(now, file.state.plan.opens))
            signed = [life.ClosingSigned(party) for party in file.parties_of(stored)]
            return _after(file, [opened, *signed])


def _amended(file: StudyFile, stored: StoredDocument) -> StudyFile:
    amendment = parse_stored(stored, Amendment)
    previous = file.amendments[-1].digest if file.amendments else file.stored.digest
    complete = party_keys(file.community) <= stored.signers
    if not complete or amendment.previous != previous or not amendment.follows(file.presentation):
        return file
    after = replace(file, presentation=amendment.presentation, amendments=(*file.amendments, stored))
    return _after(after, [life.Amended(datetime_of(amendment.presentation.closes))])


def _checks_of(file: StudyFile, stored: StoredDocument) -> list[life.Event]:
    checked = parse_stored(stored, CheckedRoster)
    removed = frozenset(entry.submission for entry in checked.removed)
    named = frozenset(checked.parties)
    return [
        life.CheckedRosterSigned(party, stored.digest, checked.roster, named, removed)
        for party in file.parties_of(stored)
    ]


def _after(file: StudyFile, events: Iterable[life.Event]) -> StudyFile:
    """The file after these events; one that does not fit (too early, too late) leaves it as it is."""
    state = file.state
    for event in events:
        try:
            state, _ = life.advance(state, event)
        except life.IllegalTransition:
            continue
    return replace(file, state=state)
