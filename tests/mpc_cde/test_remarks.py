"""A log that cannot be written stops nothing."""

from __future__ import annotations

import io
import json
import logging
import sys
from pathlib import Path

import pytest
import structlog

from mpc_cde.gateway.server import configure_logs

FULL = Path("/dev/full")


@pytest.fixture(autouse=True)
def _as_before() -> object:
    handlers = list(logging.getLogger().handlers)
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers


def test_remarks_are_one_object_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    configure_logs()
    structlog.get_logger().info("listening", port=7)
    logging.getLogger("a library").warning("of a library")
    first, second = (json.loads(line) for line in said.getvalue().splitlines())
    assert (first["event"], first["port"]) == ("listening", 7)
    assert (second["event"], second["logger"]) == ("of a library", "a library")


@pytest.mark.parametrize("end", ["full", "closed"])
def test_a_log_that_cannot_be_written_stops_nothing(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    with FULL.open("w", buffering=1) if end == "full" else io.StringIO() as stream:
        if end == "closed":
            stream.close()
        monkeypatch.setattr(sys, "stderr", stream)
        configure_logs()
        for _ in range(2):
            structlog.get_logger().info("request", status=201)
            logging.getLogger("a library").warning("of a library")
        monkeypatch.undo()
        if end == "full":
            with pytest.raises(OSError, match="No space left"):
                stream.close()
