"""A registrar's desk: rows of a register -> signed memberships; requests of researchers -> documents to sign."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from mpc_cde.client.role_cards import MemberCard, ResearcherRequest, read_card
from mpc_cde.client.tables import Row, Table
from mpc_cde.coded_text import message_of, worded
from mpc_cde.documents.base import describe_validation
from mpc_cde.documents.canonical import decode_base64url, encode_base64url, timestamp_of
from mpc_cde.documents.community import Community, RoleKey
from mpc_cde.documents.envelope import Envelope, sign_document
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.revocation import Revocation
from mpc_cde.documents.suites import PUBLIC_KEY_LENGTHS, SUITES, PublicSealingKey
from mpc_cde.errors import CallerError
from mpc_cde.keys import SigningKey
from mpc_cde.lookalikes import remarks_on

CARD_COLUMNS = ("signing_key", "sealing_key", "register_id", "holding", "sole_trader")
REQUIRED_COLUMNS = ("signing_key", "sealing_key", "register_id")
DEFAULT_VALIDITY_DAYS = 730
MAX_FAULTS_SHOWN = 20
_YES = frozenset({"yes", "true", "1"})
_NO = frozenset({"", "no", "false", "0"})


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """One organisation as the registrar knows it, with the public keys from its card."""

    row: int
    signing_key: bytes
    sealing_key: PublicSealingKey
    register_id: str
    holding: str | None
    sole_trader: bool
    attributes: dict[str, str]


class RegisterRefused(CallerError):
    """Rows of a register that cannot become memberships; nothing was issued. `reasons` are row by row."""

    def __init__(self, message: str, *, hint: str | None = None, reasons: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.reasons = tuple(reasons)


def parse_register(table: Table) -> tuple[RegisterRow, ...]:
    """Rows of members.csv; columns that are no field of a card are certified attributes.

    Raises RegisterRefused listing rows and columns; one register id or one key twice is refused.
    """
    missing = [column for column in REQUIRED_COLUMNS if column not in table.headings]
    if missing:
        raise RegisterRefused(
            worded("missing_column", "row 1: missing column {columns}", columns=", ".join(missing)),
            hint=worded(
                "missing_column_hint",
                "Columns are card, which names each member's card file, or {columns}; "
                "and one for each certified attribute.",
                columns=", ".join(CARD_COLUMNS),
            ),
        )
    attributes = [heading for heading in table.headings if heading not in CARD_COLUMNS]
    faults: list[str] = []
    rows: list[RegisterRow] = []
    for row in table.rows:
        try:
            rows.append(_parse_row(row, attributes))
        except ValueError as error:
            faults.append(worded("row_fault", "row {row}: {why}", row=row.number, why=message_of(error)))
    faults += _repeated(((row.row, _folded(row.register_id)) for row in rows), "register_id")
    faults += _repeated(((row.row, row.signing_key) for row in rows), "signing_key")
    if faults:
        shown = faults[:MAX_FAULTS_SHOWN]
        if len(faults) > len(shown):
            shown.append(worded("and_more", "and {more} more", more=len(faults) - len(shown)))
        lines = "\n".join(["no membership was issued.", *shown])
        hint = worded("register_hint", "Correct the file and try again.")
        raise RegisterRefused(lines, hint=hint, reasons=shown)
    if not rows:
        raise RegisterRefused(worded("register_empty", "the file holds no member below its heading"))
    return tuple(rows)


def with_cards(table: Table, directory: Path) -> Table:
    """The table with the fields of the cards that a column `card` names, as files beside the table.

    A cell that is filled in wins over the card, since the registrar knows better. Raises CallerError.
    """
    if "card" not in table.headings:
        return table
    rows = []
    for row in table.rows:
        name = (row.cells.get("card") or "").strip()
        if row.fault is not None or not name:
            rows.append(row)
            continue
        fields = cells_of_card(read_card(directory / name, MemberCard))
        given = {heading: cell for heading, cell in row.cells.items() if heading != "card" and cell}
        rows.append(Row(row.number, {**fields, **given}))
    others = [heading for heading in table.headings if heading not in ("card", *CARD_COLUMNS)]
    return Table((*CARD_COLUMNS, *others), tuple(rows))


def cells_of_card(card: MemberCard) -> dict[str, str | None]:
    """What a member's card fills into its row of a register."""
    return {
        "signing_key": encode_base64url(card.signing_key),
        "sealing_key": encode_base64url(card.sealing_key.key),
        "register_id": card.register_id,
        "holding": card.holding,
        "sole_trader": "yes" if card.sole_trader else "no",
    }


