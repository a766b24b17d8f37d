"""A real Chromium and a town of real processes, once for all tests of this package."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.people import Person
from tests.browser.town import Town

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is missing; `make test-tools` installs it")
    with (
        sync_playwright() as playwright
    ):  # keeps an event loop running in this thread: no other test can start one
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def town(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Town(tmp_path_factory.mktemp("town"), browser=chromium) as town:
        yield town


@pytest.fixture
def person(chromium: Browser, town: Town) -> Iterator[Callable[..., Person]]:
    """Makes people; at the end none of their pages may have had anything to complain about."""
    people: list[Person] = []

    def make(**options: object) -> Person:
        people.append(Person(chromium, town, **options))  # type: ignore[arg-type]
        return people[-1]

    yield make
    for one in people:
        one.close()
    assert [fault for one in people for fault in one.faults] == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
