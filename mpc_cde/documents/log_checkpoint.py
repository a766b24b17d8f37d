"""Head and length of a party's log, so that several organisations' logs vouch for each other."""

from __future__ import annotations

from typing import Literal

from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import Count, Digest, PartyIndex, Timestamp


class LogCheckpoint(Document):
    """Signed by the party whose log it is, countersigned by others that saw it."""

    type: Literal["log-checkpoint/v1"] = "log-checkpoint/v1"
    community: Digest
    party: PartyIndex
    length: Count
    head: Digest
    time: Timestamp
