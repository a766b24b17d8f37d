"""The study on paper with other terms or times, approved by every party anew."""

from __future__ import annotations

from mpc_cde.documents.approval import Approval
from mpc_cde.documents.study import Presentation, Study
from mpc_cde.documents.study_terms import StudyTerms
from tests.mpc_cde.client.paper import PaperCommunity, signed


def paper_with(
    *,
    terms: dict[str, object] | None = None,
    presentation: Presentation | None = None,
    m: int = 3,
    t: int = 1,
) -> PaperCommunity:
    """A community on paper whose study differs from the usual one in these fields."""
    paper = PaperCommunity(m, t)
    changed = paper.study.terms.model_copy(update=terms or {})
    paper.study = Study(
        terms=StudyTerms.model_validate(changed.model_dump()),
        presentation=presentation or paper.study.presentation,
        steward="steward",
    )
    paper.study_envelope = signed(paper.study, [paper.steward_key])
    paper.approvals = tuple(
        signed(
            Approval(
                study=paper.study.digest(),
                study_terms=paper.study.terms_digest(),
                party=j,
                sealing_key=paper.sealing_keys[j].public,
            ),
            [paper.party_keys[j]],
        )
        for j in range(m)
    )
    return paper
