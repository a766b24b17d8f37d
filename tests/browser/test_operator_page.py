"""The operator's page on real nodes: read, approve, refuse; and what other pages of the same browser can do to it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.people import Keyboard, Person
from tests.browser.rooms import visitor
from tests.browser.town import Town

pytestmark = pytest.mark.timeout(300)

APPROVED = "Heat of bakeries"
HELD_BACK = "Too few bakeries"
REASON = "Our board wants the regions left out."


@pytest.fixture(scope="module")
def link(town: Town) -> str:
    """The room of the first party; two more studies are proposed to it."""
    town.propose(APPROVED, "step = 1\npublish_step = 500", "step = 1\npublish_step = 1_000")
    town.propose(HELD_BACK, "complementary = true", "complementary = true\nminimum_contributors = 3")
    assert town.offices is not None
    return town.offices.links[0]


@pytest.fixture
def operator(chromium: Browser, link: str) -> Iterator[Person]:
    with visitor(chromium, link) as person:
        yield person


def read_sheet(operator: Person, title: str) -> None:
    card = operator.page.locator(".card", has=operator.heading(f"Study: {title}"))
    Keyboard(operator).press(card.get_by_role("link", name="Read and decide"))
    operator.page.get_by_role("heading", level=1, name=title).wait_for()


def test_an_operator_reads_approves_and_takes_back_by_keyboard_alone(operator: Person, town: Town) -> None:
    page, keyboard = operator.page, Keyboard(operator)
    operator.heading(f"Study: {APPROVED}").wait_for()
    operator.look_for_barriers("what waits")
    assert "token" not in page.url
    read_sheet(operator, APPROVED)
    operator.look_for_barriers("sheet")
    for words in (
        "Bakeries compare what their ovens use",
        "0 to 503,499 in steps of 1",
        "Total: Electricity",
        "the percentiles as published and N; nothing below the publish step",
        "Any 2 of the 3 parties together could read every figure.",
        "At least 5 contributors behind every number, 8 in a group.",
        "Compared with “Energy use of bakeries”",
    ):
        expect(page.get_by_text(words).first).to_be_visible()
    changed = page.get_by_role("row", name="Figure: Electricity (published in steps of)")
    expect(changed.get_by_role("cell")).to_have_text(["500", "1,000"])
    keyboard.press(operator.button("Approve in the name of this organisation"))
    expect(page.get_by_role("alert")).to_contain_text("First read it")
    keyboard.tick(page.get_by_label("I have read this"))
    keyboard.press(operator.button("Approve in the name of this organisation"))
    expect(page.get_by_text("Signed: delivered to the gateway.")).to_be_visible()
    expect(operator.heading(f"Study: {APPROVED}")).to_have_count(0)
    town.wait_for_approval(APPROVED, party=0)
    page.reload()
    keyboard.press(page.get_by_role("link", name=APPROVED))
    operator.heading("Take the approval back").wait_for()
    keyboard.press(operator.button("Refuse"))
    expect(page.get_by_role("alert")).to_contain_text("Write a reason first.")
    keyboard.type(page.get_by_label("Reason"), REASON)
    keyboard.press(operator.button("Refuse"))
    operator.look_for_barriers("refusal")
    keyboard.press(operator.button("Yes, refuse in the name of this organisation"))
    expect(page.get_by_text("Refused: delivered to the gateway.")).to_be_visible()
    assert town.refusals(APPROVED) == {0: REASON}


def test_what_this_organisation_cannot_approve_says_why_and_offers_no_button(operator: Person) -> None:
    read_sheet(operator, HELD_BACK)
    expect(operator.page.get_by_text("this organisation asks for at least 5 contributors")).to_be_visible()
    expect(operator.button("Approve in the name of this organisation")).to_have_count(0)
    expect(operator.button("Refuse")).to_be_visible()
    operator.look_for_barriers("sheet with reasons")


def test_the_node_and_its_log_are_looked_at_by_keyboard_alone(operator: Person) -> None:
    page, keyboard = operator.page, Keyboard(operator)
    keyboard.press(page.get_by_role("link", name="Node", exact=True))
    operator.heading("Last sessions with the other parties").wait_for()
    expect(page.get_by_text("University").first).to_be_visible()
    keyboard.press(operator.button("Check now"))
    expect(page.get_by_role("row", name=re.compile("store and log .*in order"))).to_be_visible()
    operator.look_for_barriers("node")
    keyboard.press(page.get_by_role("link", name="Log", exact=True))
    operator.heading("Log of this node").wait_for()
    entries = page.locator(".log > li")
    expect(entries).to_have_count(20)
    keyboard.press(operator.button("Older entries"))
    expect(entries.nth(20).locator("summary")).to_be_focused()
    page.keyboard.press("Enter")
    expect(entries.nth(20).locator(".details")).to_be_visible()
    keyboard.press(operator.button("Verify the whole log"))
    expect(page.get_by_text("each signed and chained")).to_be_visible()
    operator.look_for_barriers("log")


def test_a_telephone_in_dutch_has_room_for_everything(chromium: Browser, link: str) -> None:
    with visitor(chromium, link, locale="nl-NL", width=360) as operator:
        operator.heading("Wat op u wacht").wait_for()
        for way in ("Node", "Logboek", "Te beslissen"):
            operator.page.get_by_role("link", name=way, exact=True).click()
            operator.page.locator(f'a[aria-current="page"]:has-text("{way}")').wait_for()
            assert operator.page.evaluate("document.documentElement.scrollWidth") <= 360
        card = operator.page.locator(".card", has=operator.heading(f"Studie: {HELD_BACK}"))
        card.get_by_role("link", name="Lezen en beslissen").click()
        operator.heading("Regels die gelden").wait_for()
        expect(operator.page.get_by_text("deze organisatie vraagt minstens 5 deelnemers")).to_be_visible()
        assert operator.page.evaluate("document.documentElement.scrollWidth") <= 360
        operator.expect_no_other_language()
        operator.look_for_barriers("sheet in Dutch")
        operator.page.get_by_role("link", name="Node", exact=True).click()
        operator.press("machine.check")
        checked = operator.page.get_by_role("row", name=re.compile("opslag en logboek"))
        expect(checked).to_contain_text("in orde")
        operator.expect_no_other_language()


def test_without_the_token_nothing_is_shown(chromium: Browser, link: str) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(link.partition("#")[0])
    expect(page.get_by_text("This page opens with the link that the command printed.")).to_be_visible()
    assert page.get_by_text(HELD_BACK).count() == 0
    context.close()


def test_a_page_of_another_origin_can_neither_read_nor_change_even_with_the_token(
    chromium: Browser, link: str, town: Town
) -> None:
    """In the worst case: the operator's own browser, and a page that has stolen the token."""
    origin, _, token = link.partition("/#token=")
    context = chromium.new_context(bypass_csp=True)
    page = context.new_page()
    page.goto(f"{town.gateway}/")
    attack = """async ([url, headers, method]) => {
      try {
        const answer = await fetch(url, { method, headers, body: method === "POST" ? "{}" : undefined });
        return answer.status;
      } catch { return "blocked"; }
    }"""
    own = {"x-mpc-cde-room": token}
    for headers, method in ((own, "GET"), ({**own, "content-type": "application/json"}, "POST"), ({}, "GET")):
        assert page.evaluate(attack, [f"{origin}/room/overview", headers, method]) == "blocked"
    frame = page.evaluate(
        """(url) => new Promise((done) => {
          const frame = document.createElement("iframe");
          frame.onload = () => done(frame.contentDocument?.body?.innerText ?? "blocked");
          frame.src = url;
          document.body.append(frame);
        })""",
        link,
    )
    assert frame in ("blocked", "")
    context.close()


def test_a_name_that_is_rebound_to_loopback_is_not_answered(chromium: Browser, link: str) -> None:
    context = chromium.new_context()
    page = context.new_page()
    answer = page.goto(link.replace("127.0.0.1", "rebound.localhost"))
    assert answer is not None
    assert answer.status == 421
    context.close()
