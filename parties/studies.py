"""What this party knows of a study: the documents around it, folded into the life cycle's state.

Everything comes from verified documents in the store and the party's own clock, so a restart finds the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from mpc_cde.documents.amendment import Amendment
from mpc_cde.documents.approval import Approval, Refusal
from mpc_cde.documents.authority import signing_parties
from mpc_cde.documents.canonical import datetime_of
from mpc_cde.documents.checked_roster import CheckedRoster
from mpc_cde.documents.community import Community
from mpc_cde.documents.study import Presentation, Study
from mpc_cde.documents.study_terms import StudyTerms
from mpc_cde.life_cycles import study as life
from parties.share_store import StoredDocument, StoreView

_BEFORE_CLOSING = ("approval/v1", "refusal/v1", "amendment/v1", "closing/v1")
_AFTER_CLOSING = ("roster/v1", "checked-roster/v1", "query/v1")
STUDY_TYPES = frozenset(("study/v1", *_BEFORE_CLOSING, *_AFTER_CLOSING))
"""Documents that may move a study on; all others leave it where it stands."""


@dataclass(frozen=True)  # without slots, where what is worked out once has no room
class KnownStudy:
    """A study, its presentation as amended, and where it stands by this party's clock.

    `community` is the version that it was made for: later ones may have other parties or keys.
    """

    community: Community
    study: Study
    terms_digest: bytes
    presentation: Presentation
    state: life.State

    @property
    def terms(self) -> StudyTerms:
        return self.study.terms

    def is_among(self, community: Community) -> bool:
        """Whether the parties of this version are those of the study: only then can they go on with it."""
        return self.community.threshold == community.threshold and [
            card.identity_key for card in self.community.cards
        ] == [card.identity_key for card in community.cards]

    @property
    def is_open(self) -> bool:
        return isinstance(self.state, life.Open)

    @cached_property
    def element_count(self) -> int:
        """As its terms say, of one submission's correction."""
        return self.terms.element_count

    @cached_property
    def consent_digests(self) -> frozenset[bytes]:
        """Digests of the consent text in every language that the study is presented in."""
        texts = [translation.consent for translation in self.presentation.translations.values()]
        translated = (self.terms.model_copy(update={"consent": text}).consent_digest for text in texts)
        return frozenset((self.terms.consent_digest, *translated))


def find_study(view: StoreView, terms_digest: bytes) -> StoredDocument | None:
    """The proposal with these terms: the one that every party approved, else the first that came."""
    proposals = view.documents("study/v1", study=terms_digest)
    if len(proposals) > 1:
        approvals = view.documents("approval/v1", study=terms_digest)
        proposals.sort(key=lambda stored: -len({a.party for a in approvals if a.subject == stored.digest}))
    return proposals[0] if proposals else None


def community_of(view: StoreView, terms: StudyTerms, current: Community) -> Community:
    """The version of the community that a study names: its parties approved it and hold its shares."""
    if terms.community == current.digest():
        return current
    stored = view.document(terms.community)
    return current if stored is None else stored.parse(Community)


def know_study(
    view: StoreView, terms_digest: bytes, community: Community, now: datetime
) -> KnownStudy | None:
    """The study with these terms as it stands at `now`, or None if no proposal of it was verified."""
    stored = find_study(view, terms_digest)
    if stored is None:
        return None
    study = stored.parse(Study)
    community = community_of(view, study.terms, community)
    plan = life.StudyPlan(
        parties=community.party_count,
        threshold=community.threshold,
        opens=datetime_of(study.presentation.opens),
        closes=datetime_of(study.presentation.closes),
        retention=timedelta(days=study.terms.retention_days),
    )
    known = KnownStudy(community, study, terms_digest, study.presentation, life.Proposed(plan))
    # Own documents that the feed has not brought back yet come last.
    ordered = sorted(
        (document for name in _BEFORE_CLOSING for document in view.documents(name, study=terms_digest)),
        key=lambda document: document.feed_number or 1 << 60,
    )
    for document in ordered:
        known = _apply_before_closing(known, document, stored.digest, community, now)
    later = [
        _events_after_closing(document, community)
        for name in _AFTER_CLOSING
        for document in view.documents(name, study=terms_digest)
    ]
    known = _after(known, [life.ClockReached(_not_before_closing(known.state.plan, later, now))])
    for events in later:
        known = _after(known, events)
    return known


def _not_before_closing(plan: life.StudyPlan, later: Iterable[list[life.Event]], now: datetime) -> datetime:
    """The time by the clock, but never before the closing of a study whose roster every party signed.

    A clock that is set back does not open it again: what came in then could never count.
    """
    for events in later:
        signed = {event.party for event in events if isinstance(event, life.RosterSigned)}
        if signed == plan.everybody:
            return max(now, plan.stops_accepting)
    return now


def _apply_before_closing(
    known: KnownStudy, document: StoredDocument, study: bytes, community: Community, now: datetime
) -> KnownStudy:
    received = now if document.received is None else min(now, datetime_of(document.received))
    match document.type_name:
        case "approval/v1" if document.subject == study:
            return _after(known, [life.ApprovalGiven(document.parse(Approval).party)])
        case "refusal/v1" if document.subject == study:
            # A refusal counts until the closing: what matters is when it came, not when it is looked at.
            refusal = document.parse(Refusal)
            refused = life.RefusalGiven(refusal.party, refusal.reason)
            return _after(known, [life.ClockReached(received), refused])
        case "amendment/v1":
            # One that comes after the closing reopens nothing, or a gateway could have figures receipted for a
            # roster that is signed.
            known = _after(known, [life.ClockReached(received)])
            amendment = document.parse(Amendment)
            signed = signing_parties(document.envelope, community)
            is_over = not isinstance(known.state, life.Proposed | life.Approved | life.Open)
            if is_over or signed != known.state.plan.everybody or not amendment.follows(known.presentation):
                return known
            amended = replace(known, presentation=amendment.presentation)
            return _after(amended, [life.Amended(datetime_of(amendment.presentation.closes))])
        case "closing/v1":
            # A closing signed early counts from the opening on; the clock goes no further for it.
            opened = life.ClockReached(min(now, known.state.plan.opens))
            signed = signing_parties(document.envelope, community)
            return _after(known, [opened, *(life.ClosingSigned(party) for party in sorted(signed))])
        case _:
            return known


def _events_after_closing(document: StoredDocument, community: Community) -> list[life.Event]:
    if document.type_name == "query/v1":
        return [life.QueryReceived(document.digest)]
    parties = sorted(signing_parties(document.envelope, community))
    if document.type_name == "roster/v1":
        return [life.RosterSigned(party, document.digest) for party in parties]
    checked = document.parse(CheckedRoster)
    removed = frozenset(entry.submission for entry in checked.removed)
    named = frozenset(checked.parties)
    return [
        life.CheckedRosterSigned(party, document.digest, checked.roster, named, removed) for party in parties
    ]


def _after(known: KnownStudy, events: Iterable[life.Event]) -> KnownStudy:
    """The study after these events; one that does not fit (too early, too late) leaves it as it is."""
    state = known.state
    for event in events:
        try:
            state, _ = life.advance(state, event)
        except life.IllegalTransition:
            continue
    return replace(known, state=state)


def closing_of(view: StoreView, terms_digest: bytes) -> StoredDocument | None:
    """The closing that a steward proposed for this study: the one with most signatures, or None."""
    closings = view.documents("closing/v1", study=terms_digest)
    return max(closings, key=lambda stored: len(stored.envelope.signatures), default=None)
