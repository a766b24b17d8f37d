"""Job ids: whatever a computation depends on changes the name, and so every key."""

from __future__ import annotations

from typing import Any

from mpc_cde.documents.job_names import input_check_job_id, job_id

BASE: dict[str, Any] = {
    "session_id": bytes(32),
    "query": b"\x01" * 32,
    "checked_roster": b"\x02" * 32,
    "functions": ("count@1", "sum@1"),
    "attempt": 1,
}


def test_every_input_changes_the_job_id() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"session_id": b"\x03" * 32},
        {"query": b"\x02" * 32, "checked_roster": b"\x01" * 32},
        {"checked_roster": b"\x03" * 32},
        {"functions": ("sum@1", "count@1")},
        {"functions": ("count@1",)},
        {"functions": ("count@2", "sum@1")},
        {"attempt": 2},
    ]
    names = {job_id(**{**BASE, **change}) for change in changes}
    assert len(names) == len(changes)
    assert all(len(name) == 32 for name in names)


def test_input_checks_have_names_of_their_own() -> None:
    names = {
        input_check_job_id(session_id=bytes(32), roster=bytes(32), attempt=1),
        input_check_job_id(session_id=bytes(32), roster=bytes(32), attempt=2),
        input_check_job_id(session_id=b"\x01" * 32, roster=bytes(32), attempt=1),
        job_id(session_id=bytes(32), query=bytes(32), checked_roster=bytes(32), functions=(), attempt=1),
    }
    assert len(names) == 4
