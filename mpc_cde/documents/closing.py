"""Closes a study before its time; counts when every party has signed."""

from __future__ import annotations

from typing import Literal

from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import Digest, Identifier, Timestamp


class Closing(Document):
    """Proposed by the steward it names; `time` is when the steward proposed it."""

    type: Literal["closing/v1"] = "closing/v1"
    study_terms: Digest
    steward: Identifier
    time: Timestamp
