"""One organisation's yes or no to one query, and the rule it followed."""

from __future__ import annotations

from typing import Literal

from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import Digest, Identifier, PartyIndex, ShortText


class Decision(Document):
    """Signed by the party. Names query and checked roster; a job is named only when a session computes it."""

    type: Literal["decision/v1"] = "decision/v1"
    study_terms: Digest
    query: Digest
    checked_roster: Digest
    party: PartyIndex
    answer: Literal["yes", "no"]
    rule: Identifier
    explanation: ShortText

    @property
    def agrees(self) -> bool:
        return self.answer == "yes"
