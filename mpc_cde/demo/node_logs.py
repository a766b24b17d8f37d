"""What the demo reads in the parties' logs: what their jobs sent, and why a session failed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any


def log_entries(party_home: Path) -> Iterator[Mapping[str, Any]]:
    """The entries of a party's log that are complete, one after another; none if there is no log yet."""
    for log in party_home.glob("*/log.jsonl"):
        with log.open(encoding="utf-8") as lines:
            for line in lines:
                try:
                    entry = json.loads(line)
                except ValueError:
                    break  # the node is writing this very line
                yield entry


def job_bytes(entries: Iterable[Mapping[str, Any]]) -> int:
    """Bytes that the party's jobs sent to other parties."""
    return sum(entry["details"]["bytes_sent"] for entry in entries if entry["event"] == "job.computed")


def last_failure(entries: Iterable[Mapping[str, Any]]) -> str:
    """Why the last session failed and how many did, or what the log says last."""
    failed, message, last = 0, "", ""
    for entry in entries:
        last = entry["event"]
        if last == "session.failed":
            failed, message = failed + 1, entry["details"]["message"]
    if failed:
        return f"{failed} sessions failed, the last: {message}"
    return f"no session failed; last entry {last}" if last else "nothing yet"
