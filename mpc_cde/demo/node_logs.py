"""What the demo reads in the parties' logs: what their jobs sent, and why a session failed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def log_entries(party_home: Path) -> list[Mapping[str, Any]]:
    """The entries of a party's log that are complete; none if there is no log yet."""
    entries = []
    for log in party_home.glob("*/log.jsonl"):
        for line in log.read_text("utf-8").splitlines():
            try:
                entries.append(json.loads(line))
            except ValueError:
                break  # the node is writing this very line
    return entries


def job_bytes(entries: Iterable[Mapping[str, Any]]) -> int:
    """Bytes that the party's jobs sent to other parties."""
    return sum(entry["details"]["bytes_sent"] for entry in entries if entry["event"] == "job.computed")


def last_failure(entries: Iterable[Mapping[str, Any]]) -> str:
    """Why the last session failed and how many did, or what the log says last."""
    listed = list(entries)
    failures = [entry["details"]["message"] for entry in listed if entry["event"] == "session.failed"]
    if failures:
        return f"{len(failures)} sessions failed, the last: {failures[-1]}"
    return f"no session failed; last entry {listed[-1]['event']}" if listed else "nothing yet"
