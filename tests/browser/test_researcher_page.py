"""The researcher's page with parties on paper: enrolled, a question on its way, refused by rule."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, expect

from mpc_cde.client.enrolment import draft_researcher
from mpc_cde.client.role_cards import ResearcherRequest
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.envelope import Envelope
from mpc_cde.web.serving import PagesApp, PagesSettings
from parties.listening import bind
from tests.browser.people import PASSPHRASE, Keyboard, Person
from tests.browser.test_results_page import Server
from tests.mpc_cde.client.paper import signed
from tests.mpc_cde.gateway.paper_gateway import PaperGateway

pytestmark = pytest.mark.timeout(300)
MEMBERS = range(12)


@contextmanager
def serving(app: Any, listening: Any) -> Iterator[None]:
    server = Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield
    server.should_exit = True
    thread.join()
    listening.close()


class PaperTown:
    """A study that is checked, a gateway and a party's pages; what parties say is posted by the test."""

    def __init__(self, directory: Path) -> None:
        self._sockets = [bind("127.0.0.1", 0) for _ in range(2)]
        self.gateway, pages = (f"http://127.0.0.1:{one.getsockname()[1]}" for one in self._sockets)
        self.pages = (pages,)
        self.running = PaperGateway(directory, page_origins=self.pages)
        self.paper = self.running.paper

    @contextmanager
    def open(self) -> Iterator[None]:
        async def play() -> None:
            await self.running.open_study()
            await self.running.submitted(*MEMBERS)
            await self.running.receipted(*MEMBERS)
            await self.running.freeze()
            await self.running.http.aclose()

        worker = threading.Thread(target=anyio.run, args=(play,))
        worker.start()
        worker.join()
        settings = PagesSettings(self.gateway, self.paper.fingerprint, "Party 0", frozenset({self.gateway}))
        with (
            serving(self.running.app, self._sockets[0]),
            serving(PagesApp(lambda: settings), self._sockets[1]),
        ):
            yield
        self.running.store.close()

    def post(self, collection: str, *envelopes: Envelope) -> None:
        for envelope in envelopes:
            answer = httpx.post(
                f"{self.gateway}/v1/{collection}",
                content=envelope.to_json(),
                headers={"Content-Type": "application/json"},
            )
            assert answer.status_code in (200, 201), answer.text

    def decide(self, query: bytes, party: int, *, answer: Any = "yes", rule: str = "approved_study") -> None:
        decision = Decision(
            study_terms=self.paper.study.terms_digest(),
            query=query,
            checked_roster=self.paper.checked_roster().digest(),
            party=party,
            answer=answer,
            rule=rule,
            explanation="As this party wrote it.",
        )
        self.post("decisions", signed(decision, [self.paper.party_keys[party]]))


@pytest.fixture(scope="module")
def paper_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaperTown]:
    town = PaperTown(tmp_path_factory.mktemp("gateway"))
    with town.open():
        yield town


class Researcher(Person):
    """Somebody at the researcher's page; the queries that it posted are kept."""

    def __init__(self, browser: Browser, town: Any, **options: Any) -> None:
        super().__init__(browser, town, **options)
        self.queries: list[bytes] = []
        self.page.on("request", self._query)

    def _console(self, message: Any) -> None:
        awaited = "404" in message.text and message.location.get("url", "").endswith("/v1/researchers/own")
        if not awaited:
            super()._console(message)

    def _query(self, request: Any) -> None:
        if request.method == "POST" and request.url.endswith("/v1/queries"):
            self.queries.append(Envelope.parse_json(request.post_data_buffer).digest())

    def make_key(self, link: str, *, name: str) -> ResearcherRequest:
        """From nothing to a request for a registrar, by keyboard."""
        keyboard = Keyboard(self)
        self.page.goto(link)
        keyboard.type(self.page.get_by_label(self.say("researcher.name")), name)
        keyboard.type(self.page.get_by_label(self.say("key.passphrase"), exact=True), PASSPHRASE)
        self.look_for_barriers("researcher's key")
        keyboard.save(self.button(self.say("key.make")))
        keyboard.press(self.button(self.say("key.have_it")))
        self.heading(self.say("researcher.request_heading")).wait_for()
        self.look_for_barriers("researcher's request")
        return ResearcherRequest.parse_payload(keyboard.save(self.button(self.say("request.save"))))


def at_the_gateways_time(person: Person, town: PaperTown) -> None:
    person.page.clock.set_fixed_time(town.running.clock.now)


