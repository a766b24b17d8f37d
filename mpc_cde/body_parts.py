"""The parts of multipart bodies that are posted to a gateway, and what is in them.

A submission: `document` (the signed envelope as JSON), `correction` (packed little-endian uint64),
`envelope-0` ... `envelope-<m-1>` (sealed bytes, one for each party). A party's signature of a roster may come
with `entries`, from which the gateway serves each member the proof of its own row. Receipts and memberships may
come many at a time, one a line.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mpc_cde.documents.base import Part
from mpc_cde.documents.roster import RosterEntry

DOCUMENT_PART = "document"
CORRECTION_PART = "correction"
ENTRIES_PART = "entries"
JSON_MEDIA_TYPE = "application/json"
RAW_MEDIA_TYPE = "application/octet-stream"
DOCUMENTS_MEDIA_TYPE = "application/jsonl"
"""Several signed documents of one type, one a line: what parties and registrars hand in for many members."""
MAX_DOCUMENTS = 256


def envelope_part(party: int) -> str:
    """The name of the part sealed to party `party`: "envelope-0"."""
    return f"envelope-{party}"


class RosterEntries(Part):
    """The entries of a roster in row order; its `payload_bytes()` are the part `entries`."""

    max_payload_bytes: ClassVar[int] = 64 << 20

    type: Literal["roster-entries/v1"] = "roster-entries/v1"
    entries: Annotated[tuple[RosterEntry, ...], Field(max_length=1 << 18)]
