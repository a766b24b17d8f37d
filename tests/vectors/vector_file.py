"""A JSON file of vectors beside its generator: written, or held against what the code makes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_or_check(file: Path, build: Callable[[], Any], *, check: bool) -> int:
    """Write the file, or only compare it; the exit status."""
    after = json.dumps(build(), indent=1, ensure_ascii=True) + "\n"
    if not check:
        file.write_text(after, "utf-8")
    elif not file.exists() or file.read_text("utf-8") != after:
        sys.stderr.write(f"{file.name} differs from what the code makes\n")
        return 1
    return 0