@pytest.fixture(scope="module")
def researcher(chromium: Browser, paper_town: PaperTown) -> Iterator[Researcher]:
    """Enrolled by every party, in front of the studies."""
    person = Researcher(chromium, paper_town)
    at_the_gateways_time(person, paper_town)
    link = f"{paper_town.pages[0]}/researcher.html#community={paper_town.paper.fingerprint}"
    request = person.make_key(link, name="A. Researcher, University")
    now = paper_town.running.clock.now
    document = draft_researcher(request, community=paper_town.paper.community, now=now, validity_days=30)
    keys = paper_town.paper.party_keys
    paper_town.post("researchers", signed(document, keys[:2]))
    person.button("Look now").click()
    expect(person.page.get_by_text("Waiting for the signatures of Party 2")).to_be_visible()
    paper_town.post("researchers", signed(document, keys))
    person.button("Look now").click()
    expect(person.page.get_by_text("Enrolled as A. Researcher, University")).to_be_visible()
    yield person
    person.close()
    assert person.faults == []


@pytest.fixture
def catalogue(researcher: Researcher) -> Researcher:
    researcher.page.reload()
    researcher.page.get_by_role("button", name="Shops on paper").click()
    researcher.heading("Questions that may be asked").wait_for()
    return researcher


def test_every_approved_question_stands_there_with_what_it_reveals(catalogue: Researcher) -> None:
    page = catalogue.page
    catalogue.look_for_barriers("questions")
    for words in ("Total: Annual sales", "Total: Margin by Size", "25 %, median: Annual sales"):
        expect(page.get_by_label(words)).to_be_visible()
    for words in (
        "the sum and N",
        "nothing below the publish step",
        "At least 5 contributors behind every number",
    ):
        expect(page.get_by_text(words).first).to_be_visible()
    catalogue.button("Ask").click()
    expect(page.get_by_role("alert")).to_contain_text("Tick what you want to ask.")


def test_a_refusal_names_the_party_and_its_rule(catalogue: Researcher, paper_town: PaperTown) -> None:
    page = catalogue.page
    page.get_by_label("Number of answers: Annual sales").check()
    catalogue.button("Ask").click()
    expect(page.get_by_text("Waiting for Party 0, Party 1, Party 2.")).to_be_visible()
    query = catalogue.queries[-1]
    paper_town.decide(query, 0)
    expect(page.get_by_text("Waiting for Party 1, Party 2.")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="Party 0")).to_contain_text("agrees")
    catalogue.look_for_barriers("question on its way")
    paper_town.decide(query, 1, answer="no", rule="own_minimum")
    refusal = page.get_by_role("alert")
    expect(refusal).to_contain_text("Party 1: The party asks for more contributors than the study does.")
    refusal.get_by_text(catalogue.say("problem.details")).click()
    expect(refusal.get_by_text("own_minimum: As this party wrote it.")).to_be_visible()
    catalogue.look_for_barriers("refused question")


def test_a_decision_that_its_party_did_not_sign_is_not_told(
    catalogue: Researcher, paper_town: PaperTown
) -> None:
    """A gateway that lies about who refused: the signed decision is looked for, and it is not there."""
    page = catalogue.page

    def lie(route: Any) -> None:
        answer = route.fetch()
        document = answer.json()
        document["decisions"][0]["signatures"][0]["sig"] = "A" * 86
        route.fulfill(response=answer, json=document)

    page.get_by_label("Total: Annual sales").check()
    catalogue.button("Ask").click()
    expect(page.get_by_text("Waiting for Party 0, Party 1, Party 2.")).to_be_visible()
    page.route("**/v1/queries/*", lie)
    paper_town.decide(catalogue.queries[-1], 1, answer="no", rule="budget")
    expect(page.get_by_text("A signature is missing or false, so nothing is shown.")).to_be_visible()
    assert page.get_by_text("number of questions is used up").count() == 0
    page.unroute("**/v1/queries/*")


def test_the_gateway_may_not_hand_out_the_page_where_a_key_is_made(paper_town: PaperTown) -> None:
    assert httpx.get(f"{paper_town.gateway}/researcher.html").status_code == 404


def test_the_page_speaks_dutch_on_a_telephone(chromium: Browser, paper_town: PaperTown) -> None:
    person = Researcher(chromium, paper_town, locale="nl-NL", width=360)
    person.page.goto(f"{paper_town.pages[0]}/researcher.html")
    expect(person.page.get_by_text("Vergelijk deze vingerafdruk")).to_be_visible()
    assert person.page.evaluate("document.documentElement.scrollWidth") <= 360
    person.close()
    assert person.faults == []


def test_a_stream_that_is_cut_is_asked_for_again(catalogue: Researcher, paper_town: PaperTown) -> None:
    page = catalogue.page
    cut: list[str] = []

    def first_is_cut(route: Any) -> None:
        if cut:
            route.continue_()
            return
        cut.append(route.request.url)
        route.fulfill(
            content_type="text/event-stream",
            body=": nothing\n\n",
            headers={"Access-Control-Allow-Origin": paper_town.pages[0]},
        )

    page.route("**/v1/progress/*", first_is_cut)
    page.get_by_label("Number of answers: Annual sales").check()
    catalogue.button("Ask").click()
    expect(page.get_by_text("Waiting for Party 0, Party 1, Party 2.")).to_be_visible()
    assert len(cut) == 1
    page.unroute("**/v1/progress/*")
