"""A change to a study's presentation alone."""

from __future__ import annotations

from typing import Literal

from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import Digest
from mpc_cde.documents.study import Presentation


class Amendment(Document):
    """Signed by every party. `previous` is the digest of the study or of the amendment it follows."""

    type: Literal["amendment/v1"] = "amendment/v1"
    study_terms: Digest
    previous: Digest
    presentation: Presentation

    def follows(self, before: Presentation) -> bool:
        """Whether it may replace that presentation: opens stays, closes moves only later."""
        after = self.presentation
        return after.opens == before.opens and after.closes >= before.closes
