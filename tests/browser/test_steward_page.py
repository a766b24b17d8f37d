"""The steward's page in the town: a template as members see it, a pilot, a closing that is thought over."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.people import Keyboard, Person
from tests.browser.rooms import visitor
from tests.browser.town import Town

pytestmark = pytest.mark.timeout(280)


@pytest.fixture(scope="module")
def link(town: Town) -> str:
    assert town.offices is not None
    return town.offices.links["steward"]


@pytest.fixture
def steward(chromium: Browser, link: str) -> Iterator[Person]:
    with visitor(chromium, link) as person:
        yield person


def test_a_template_is_seen_as_a_member_will_see_it_and_proposed_as_a_pilot_by_keyboard_alone(
    steward: Person,
) -> None:
    page, keyboard = steward.page, Keyboard(steward)
    keyboard.press(page.get_by_role("link", name="New study").first)
    steward.heading("New study").wait_for()
    keyboard.choose(page.get_by_label("Template for a trade"), "Energy and emissions")
    keyboard.tick(page.get_by_label("Pilot: a try-out with made-up figures"))
    keyboard.press(steward.button("Look at it as a member"))
    steward.heading("As a member sees it").wait_for()
    expect(page.get_by_text("PILOT – this is a try-out.")).to_be_visible()
    keyboard.type(steward.field("electricity"), "90000")
    page.keyboard.press("Tab")
    expect(steward.figure("electricity")).to_contain_text("Are you sure?")
    steward.look_for_barriers("new study")
    keyboard.press(steward.button("Propose it to every party"))
    expect(page.get_by_role("alert")).to_contain_text("First read it")
    keyboard.tick(page.get_by_label("I have read this"))
    keyboard.press(steward.button("Propose it to every party"))
    expect(page.get_by_text("“Energy and emissions (pilot)” was proposed.")).to_be_visible()
    card = page.locator(".card", has=steward.heading("Energy and emissions (pilot)"))
    expect(card).to_contain_text("PILOT")
    expect(card).to_contain_text("Waiting for Chamber of Commerce, University, Municipality.")
    steward.look_for_barriers("studies")


def test_a_mistake_in_a_template_is_told_and_loses_nothing(steward: Person) -> None:
    page = steward.page
    page.get_by_role("link", name="New study").first.click()
    page.get_by_label("Template for a trade").select_option("services")
    page.get_by_text("Text of the template").click()
    text = page.get_by_label("Change labels, help, bounds")
    expect(text).not_to_have_value("")
    wrong = text.input_value().replace("publish_step = 5_000", "publish_step = 3", 1)
    text.fill(wrong)
    steward.button("Look at it as a member").click()
    expect(page.get_by_role("alert")).to_contain_text("figures[1].publish_step")
    page.get_by_role("combobox", name="Language").select_option("nl")
    expect(page.get_by_role("heading", name="Nieuwe studie")).to_be_visible()
    expect(page.locator("#template-text")).to_have_value(wrong)


def test_a_closing_is_thought_over_by_keyboard_alone(steward: Person, town: Town) -> None:
    page, keyboard = steward.page, Keyboard(steward)
    card = page.locator(".card", has=steward.heading("Energy use of bakeries"))
    expect(card).to_contain_text("members have submitted")
    keyboard.press(card.get_by_text("Text for a reminder"))
    reminder = card.get_by_role("textbox", name="Text for a reminder")
    assert "Energy use of bakeries" in reminder.input_value()
    keyboard.press(card.get_by_text("Close before its time"))
    keyboard.press(card.get_by_role("button", name="Close it now"))
    expect(card.get_by_role("alert")).to_contain_text("cannot be opened again")
    expect(card.get_by_role("button", name="Yes, propose to close it now")).to_be_focused()
    steward.look_for_barriers("closing")
    keyboard.press(card.get_by_role("button", name="Back"))
    expect(card.get_by_role("alert")).to_have_count(0)
    keyboard.reach(card.get_by_text("Close before its time"))  # the focus is not lost with what went away


def test_a_telephone_in_dutch_has_room(chromium: Browser, link: str) -> None:
    with visitor(chromium, link, locale="nl-NL", width=360) as steward:
        assert steward.page.evaluate("document.documentElement.scrollWidth") <= 360
        steward.page.get_by_role("link", name="Nieuwe studie").first.click()
        steward.page.locator("#trade").select_option("services")
        expect(steward.page.locator("#template-text")).not_to_have_value("")
        steward.button("Bekijken als lid").click()
        steward.heading("Zoals een lid het ziet").wait_for()
        expect(steward.page.get_by_text("Gebruikelijk uurtarief").first).to_be_visible()
        assert steward.page.evaluate("document.documentElement.scrollWidth") <= 360
        steward.look_for_barriers("new study in Dutch")
        steward.page.get_by_text("Tekst van het sjabloon").click()
        text = steward.page.locator("#template-text")
        text.fill(text.input_value().replace("roster_cap = ", "roster_cap = -", 1))
        steward.button("Bekijken als lid").click()
        expect(steward.page.get_by_role("alert")).to_contain_text(
            re.compile(r"roster_cap: verwacht: een geheel getal van 2 tot \d+; gevonden: -\d+")
        )
        steward.expect_no_other_language()
