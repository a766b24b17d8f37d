"""How much anonymous memory a process uses: mapped columns do not count."""

from __future__ import annotations

import os


def anonymous_bytes(process: int | None = None) -> int:
    """Anonymous resident memory of a process (default: this one); 0 where the system does not tell."""
    try:
        with open(f"/proc/{process or os.getpid()}/status", "rb") as status:
            for line in status:
                if line.startswith(b"RssAnon:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return 0
    return 0
