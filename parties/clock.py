"""The one place where a node looks at the time; tests hand in a clock of their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present moment with its zone."""


def system_clock() -> datetime:
    """This machine's clock, in UTC."""
    return datetime.now(UTC)
