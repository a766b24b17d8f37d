"""Whom a registrar reminds: its own certified members that have not submitted, and nobody else."""

from __future__ import annotations

import pytest

from mpc_cde.client.enrolment import register_id_digest
from mpc_cde.client.reminders import Turnout, still_to_come
from mpc_cde.client.tables import Table, parse_csv_table
from mpc_cde.documents.membership import Membership
from mpc_cde.errors import CallerError
from tests.mpc_cde.client.paper import PaperCommunity

REGISTER = b"""register_id;name;mail;sealing_key
17;Rise;r@example.org;k
18;Crust;c@example.org;k
19;;;
20;Late;l@example.org;k
"""


def member(paper: PaperCommunity, number: int, register_id: str, **changed: object) -> Membership:
    return paper.membership(number).model_copy(
        update={"register_id": register_id_digest(register_id), **changed}
    )


@pytest.fixture(scope="module")
def turnout() -> Turnout:
    """17 has submitted, 18 has not, 19 is nobody's member yet, 20 is of a size that the study does not ask."""
    paper = PaperCommunity()
    members = [
        member(paper, 0, "17"),
        member(paper, 1, "18"),
        member(paper, 2, "20", attributes={"size": "gigantic"}),
    ]
    submitted = frozenset({members[0].member, bytes(16)})
    return Turnout(paper.verified_study(), {one.register_id: one for one in members}, submitted)


def register() -> Table:
    return parse_csv_table(REGISTER)


def test_every_entry_stands_somewhere(turnout: Turnout) -> None:
    found = {entry.register_id: (entry.name, entry.standing) for entry in turnout.entries(register())}
    assert found == {
        "17": ("Rise", "submitted"),
        "18": ("Crust", "to_remind"),
        "19": ("", "not_joined"),
        "20": ("Late", "not_eligible"),
    }
    assert turnout.counts == {"submitted": 1, "to_remind": 1, "not_eligible": 1}


def test_who_has_submitted_is_not_in_the_table_of_reminders(turnout: Turnout) -> None:
    lines = still_to_come(register(), turnout.entries(register())).splitlines()
    assert lines == ["register_id,name,mail,standing", "18,Crust,c@example.org,to_remind", "19,,,not_joined"]


def test_what_is_no_register_is_refused(turnout: Turnout) -> None:
    for wrong in (b"name\nRise\n", b"register_id\n17\n17\n", b"register_id,name\n,Rise\n"):
        with pytest.raises(CallerError):
            turnout.entries(parse_csv_table(wrong))
