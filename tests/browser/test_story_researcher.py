"""The end of the story for a researcher: a key made in the browser, a question to real parties, a verified answer."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, expect

from mpc_cde.client.export import verify_export
from tests.browser.people import Keyboard
from tests.browser.test_researcher_page import Researcher
from tests.browser.town import Town

pytestmark = pytest.mark.timeout(280)


def test_a_researcher_asks_watches_and_reads_by_keyboard_alone(chromium: Browser, town: Town) -> None:
    town.ensure_closed()
    person = Researcher(chromium, town)
    page, keyboard = person.page, Keyboard(person)
    link = f"{town.pages[1]}/researcher.html#community={town.fingerprint}"
    town.enrol(person.make_key(link, name="A. Researcher, University"))
    keyboard.press(person.button("Look now"))
    keyboard.press(page.get_by_role("button", name="Energy use of bakeries"))
    for question in ("Total: Electricity", "median: Gas", "5 %, 95 %: Electricity"):
        keyboard.tick(page.get_by_label(question, exact=True))
    keyboard.press(person.button("Ask"))
    expect(page.get_by_text("Verified on this device: signed by")).to_be_visible()
    person.look_for_barriers("answer")
    folded = page.locator("main details:not([open]) > summary")
    while folded.count():
        keyboard.press(folded.first)
    result = town.result_of(person.queries[-1])
    released = {(cell.function, cell.figures): cell for cell in result.cells}
    shown = page.inner_text("main").replace(",", "")
    assert set(released) == {
        ("sum@1", ("electricity",)),
        ("percentiles@1", ("gas",)),
        ("percentiles@1", ("electricity",)),
    }
    for cell in result.cells:
        assert all(value in shown for value in cell.values or ())
    assert released[("percentiles@1", ("electricity",))].withheld is not None
    assert "withheld" in shown
    text = keyboard.save(person.button("Save as CSV")).decode("utf-8-sig")
    (total,) = released[("sum@1", ("electricity",))].values or ()
    assert total in text
    exported = verify_export(keyboard.save(person.button("Save with all proofs (JSON)")), town.fingerprint)
    assert exported.result.digest() == result.digest()
    person.close()
    assert json.dumps(person.faults) == "[]"
