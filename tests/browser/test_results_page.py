"""Public results in a browser, from a gateway on paper: verified before they are shown, else not shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
import uvicorn
from playwright.sync_api import Browser, expect

from mpc_cde.documents.study_terms import StudyTerms
from parties.listening import bind
from tests.browser.people import Person, with_a_false_signature
from tests.mpc_cde.client.paper import paper_terms
from tests.mpc_cde.gateway.paper_gateway import PaperGateway, PaperMembers

pytestmark = pytest.mark.timeout(300)

MEMBERS = range(12)


MARKUP = "<img src=x onerror=alert(1)>"


def hostile_terms(community: bytes) -> StudyTerms:
    """A study whose words would like to be markup; every test of this module reads it."""
    terms = paper_terms(community)
    first, *others = terms.figures
    return terms.model_copy(
        update={
            "title": f"{MARKUP} study",
            "purpose": f"</p><script>alert(1)</script>{MARKUP}",
            "figures": (first.model_copy(update={"label": f"=1+1 {MARKUP}", "unit": "<b>EUR"}), *others),
            "groups": tuple(group.model_copy(update={"label": MARKUP}) for group in terms.groups),
        }
    )


class Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """Signals belong to the tests."""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A gateway with one public result; the address, and who takes part."""
    gateway = PaperGateway(
        tmp_path_factory.mktemp("gateway"), paper=PaperMembers(audience="public", terms_of=hostile_terms)
    )

    async def play() -> None:
        await gateway.open_study()
        await gateway.submitted(*MEMBERS)
        await gateway.receipted(*MEMBERS)
        await gateway.freeze()
        await gateway.publish()
        await gateway.http.aclose()

    worker = threading.Thread(target=anyio.run, args=(play,))
    worker.start()
    worker.join()
    listening = bind("127.0.0.1", 0)
    server = Server(uvicorn.Config(gateway.app, log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.02)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    yield SimpleNamespace(gateway=address, pages=(), paper=gateway.paper)
    server.should_exit = True
    thread.join()
    listening.close()
    gateway.store.close()


@pytest.fixture
def reader(chromium: Browser, published: Any) -> Iterator[Person]:
    person = Person(chromium, published)
    yield person
    person.close()
    assert person.faults == []


def test_every_released_number_is_shown_with_its_verification(reader: Person, published: Any) -> None:
    reader.page.goto(f"{published.gateway}/#community={published.paper.fingerprint}")
    expect(
        reader.page.get_by_text("Verified on this device: signed by Party 0, Party 1, Party 2")
    ).to_be_visible()
    expect(reader.page.get_by_text("Verified from the fingerprint in your link")).to_be_visible()
    reader.look_for_barriers("public results")
    reader.unfold()
    cells = published.paper.result().cells
    text = reader.page.inner_text("main").replace(",", "")
    for cell in cells:
        for value in cell.values or ():
            assert value in text
    withheld = reader.page.locator("td.withheld").all_inner_texts()
    assert len(withheld) == sum(cell.withheld == "minimum" for cell in cells) > 0
    assert all("the rule asks for" in text for text in withheld)


def test_words_of_a_study_are_never_markup(reader: Person, published: Any) -> None:
    reader.page.goto(published.gateway)
    expect(reader.page.get_by_role("heading", name=f"=1+1 {MARKUP}")).to_be_visible()
    assert reader.page.locator("main img, main script, main b").count() == 0
    reader.press("result.csv")
    saved = reader.downloaded(1).read_text("utf-8-sig")
    assert not any(line.startswith(("=", "+", "-", "@")) for line in saved.splitlines())


def test_without_a_pinned_fingerprint_the_reader_is_asked_to_compare_it(
    reader: Person, published: Any
) -> None:
    reader.page.goto(published.gateway)
    expect(reader.page.get_by_text("Compare this fingerprint")).to_be_visible()
    assert reader.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_another_fingerprint_shows_no_number(reader: Person, published: Any) -> None:
    reader.page.goto(f"{published.gateway}/#community=abcde-fghij-klmno-pqrst-uvwxy")
    expect(reader.page.get_by_role("alert")).to_be_visible()
    assert reader.page.locator(".result-card").count() == 0


def test_a_result_with_a_false_signature_shows_no_number(reader: Person, published: Any) -> None:
    reader.page.route("**/v1/results/*", with_a_false_signature)
    reader.page.goto(published.gateway)
    expect(reader.page.get_by_text("A signature is missing or false, so nothing is shown.")).to_be_visible()
    assert reader.page.locator(".result-card").count() == 0


def test_the_page_speaks_dutch(chromium: Browser, published: Any, tmp_path: Path) -> None:
    person = Person(chromium, published, locale="nl-NL", width=360)
    person.page.goto(published.gateway)
    expect(person.page.get_by_text("Op dit apparaat gecontroleerd")).to_be_visible()
    assert person.page.evaluate("document.documentElement.scrollWidth") <= 360
    person.page.screenshot(path=tmp_path / "dutch.png", full_page=True)
    assert person.faults == []
    person.close()
