"""How a benchmark says what it found: one JSON object, or the same line by line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def print_report(report: Mapping[str, Any], *, as_json: bool) -> int:
    """Print; the exit status says whether the answers were correct."""
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        for key, value in report.items():
            print(f"{key:>28}  {value}")
    return 0 if report["correct"] else 1
