"""Personal links: an entry of the register -> an address that opens a party's page for exactly that member.

Everything stands behind the "#", which browsers send to no server. A link opens no door by itself: the page makes
the keys, and a registrar certifies them by the card that comes back.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

from mpc_cde.client.tables import Row, Table
from mpc_cde.coded_text import worded
from mpc_cde.documents.community import format_fingerprint
from mpc_cde.errors import CallerError
from mpc_cde.result_csv import harmless_cell


def invitation_link(
    pages: str, *, fingerprint: str, register_id: str, name: str | None = None, reply_to: str | None = None
) -> str:
    """The link for one entry; `pages` is the origin on a party's card. Raises CallerError."""
    parts = urlsplit(pages)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise CallerError(
            worded("no_origin", "no origin of pages: {pages}", pages=pages),
            hint=worded("no_origin_hint", "Write it as on the party's card."),
        )
    fields = {"community": format_fingerprint(fingerprint), "register": register_id}
    fields |= {key: value for key, value in (("name", name), ("reply", reply_to)) if value}
    return f"{parts.scheme}://{parts.netloc}/#{urlencode(fields)}"


def register_entries(table: Table) -> Iterator[tuple[str, str, Row]]:
    """Each entry of a register: its id, its name or "", its row. Raises CallerError for what is no register."""
    if "register_id" not in table.headings:
        raise CallerError(
            worded("no_register_id", "row 1: missing column register_id"),
            hint=worded("no_register_id_hint", "A column name may stand beside it."),
        )
    seen: dict[str, int] = {}
    for row in table.rows:
        register_id = (row.cells.get("register_id") or "").strip()
        if row.fault is not None or not register_id:
            raise CallerError(
                worded(
                    "row_expected",
                    "row {row}: expected {expected}",
                    row=row.number,
                    expected=row.fault or worded("expected_register_id", "a register_id"),
                )
            )
        if seen.setdefault(register_id, row.number) != row.number:
            raise CallerError(
                worded(
                    "row_twice",
                    "row {row}: column {column} is the same as in row {first}",
                    row=row.number,
                    column="register_id",
                    first=seen[register_id],
                )
            )
        yield register_id, (row.cells.get("name") or "").strip(), row


def invitations(table: Table, *, pages: str, fingerprint: str, reply_to: str | None) -> str:
    """CSV of register_id, name and link, for mail merge. Raises CallerError for a table without ids."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(("register_id", "name", "link"))
    for register_id, name, _ in register_entries(table):
        link = invitation_link(
            pages, fingerprint=fingerprint, register_id=register_id, name=name, reply_to=reply_to
        )
        writer.writerow((harmless_cell(register_id), harmless_cell(name), link))  # names are chosen by others
    return output.getvalue()
