"""What a service says of itself while it runs: one JSON object a line on standard error.

A remark that cannot be written, because the disk of the log is full or its reader has gone, is lost; what it tells
of goes on. A gateway that acknowledged nothing more, or a node that ended, for want of a place to say so would be
stopped by whoever fills that disk.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog


class _Remarks:
    """Standard error, as far as it can be written."""

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # ValueError: closed
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def write_remarks() -> None:
    """From now on everything that is logged with structlog goes to standard error."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Remarks())),
        cache_logger_on_first_use=False,
    )
