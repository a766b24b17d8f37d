"""The parts of multipart bodies that are posted to a gateway, and what is in them.

A submission: `document` (the signed envelope as JSON), `correction` (packed little-endian uint64),
`envelope-0` ... `envelope-<m-1>` (sealed bytes, one for each party). A party's signature of a roster may come
with `entries`, from which the gateway serves each member the proof of its own row. Receipts and memberships may
come many at a time, one a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.errors import BadDocument

DOCUMENT_PART = "document"
CORRECTION_PART = "correction"
ENTRIES_PART = "entries"
JSON_MEDIA_TYPE = "application/json"
RAW_MEDIA_TYPE = "application/octet-stream"
DOCUMENTS_MEDIA_TYPE = "application/jsonl"
"""Several signed documents of one type, one a line: what parties and registrars hand in for many members."""
MAX_DOCUMENTS = 256
MAX_ENTRIES_BYTES = 64 << 20
SHORTEST_ENTRY_BYTES = len(b'{"groups":{},"holding":null,"membership":"","submission":""}') + 2 * 43
_ENTRIES_HEAD, _ENTRIES_TAIL = b'{"entries":[', b'],"type":"roster-entries/v1"}'
_END_OF_ENTRY = re.compile(rb'"submission":"[A-Za-z0-9_-]{43}"\}')
"""No text inside an entry holds it: a quotation mark in one is escaped."""


def envelope_part(party: int) -> str:
    """The name of the part sealed to party `party`: "envelope-0"."""
    return f"envelope-{party}"


def entries_content(rows: RosterRows) -> bytes | None:
    """The part `entries`: canonical JSON of a roster's entries in row order; None if it is longer than one may be."""
    if len(rows) * SHORTEST_ENTRY_BYTES > MAX_ENTRIES_BYTES:
        return None
    content = bytearray(_ENTRIES_HEAD)
    for row, payload in enumerate(rows.payloads()):
        content += b"," + payload if row else payload
        if len(content) > MAX_ENTRIES_BYTES:
            return None
    content += _ENTRIES_TAIL
    return bytes(content)


def parse_entries(content: bytes) -> RosterRows:
    """The rows of a part `entries`; whoever relies on them compares them with a signed root. Raises BadDocument.

    Read one after another: as one document, a list of very many would be held some ten times over.
    """
    if len(content) > MAX_ENTRIES_BYTES:
        raise BadDocument(f"expected at most {MAX_ENTRIES_BYTES} bytes, found {len(content)}")
    rows = RosterRows.parse(_each_entry(content))
    if entries_content(rows) != content:  # nothing was there twice, and all in its one form
        raise BadDocument("not the canonical entries of a roster")
    return rows


def _each_entry(content: bytes) -> Iterator[bytes]:
    if not (content.startswith(_ENTRIES_HEAD) and content.endswith(_ENTRIES_TAIL)):
        raise BadDocument("not the entries of a roster")
    place, end = len(_ENTRIES_HEAD), len(content) - len(_ENTRIES_TAIL)
    while place < end:
        closing = _END_OF_ENTRY.search(content, place, end)
        if closing is None:
            raise BadDocument("an entry that does not end")
        yield content[place : closing.end()]
        place = closing.end() + 1
