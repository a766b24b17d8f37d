"""Who of a registrar's members has submitted to a study, entry by entry of its register, and who is to be reminded.

The gateway tells ids of members; what they are in the register is known to the registrar's own ledger alone.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mpc_cde.client.connection import Connection
from mpc_cde.client.enrolment import CARD_COLUMNS, register_id_digest
from mpc_cde.client.http import Reader
from mpc_cde.client.invitation import register_entries
from mpc_cde.client.membership_ledger import MembershipLedger
from mpc_cde.client.tables import Table
from mpc_cde.client.verification import VerifiedStudy
from mpc_cde.documents.membership import Membership

Standing = Literal["submitted", "to_remind", "not_joined", "not_eligible"]
STANDINGS: tuple[Standing, ...] = ("submitted", "to_remind", "not_joined", "not_eligible")
"""not_joined: no membership from this registrar yet, so that the entry needs its link, not a reminder."""

_LEFT_OUT = frozenset({*CARD_COLUMNS, "standing"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the register and where it stands; `cells` as the register has them."""

    register_id: str
    name: str
    standing: Standing
    cells: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Turnout:
    """What a registrar knows of its own members in one study: who is certified, and who has submitted."""

    study: VerifiedStudy
    members: Mapping[bytes, Membership]
    submitted: frozenset[bytes]

    @property
    def counts(self) -> Counter[Standing]:
        """How many of the certified members stand where."""
        return Counter(self._standing(member) for member in self.members.values())

    def entries(self, register: Table) -> list[Entry]:
        """Every entry in the order of the register. Raises CallerError for what is no register."""
        return [
            Entry(
                register_id,
                name,
                self._standing(self.members.get(register_id_digest(register_id))),
                row.cells,
            )
            for register_id, name, row in register_entries(register)
        ]

    def _standing(self, member: Membership | None) -> Standing:
        if member is None:
            return "not_joined"
        if member.member in self.submitted:
            return "submitted"
        return "to_remind" if self.study.study.terms.lacking(member.attributes) is None else "not_eligible"


async def read_turnout(
    connection: Connection, terms: bytes, *, ledger: MembershipLedger, reader: Reader
) -> Turnout:
    """Asks the gateway in the registrar's name. Raises GatewayRefused for who is no registrar."""
    study = await connection.verified_study(terms)
    return Turnout(study, ledger.in_force(), await connection.calls.submitted(terms, reader))


def still_to_come(register: Table, entries: Sequence[Entry]) -> str:
    """CSV of the entries that are to be reminded or invited again: their own columns and where they stand."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    headings = [name for name in register.headings if name == "register_id" or name not in _LEFT_OUT]
    writer.writerow((*headings, "standing"))
    for entry in entries:
        if entry.standing in ("to_remind", "not_joined"):
            writer.writerow((*(entry.cells.get(heading) or "" for heading in headings), entry.standing))
    return output.getvalue()
