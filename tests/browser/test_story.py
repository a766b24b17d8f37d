"""The whole story with people in browsers: invited, certified, figures in, corrected, withdrawn, closed, answered.

Numbers are compared with the plain calculation; the tests of this module share one run of the story.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from mpc_cde.client.verification import VerifiedResult
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.submission import Submission
from mpc_cde.web.checking import check_pages
from tests.browser.people import Person
from tests.browser.town import BY_CLIENT, Town, table_rows

pytestmark = pytest.mark.timeout(300)  # the first test waits for a whole town of processes

FIGURES = ("electricity", "gas", "flour", "energy_cost_change")


@dataclass
class Ended:
    """What is left of the story: who took part with which figures, and the researcher's result."""

    people: list[Person]
    rows: list[dict[str, str]]
    result: VerifiedResult
    receipts: dict[str, object]


@pytest.fixture(scope="module")
def ended(chromium: Browser, town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    folder = tmp_path_factory.mktemp("people")
    rows = table_rows()[BY_CLIENT : BY_CLIENT + 4]
    people = [
        Person(chromium, town),
        Person(chromium, town),
        Person(chromium, town),
        Person(chromium, town),
    ]
    typing, correcting, pasting, withdrawing = people
    for number, one in enumerate(people):
        one.join(
            rows[number]["bakery"], f"Bakery {number}", region=rows[number]["region"].title(), folder=folder
        )
    typing.type_figures(rows[0])
    typing.send()
    with typing.page.expect_download() as download:
        typing.button("Save the receipts").click()
    receipts = json.loads(Path(download.value.path()).read_text())

    wrong = {**rows[1], "electricity": "3", "gas": ""}
    correcting.type_figures(wrong)
    correcting.figure("electricity").get_by_label("Yes, this is right").check()
    correcting.send()
    correcting.button("Correct my figures").click()
    expect(correcting.field("flour")).to_have_value(rows[1]["flour"])
    correcting.type_figures(rows[1])
    correcting.figure("electricity").get_by_label("Yes, this is right").check()  # far from last time
    correcting.send()

    pasting.field("electricity").focus()
    pasting.page.evaluate(
        """(text) => {
          const data = new DataTransfer();
          data.setData("text/plain", text);
          const options = { clipboardData: data, bubbles: true, cancelable: true };
          document.activeElement.dispatchEvent(new ClipboardEvent("paste", options));
        }""",
        "\n".join(rows[2][name] for name in FIGURES),
    )
    pasting.send()

    withdrawing.type_figures(rows[3])
    withdrawing.send()
    withdrawing.button("Withdraw").click()
    withdrawing.button("Yes, withdraw").click()
    expect(withdrawing.page.get_by_text("You have withdrawn your figures")).to_be_visible()

    result = town.close_and_ask()
    for one in (typing, correcting, pasting):
        one.page.reload()
        one.heading("What came back").wait_for()
        one.look_for_barriers("results")
    yield Ended(people, rows[:3], result, receipts)
    for one in people:
        one.close()


def test_every_number_equals_the_plain_calculation(ended: Ended, town: Town) -> None:
    comparison = town.compare(ended.result, ended.rows)
    assert comparison.all_equal, comparison.differences
    assert comparison.compared > comparison.withheld > 0


def test_a_member_sees_the_numbers_and_its_own_place(ended: Ended) -> None:
    for one, row in zip(ended.people, ended.rows, strict=False):
        expect(one.page.get_by_text("Verified on this device: signed by")).to_be_visible()
        for cell in ended.result.cells:
            if not cell.function.startswith("percentiles") or cell.values is None:
                continue
            (name,) = cell.figures
            figure = next(f for f in ended.result.study.study.terms.figures if f.name == name)
            chart = one.page.get_by_role("img", name=re.compile(re.escape(figure.label)))
            shown = chart.get_attribute("aria-label") or ""
            median = float(cell.values[0])
            assert f"median: {cell.values[0]}" in shown.replace(",", "")
            if row[name]:
                side = "above" if float(row[name]) >= median else "below"
                assert f"You are {side} the median" in shown


def test_everybody_sees_public_results_at_the_gateway(ended: Ended, chromium: Browser, town: Town) -> None:
    reader = Person(chromium, town, locale="nl-NL")
    reader.page.goto(f"{town.gateway}/#community={town.fingerprint}")
    expect(reader.page.get_by_text("Gecontroleerd vanaf de vingerafdruk in uw link")).to_be_visible()
    expect(reader.page.get_by_text("Op dit apparaat gecontroleerd: ondertekend door")).to_be_visible()
    reader.look_for_barriers("public results")
    shown = [chart.get_attribute("aria-label") or "" for chart in reader.page.get_by_role("img").all()]
    for cell in ended.result.cells:
        if cell.function.startswith("percentiles") and cell.values is not None:
            assert any(f"mediaan: {cell.values[0]}" in text.replace(".", "") for text in shown)
    reader.page.goto("about:blank")
    reader.page.goto(f"{town.gateway}/#community=abcde-fghij-klmno-pqrst-uvwxy")
    expect(reader.page.get_by_role("alert")).to_be_visible()
    assert reader.faults == []
    reader.close()


def test_receipts_are_those_that_every_party_signed(ended: Ended) -> None:
    receipts = ended.receipts["receipts"]
    assert isinstance(receipts, list)
    assert len(receipts) == 3
    envelope = Envelope.parse_json(json.dumps(ended.receipts["submission"]).encode())
    submission = open_envelope(envelope, Submission)
    assert submission.sequence == 1


def test_no_figure_leaves_the_browser_and_every_body_has_the_same_length(ended: Ended) -> None:
    bodies = [body for one in ended.people for body in one.bodies]
    assert len(bodies) == 5
    rows = [*ended.rows, table_rows()[BY_CLIENT + 3]]
    for row in rows:
        for name in FIGURES:
            if len(row[name]) >= 4:
                assert all(row[name].encode() not in body for body in bodies)
    # sequences have one digit here, and a first submission replaces none: those three are of one length
    firsts = {len(one.bodies[0]) for one in ended.people}
    assert len(firsts) == 1


def test_nobody_saw_an_error_a_policy_report_or_a_foreign_request(ended: Ended) -> None:
    assert [fault for one in ended.people for fault in one.faults] == []


def test_pages_are_those_of_the_wheel(town: Town) -> None:
    assert check_pages(town.pages[0]).faults == ()


def test_a_tampered_signature_shows_no_number(ended: Ended) -> None:
    """The only test that meddles with answers: as a gateway would that wants other numbers to be believed."""
    one = ended.people[0]

    def tamper(route: object) -> None:
        answer = route.fetch()  # type: ignore[attr-defined]
        document = answer.json()
        signature = document["result"]["signatures"][0]
        signature["sig"] = ("B" if signature["sig"][0] == "A" else "A") + signature["sig"][1:]
        route.fulfill(response=answer, json=document)  # type: ignore[attr-defined]

    one.page.route(re.compile(r"/v1/results/"), tamper)
    one.page.reload()
    expect(one.page.get_by_text("A signature is missing or false, so nothing is shown.")).to_be_visible()
    assert one.page.locator(".result-card").count() == 0
    one.page.unroute(re.compile(r"/v1/results/"))
