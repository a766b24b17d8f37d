"""What the demo reads in the parties' logs, also while a node is writing."""

from __future__ import annotations

import json
from pathlib import Path

from mpc_cde.demo.node_logs import job_bytes, last_failure, log_entries


def write(home: Path, *entries: tuple[str, dict[str, object]], torn: str = "") -> Path:
    place = home / "fingerprint"
    place.mkdir()
    lines = [json.dumps({"event": event, "details": details}) for event, details in entries]
    (place / "log.jsonl").write_text("".join(f"{line}\n" for line in lines) + torn)
    return home


def test_bytes_of_all_jobs_are_added(tmp_path: Path) -> None:
    jobs = [("job.computed", {"bytes_sent": sent}) for sent in (84, 1000)]
    assert job_bytes(log_entries(write(tmp_path, *jobs, ("query.decided", {})))) == 1084


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    home = write(tmp_path, ("job.computed", {"bytes_sent": 1}), torn='{"event":"job.com')
    assert len(list(log_entries(home))) == 1


def test_the_last_failure_is_told(tmp_path: Path) -> None:
    failures = [("session.failed", {"message": text}) for text in ("first", "no answer of party 2")]
    entries = log_entries(write(tmp_path, *failures, ("node.stopped", {})))
    assert last_failure(entries) == "2 sessions failed, the last: no answer of party 2"


def test_without_a_failure_the_last_entry_is_told(tmp_path: Path) -> None:
    assert last_failure(log_entries(write(tmp_path, ("roster.signed", {})))).endswith("roster.signed")
    assert last_failure([]) == "nothing yet"