def issue_membership(
    row: RegisterRow,
    *,
    community: Community,
    registrar: RoleKey,
    signing_key: SigningKey,
    member: bytes,
    now: datetime,
    validity_days: int = DEFAULT_VALIDITY_DAYS,
) -> Envelope:
    """A membership signed by one registrar; it counts once it is countersigned. `member` has 16 random bytes."""
    try:
        membership = Membership(
            community=community.digest(),
            member=member,
            signing_key=row.signing_key,
            sealing_key=row.sealing_key,
            attributes=row.attributes,
            holding=row.holding,
            sole_trader=row.sole_trader,
            valid_from=timestamp_of(now),
            valid_until=timestamp_of(now + timedelta(days=validity_days)),
            registrar=registrar.name,
            register_id=register_id_digest(row.register_id),
        )
    except ValidationError as error:
        raise RegisterRefused(
            worded("row_fault", "row {row}: {why}", row=row.row, why=describe_validation(error))
        ) from None
    return sign_document(membership, signing_key)


def registrar_of(community: Community, signing_key: SigningKey) -> RoleKey:
    """The registrar with this key. Raises CallerError."""
    for role in community.registrars:
        if role.key == signing_key.public_bytes:
            return role
    raise CallerError(
        worded("no_registrar", "the key on this machine is of no registrar of the community"),
        hint=worded("hand_card", "Hand your card to whoever drafts the community's next version."),
    )


def draft_researcher(
    request: ResearcherRequest, *, community: Community, now: datetime, validity_days: int
) -> Researcher:
    """The document that every party signs to enrol a researcher."""
    return Researcher(
        community=community.digest(),
        name=request.name,
        signing_key=request.signing_key,
        sealing_key=request.sealing_key,
        functions=request.functions,
        studies=request.studies,
        valid_from=timestamp_of(now),
        valid_until=timestamp_of(now + timedelta(days=validity_days)),
    )


def draft_revocation(
    *, kind: Literal["member", "researcher"], subject: bytes, reason: str, community: Community, now: datetime
) -> Revocation:
    """What takes a member id or a researcher's enrolment out; a registrar's signature makes it count."""
    try:
        return Revocation(
            community=community.digest(), kind=kind, subject=subject, reason=reason, time=timestamp_of(now)
        )
    except ValidationError as error:
        raise CallerError(f"this is no revocation: {describe_validation(error)}") from None


def register_id_digest(register_id: str) -> bytes:
    """What stands for an external register id in a membership: one id, one membership."""
    return hashlib.sha256(b"mpc-cde/register-id/v1\x00" + register_id.encode("utf-8")).digest()


def _folded(register_id: str) -> str:
    """Without what people write one way or the other: two rows of one entry are one too many."""
    return "".join(character for character in register_id.casefold() if character.isalnum())


def _parse_row(row: Row, attributes: Sequence[str]) -> RegisterRow:
    if row.fault is not None:
        raise ValueError(worded("cell_expected", "expected {expected}", expected=row.fault))
    cells = {heading: (cell or "").strip() for heading, cell in row.cells.items()}
    register_id = cells.get("register_id", "")
    if not register_id:
        raise ValueError(
            worded("cell_blank", "column register_id: expected an id in an external register, found a blank")
        )
    for column in ("register_id", "holding"):
        remarks = remarks_on(cells.get(column, ""))
        if remarks:  # what looks like another entry would get a second membership of the same organisation
            raise ValueError(
                worded(
                    "cell_lookalike",
                    "column {column}: expected text that is as it looks, found {remarks}",
                    column=column,
                    remarks=remarks[0] if len(remarks) == 1 else "; ".join(remarks),
                )
            )
    return RegisterRow(
        row=row.number,
        signing_key=_key(cells.get("signing_key", ""), "signing_key", 32),
        sealing_key=_sealing_key(cells.get("sealing_key", "")),
        register_id=register_id,
        holding=cells.get("holding") or None,
        sole_trader=_yes_or_no(cells.get("sole_trader", "")),
        attributes={name: cells[name] for name in attributes if cells.get(name)},
    )


def _key(text: str, column: str, length: int) -> bytes:
    try:
        key = decode_base64url(text)
    except ValueError:
        key = b""
    if len(key) != length:
        raise ValueError(
            worded(
                "cell_key",
                "column {column}: expected a public key of {length} bytes as the card has it",
                column=column,
                length=length,
            )
        )
    return key


def _sealing_key(text: str) -> PublicSealingKey:
    try:
        key = decode_base64url(text)
    except ValueError:
        key = b""
    for suite in SUITES:
        if len(key) == PUBLIC_KEY_LENGTHS[suite]:
            return PublicSealingKey(suite=suite, key=key)
    raise ValueError(
        worded("cell_sealing_key", "column sealing_key: expected a public sealing key as the card has it")
    )


def _yes_or_no(text: str) -> bool:
    answer = text.casefold()
    if answer not in _YES | _NO:
        raise ValueError(
            worded(
                "cell_yes_or_no",
                "column sole_trader: expected yes or no, found {found}",
                found=repr(text[:20]),
            )
        )
    return answer in _YES


def _repeated(values: Iterable[tuple[int, object]], column: str) -> list[str]:
    first: dict[object, int] = {}
    faults: list[str] = []
    for row, value in values:
        if first.setdefault(value, row) != row:
            faults.append(
                worded(
                    "row_twice",
                    "row {row}: column {column} is the same as in row {first}",
                    row=row,
                    column=column,
                    first=first[value],
                )
            )
    return faults
