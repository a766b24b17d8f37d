"""A room as its own command serves it: a real process, the link that it prints, and somebody in front of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser

from tests.browser.people import Person


@contextmanager
def served(module: str, *arguments: str, log: Path) -> Iterator[str]:
    """The link that `python -m MODULE ARGUMENTS --port 0` prints; at the end it has to stop in order."""
    command = [sys.executable, "-m", module, *arguments, "--port", "0"]
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert process.stdout is not None
        link = process.stdout.readline().strip()
        assert link.startswith("http://127.0.0.1:"), log.read_text()
        yield link
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=20)
        process.stdout.close()
    assert status == 0, log.read_text()


class Visitor(Person):
    """Somebody in a room: what the room refuses is told by the page, and Chromium's own word for it is no fault."""

    def _console(self, message: Any) -> None:
        if not ("409" in message.text and "/room/" in message.location.get("url", "")):
            super()._console(message)


@contextmanager
def visitor(browser: Browser, link: str, *, locale: str = "en-GB", width: int = 1280) -> Iterator[Visitor]:
    """Somebody with the link; the page may call its own origin and nobody else."""
    parts = urlsplit(link)
    origin = f"{parts.scheme}://{parts.netloc}"
    person = Visitor(browser, SimpleNamespace(gateway=origin, pages=()), locale=locale, width=width)  # type: ignore[arg-type]
    person.page.goto(link)
    person.page.wait_for_selector("h1")
    yield person
    person.close()
    if person.faults:
        raise AssertionError("\n".join(person.faults))
