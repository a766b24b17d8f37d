"""The registrar's pages of two offices, with a gateway on paper: invite, certify, countersign, by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, expect

from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.membership import Membership
from mpc_cde.web.local_room import Room, open_room
from protocols.randomness import SystemRandomness
from tests.browser.rooms import Visitor, visitor
from tests.browser.test_results_page import Server
from tests.mpc_cde.web.test_registrar_room import Register, request

pytestmark = pytest.mark.timeout(280)


@contextmanager
def opened(room: Room) -> Iterator[str]:
    """The link of a room that is served from a thread of this process."""
    app, listening = open_room(room, port=0, randomness=SystemRandomness())
    server = Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield app.link
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Register]:
    made: list[Register] = []
    directory = tmp_path_factory.mktemp("register")
    (directory / "gateway").mkdir()
    maker = threading.Thread(target=lambda: made.append(Register(directory)))
    maker.start()
    maker.join()
    yield made[0]
    made[0].office.gateway.store.close()


@pytest.fixture(scope="module")
def links(register: Register) -> Iterator[tuple[str, str]]:
    with opened(register.first.room()) as first, opened(register.second.room()) as second:
        yield first, second


@pytest.fixture
def registrar(chromium: Browser, links: tuple[str, str]) -> Iterator[Visitor]:
    with visitor(chromium, links[0]) as person:
        yield person


def test_every_entry_gets_a_mail_with_its_link(registrar: Visitor) -> None:
    page = registrar.page
    page.get_by_label("Or type it here").fill("register_id,name\n17,Bakery Rise\n18,Bakery Crust\n")
    page.get_by_label("Pages that the link opens").fill("https://pages.example")
    page.get_by_label("Mail address for requests").fill("office@example.org")
    registrar.look_for_barriers("invite")
    registrar.button("Make the links").click()
    registrar.heading("2 links").wait_for()
    mail = page.get_by_role("textbox", name="Text of a mail").input_value()
    assert "Dear Bakery Rise" in mail
    assert "&register=17&" in mail
    registrar.look_for_barriers("links")
    with page.expect_download() as table:
        registrar.button("Save the table (CSV)").click()
    lines = Path(table.value.path()).read_text("utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in lines] == ["register_id", "17", "18"]


def test_requests_are_compared_certified_and_countersigned(
    registrar: Visitor, chromium: Browser, links: tuple[str, str], tmp_path: Path
) -> None:
    page = registrar.page
    files = []
    for one in ("17", "18"):
        files.append(tmp_path / f"request-{one}.json")
        files[-1].write_text(request(one))
    page.get_by_role("link", name="Certify", exact=True).click()
    page.get_by_label("Requests (files)").set_input_files(files)
    registrar.heading("2 requests").wait_for()
    registrar.button("Certify").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose what holds for 17.")
    for one in ("17", "18"):
        page.get_by_label(f"Size: {one}").select_option("small")
    registrar.button("Certify").click()
    expect(page.get_by_role("alert")).to_contain_text("First compare")
    page.get_by_label("I know that each request comes from the member").check()
    registrar.look_for_barriers("certify")
    registrar.button("Certify").click()
    registrar.heading("2 new memberships").wait_for()
    with page.expect_download() as download:
        registrar.button("Save the memberships").click()
    memberships = tmp_path / "memberships.jsonl"
    download.value.save_as(memberships)
    found = [
        open_envelope(Envelope.parse_json(line), Membership) for line in memberships.read_bytes().splitlines()
    ]
    assert [dict(one.attributes) for one in found] == [{"size": "small"}, {"size": "small"}]
    with visitor(chromium, links[1], locale="nl-NL", width=360) as second:
        second.page.get_by_role("link", name="Meetekenen", exact=True).click()
        wrong = tmp_path / "holiday.jsonl"
        wrong.write_text("{}")
        second.page.get_by_label("Lidmaatschappen van een andere registrar").set_input_files(wrong)
        expect(second.page.get_by_role("alert")).to_contain_text("Is het het bestand")
        second.expect_no_other_language()
        second.page.get_by_label("Lidmaatschappen van een andere registrar").set_input_files(memberships)
        second.heading("2 lidmaatschappen").wait_for()
        second.page.get_by_label("Ik heb ze met het register vergeleken").check()
        assert second.page.evaluate("document.documentElement.scrollWidth") <= 360
        second.look_for_barriers("countersign in Dutch")
        second.button("Meetekenen").click()
        expect(second.page.get_by_text("2 lidmaatschappen zijn meegetekend.")).to_be_visible()


def test_what_is_no_request_is_told(registrar: Visitor, tmp_path: Path) -> None:
    wrong = tmp_path / "holiday.json"
    wrong.write_text("{}")
    registrar.page.get_by_role("link", name="Certify", exact=True).click()
    registrar.page.get_by_label("Requests (files)").set_input_files([wrong])
    expect(registrar.page.get_by_role("alert")).to_contain_text("no request of a member")
