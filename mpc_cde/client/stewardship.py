"""A steward's desk: propose a study, see who approved it, propose its closing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from mpc_cde.client.verification import VerifiedStudy
from mpc_cde.coded_text import worded
from mpc_cde.documents.approval import Approval
from mpc_cde.documents.authority import open_from_party
from mpc_cde.documents.canonical import timestamp_of
from mpc_cde.documents.closing import Closing
from mpc_cde.documents.community import Community, RoleKey
from mpc_cde.documents.envelope import Envelope, sign_document
from mpc_cde.documents.p_percent import PPercent
from mpc_cde.documents.study import Study
from mpc_cde.errors import CallerError, PeerError
from mpc_cde.keys import SigningKey
from mpc_cde.study_templates import StudyTemplate, study_from_template


def propose_study(
    template: StudyTemplate,
    *,
    community: Community,
    signing_key: SigningKey,
    opens: datetime,
    closes: datetime,
    p_percent: PPercent | None = None,
) -> tuple[Envelope, Study]:
    """The study of a template for this community, signed by the steward; its terms commit to `p_percent`.

    Raises CallerError, BadTemplate.
    """
    steward = steward_of(community, signing_key)
    study = study_from_template(
        template,
        community=community.digest(),
        steward=steward.name,
        opens=timestamp_of(opens),
        closes=timestamp_of(closes),
        p_percent=None if p_percent is None else p_percent.commitment(),
    )
    return sign_document(study, signing_key), study


def propose_closing(study: VerifiedStudy, *, signing_key: SigningKey, now: datetime) -> Envelope:
    """A closing that every party then signs. Raises CallerError."""
    steward = steward_of(study.community, signing_key)
    closing = Closing(study_terms=study.terms_digest, steward=steward.name, time=timestamp_of(now))
    return sign_document(closing, signing_key)


def approving_parties(community: Community, study: Study, envelopes: Iterable[Envelope]) -> frozenset[int]:
    """Parties whose valid approval is about exactly this study; what does not verify does not count."""
    found = set()
    for envelope in envelopes:
        try:
            approval = open_from_party(envelope, Approval, community)
        except PeerError:
            continue
        if approval.concerns(study):
            found.add(approval.party)
    return frozenset(found)


def steward_of(community: Community, signing_key: SigningKey) -> RoleKey:
    """The steward with this key. Raises CallerError."""
    for role in community.stewards:
        if role.key == signing_key.public_bytes:
            return role
    raise CallerError(
        worded("no_steward", "the key on this machine is of no steward of the community"),
        hint=worded("hand_card", "Hand your card to whoever drafts the community's next version."),
    )
