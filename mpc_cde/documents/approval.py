"""One party's answer to a proposed study."""

from __future__ import annotations

from typing import Literal

from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import Digest, PartyIndex, ShortText
from mpc_cde.documents.study import Study
from mpc_cde.documents.suites import PublicSealingKey


class Approval(Document):
    """Signed by the party, with the sealing key it made for this study; deleting that key is deletion."""

    type: Literal["approval/v1"] = "approval/v1"
    study: Digest
    study_terms: Digest
    party: PartyIndex
    sealing_key: PublicSealingKey

    def concerns(self, study: Study) -> bool:
        """Whether it approves exactly this study."""
        return self.study == study.digest() and self.study_terms == study.terms_digest()


class Refusal(Document):
    """Signed by the party; refuses the study, and until the closing cancels one that it had approved."""

    type: Literal["refusal/v1"] = "refusal/v1"
    study: Digest
    study_terms: Digest
    party: PartyIndex
    reason: ShortText

    def concerns(self, study: Study) -> bool:
        """Whether it refuses exactly this study."""
        return self.study == study.digest() and self.study_terms == study.terms_digest()
