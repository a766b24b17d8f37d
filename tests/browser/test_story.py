"""The whole story with people in browsers: invited, certified, figures in, corrected, withdrawn, closed, answered.

The steward proposes and closes the study at its page, the operator of every party approves and signs at its own.
Registrars work at their pages with no mouse: invite, certify, countersign, look whom to remind.

Five bakeries: one types, one pastes on a small telephone in Dutch and corrects, one drops a workbook, one withdraws
and uses the keyboard alone, one has a page that lies about a range. Numbers are compared with the plain calculation;
the tests of this module share one run of the story.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from mpc_cde.client.export import verify_export
from mpc_cde.client.verification import VerifiedResult
from mpc_cde.demo.node_logs import log_entries
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.submission import Submission
from mpc_cde.result_csv import csv_of_result
from mpc_cde.web.checking import check_pages
from tests.browser.people import (
    FIGURES,
    Keyboard,
    Newcomer,
    Person,
    join_together,
    with_a_false_signature,
)
from tests.browser.registrars import NOT_COMING, registrars_at_their_pages
from tests.browser.town import BY_CLIENT, Town, table_rows
from tests.browser.workbooks import workbook

pytestmark = pytest.mark.timeout(300)  # the first test waits for a whole town of processes

SHARED = "const vector = encodeSubmission(encodingsOf(terms), figures);"


@dataclass
class Ended:
    """What is left of the story: who took part with which figures, and the researcher's result."""

    typing: Person
    pasting: Person
    dropping: Person
    withdrawing: Person
    lying: Person
    rows: list[dict[str, str]]
    result: VerifiedResult
    files: dict[str, bytes]
    standings: list[dict[str, str]]
    reminders: str

    @property
    def counted(self) -> list[Person]:
        """Who counts, in the order of the rows."""
        return [self.typing, self.pasting, self.dropping]

    @property
    def everybody(self) -> list[Person]:
        return [*self.counted, self.withdrawing, self.lying]


def lie_about_a_range(route: Any) -> None:
    """As somebody who altered the page: the first indicator is 5 where an honest page sends 0 or 1."""
    answer = route.fetch()
    source = answer.text()
    assert SHARED in source
    headers = {
        name: value for name, value in answer.headers.items() if name not in ("content-length", "etag")
    }
    route.fulfill(status=200, headers=headers, body=source.replace(SHARED, f"{SHARED} vector[0] = 5n;"))


def type_and_withdraw_by_keyboard(one: Person, row: dict[str, str]) -> None:
    keyboard = Keyboard(one)
    for name in FIGURES:
        keyboard.type(one.field(name), row[name])
    keyboard.press(one.button(one.say("form.check")))
    keyboard.tick(one.page.get_by_label(one.say("review.checked")))
    keyboard.press(one.button(one.say("review.send")))
    one.sent()
    for key in ("after.withdraw", "withdraw.yes"):
        keyboard.reach(one.button(one.say(key)))
        one.look_for_barriers(key)
        one.page.keyboard.press("Enter")
    expect(one.page.get_by_text(one.say("after.withdrawn"))).to_be_visible()
    held = one.say("withdraw.held", held=3, parties=3, names="")
    expect(one.page.locator(".withdrawal")).to_contain_text(held.split(":")[0])
    one.look_for_barriers("withdrawn")


def paste_and_correct(one: Person, row: dict[str, str]) -> None:
    wrong = {**row, "electricity": "3", "gas": ""}
    one.paste("electricity", "\n".join(one.number(wrong[name]) for name in FIGURES))
    for name in ("electricity", "electricity_per_tonne"):  # both far from what is usual
        one.figure(name).get_by_label(one.say("form.ask.yes")).check()
    one.look_for_barriers("form with questions")
    one.send()
    one.press("after.correct")
    one.press("form.keep")
    expect(one.page.get_by_text(one.say("receipts.held", held=3, parties=3))).to_be_visible()
    one.press("after.correct")
    expect(one.field("flour")).to_have_value(one.number(row["flour"]))
    one.type_figures(row)
    one.figure("electricity").get_by_label(one.say("form.ask.yes")).check()  # far from last time
    one.send()


def save_the_receipts(one: Person) -> bytes:
    count = len(one.downloads) + 1
    one.press("after.receipts")
    return one.downloaded(count).read_bytes()


def look_again(everybody: list[Person]) -> None:
    """All at once, since each page verifies everything anew."""
    for one in everybody:
        one.page.evaluate("setTimeout(() => location.reload(), 0)")
    for one in everybody:
        one.page.wait_for_load_state()


@pytest.fixture(scope="module")
def ended(chromium: Browser, town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    rows = table_rows()[BY_CLIENT : BY_CLIENT + 5]
    typing, dropping, withdrawing, lying = (Person(chromium, town) for _ in range(4))
    pasting = Person(chromium, town, locale="nl-NL", width=360)
    everybody = [typing, pasting, dropping, withdrawing, lying]
    lying.page.route("**/core/submission.js", lie_about_a_range)
    newcomers = [
        Newcomer(one, row["bakery"], f"Bakery {row['bakery']}", row["region"].title(), party=number % 2)
        for number, (one, row) in enumerate(zip(everybody, rows, strict=True))
    ]
    newcomers[3].by_keyboard = True
    folder = tmp_path_factory.mktemp("people")
    with registrars_at_their_pages(chromium, town, folder) as registrars:
        join_together(newcomers, folder, registry=registrars)
        lying.page.unroute("**/core/submission.js")
        typing.type_figures(rows[0])
        typing.send()
        files = {"receipts": save_the_receipts(typing)}
        standings, reminders = registrars.remind(newcomers)
    paste_and_correct(pasting, rows[1])
    sheet = workbook([["Figure", "2025"], *([name, rows[2][name]] for name in FIGURES)])
    dropping.page.locator('input[type="file"]').set_input_files(
        {"name": "year.xlsx", "mimeType": "application/octet-stream", "buffer": sheet}
    )
    expect(dropping.field("flour")).to_have_value(rows[2]["flour"])
    dropping.send()
    type_and_withdraw_by_keyboard(withdrawing, rows[3])
    lying.type_figures(rows[4])
    lying.send()  # nobody can tell yet: the parties' receipts are for what they can see

    town.close()
    look_again(everybody)
    typing.page.locator(".notice.good").wait_for()
    typing.look_for_barriers("counted, results awaited")
    result = town.ask()
    look_again(everybody)
    for one in everybody:
        one.heading(one.say("result.heading")).wait_for()
        one.look_for_barriers("results")
    yield Ended(typing, pasting, dropping, withdrawing, lying, rows[:3], result, files, standings, reminders)
    for one in everybody:
        one.close()


def test_every_operator_approved_and_closed_the_study_at_its_page(ended: Ended, town: Town) -> None:
    """What a party signed stands in the log of its node."""
    assert town.offices is not None
    for party in town.cast.parties:
        events = [entry["event"] for entry in log_entries(party.home)]
        assert {"study.approved", "closing.signed"} <= set(events)
    assert [one.faults for one in (town.offices.steward, *town.offices.operators)] == [[]] * 4


def test_every_number_equals_the_plain_calculation(ended: Ended, town: Town) -> None:
    comparison = town.compare(ended.result, ended.rows)
    assert comparison.all_equal, comparison.differences
    assert comparison.compared > comparison.withheld > 0


def test_registrars_remind_only_who_has_not_submitted(ended: Ended, town: Town) -> None:
    """They looked when one had sent its figures and four had not; nobody knew what those were."""
    sent, *others = [row["bakery"] for row in table_rows()[BY_CLIENT : BY_CLIENT + 5]]
    expected = {sent: "submitted", **dict.fromkeys(others, "to_remind"), NOT_COMING[0]: "not_joined"}
    say = ended.typing.say
    assert {one["id"]: one["standing"] for one in ended.standings} == {
        name: say(f"registrar.standing.{standing}") for name, standing in expected.items()
    }
    assert sorted(re.findall(r"^Dear Bakery (\w+),", ended.reminders, re.MULTILINE)) == sorted(others)
    assert town.study.study.terms.title in ended.reminders


def test_a_member_is_shown_every_published_number(ended: Ended) -> None:
    for one in (ended.typing, ended.pasting):
        one.page.evaluate(
            "document.querySelectorAll('.result details').forEach((one) => { one.open = true; })"
        )
        one.look_for_barriers("results with tables")
        signs = (",", ".") if one.language == "en" else (".", ",")
        text = one.page.inner_text("main").replace(signs[0], "").replace(signs[1], ".")
        for cell in ended.result.cells:
            for value in cell.values or ():
                assert value in text
        withheld = sum(cell.withheld is not None for cell in ended.result.cells)
        assert one.page.locator("td.withheld").count() == withheld > 0


def test_a_member_sees_where_it_is_among_the_published_percentiles(ended: Ended) -> None:
    for one, row in zip(ended.counted, ended.rows, strict=True):
        expect(one.page.get_by_text(one.say("counted.yes").split(":")[0]).first).to_be_visible()
        median = one.say("quantile.median")
        for cell in ended.result.cells:
            if not cell.function.startswith("percentiles") or cell.values is None or cell.group is not None:
                continue
            (name,) = cell.figures
            figure = ended.result.study.study.terms.figure(name)
            chart = one.page.get_by_role("img", name=re.compile(rf"^{re.escape(figure.label)}\. "))
            shown = chart.get_attribute("aria-label") or ""
            middle = cell.values[len(cell.values) // 2]
            plain = shown.replace("." if one.language == "nl" else ",", "")
            assert f"{median}: {middle}" in plain
            if row.get(name) and len(cell.values) == 1:
                side = "above" if float(row[name]) >= float(middle) else "below"
                assert (
                    one.say(f"place.{side}", last=median, first=median, median=median).split(" ")[2] in shown
                )


def test_a_member_reads_its_own_sealed_place_and_that_of_its_group(ended: Ended, town: Town) -> None:
    one, row = ended.typing, ended.rows[0]
    one.look_for_barriers("results")
    one.press("own_place.ask")
    one.page.locator(".own-places").first.wait_for()
    one.look_for_barriers("own place")
    region = row["region"].title()
    shown = one.page.locator(".own-places").all_inner_texts()
    for text, figure in zip(shown, ("electricity", "flour"), strict=True):
        for group, among in ((None, "everybody"), (region, f"Region: {region}")):
            percent = town.place_of(0, ended.rows, figure=figure, region=group)
            assert one.say("own_place.below", percent=percent, among=among) in text
    expect(one.page.get_by_role("heading", name=f"Your group – Region: {region}").first).to_be_visible()
    other = ended.dropping  # a place is told to whom it belongs
    other.page.reload()
    expect(other.heading(other.say("own_place.heading"))).to_be_visible()
    assert other.page.locator(".own-places").count() == 0


def test_who_lied_about_a_range_is_left_out_and_reads_why(ended: Ended) -> None:
    (removed,) = ended.result.checked_roster.removed
    assert removed.fault == "malformed_encoding"
    expect(ended.lying.page.get_by_role("alert")).to_contain_text(
        ended.lying.say("counted.no.malformed_encoding")
    )
    ended.lying.look_for_barriers("left out")


def test_who_withdrew_has_no_figures_and_no_place(ended: Ended) -> None:
    one = ended.withdrawing
    expect(one.page.get_by_text(one.say("standing.nothing"))).to_be_visible()
    assert one.page.get_by_text(one.say("place.you")).count() == 0


def test_what_changed_since_the_last_period_is_told_from_this_device(ended: Ended) -> None:
    """As if the study had been here a year ago, with the same figure."""
    one, row = ended.dropping, ended.rows[2]
    (median,) = (
        cell.values[1]
        for cell in ended.result.cells
        if cell.figures == ("electricity",) and len(cell.values or ()) == 3
    )
    periods = [
        {
            "terms": mark * 43,
            "title": title,
            "closes": f"{year}-01-01T00:00:00Z",
            "figures": {"electricity": {"unit": "kWh a year", "own": own, "median": "23000"}},
        }
        for mark, title, year, own in (
            ("A", "Before last year", 2019, "21000"),
            ("B", "Last year", 2020, "20000"),
        )
    ]
    one.page.evaluate(
        """async (periods) => {
          const { Vault } = await import("/shared/vault.js");
          const vault = await Vault.open();
          await vault.putSealed("periods", periods, (await vault.get("keys")).wrappingKey);
        }""",
        periods,
    )
    one.page.reload()
    change = one.page.locator(".change")
    expect(change).to_have_count(1)
    change.get_by_text(one.say("series.table")).click()
    rows = [cells.locator("td").all_inner_texts() for cells in change.locator("tbody tr").all()]
    assert rows == [
        ["23,000", "21,000"],
        ["23,000", "20,000"],
        [f"{int(median):,}", f"{int(row['electricity']):,}"],
    ]
    lines = change.get_by_role("img", name=re.compile(r"^Electricity\. .*median 23,000, you 21,000;"))
    expect(lines).to_be_visible()
    one.look_for_barriers("three periods")
    for key, before, after in (("own", 20000, int(row["electricity"])), ("median", 23000, int(median))):
        text = one.say(
            f"change.{key}", **{"from": f"{before:,}", "to": f"{after:,}", "change": f"{after - before:+,}"}
        )
        expect(change).to_contain_text(text)


def test_saved_results_are_those_of_the_command_line(ended: Ended, town: Town) -> None:
    one = ended.dropping
    count = len(one.downloads)
    one.press("result.csv")
    assert one.downloaded(count + 1).read_bytes() == b"\xef\xbb\xbf" + csv_of_result(ended.result.result)
    one.press("result.json")
    verified = verify_export(one.downloaded(count + 2).read_bytes(), town.fingerprint)
    assert verified.result == ended.result.result
    assert verified.own_row is not None


def test_what_is_folded_is_printed_too(ended: Ended) -> None:
    one = ended.dropping
    opened = one.page.evaluate(
        """() => new Promise((done) => {
          window.print = () => done(document.querySelectorAll(".result-card details:not([open])").length);
          [...document.querySelectorAll(".result-card .actions button")][0].click();
        })"""
    )
    assert opened == 0
    one.page.emulate_media(media="print")
    assert not one.button(one.say("result.print")).is_visible()
    one.page.emulate_media(media="screen")


def test_everybody_sees_public_results_at_the_gateway(ended: Ended, chromium: Browser, town: Town) -> None:
    reader = Person(chromium, town, locale="nl-NL")
    reader.page.goto(f"{town.gateway}/#community={town.fingerprint}")
    expect(reader.page.get_by_text("Gecontroleerd vanaf de vingerafdruk in uw link")).to_be_visible()
    expect(reader.page.get_by_text("Op dit apparaat gecontroleerd: ondertekend door")).to_be_visible()
    reader.look_for_barriers("public results")
    shown = [chart.get_attribute("aria-label") or "" for chart in reader.page.get_by_role("img").all()]
    for cell in ended.result.cells:
        if cell.function.startswith("percentiles") and cell.values is not None and cell.group is None:
            middle = cell.values[len(cell.values) // 2]
            assert any(f"mediaan: {middle}" in text.replace(".", "") for text in shown)
    assert reader.faults == []
    reader.close()


def test_receipts_are_those_that_every_party_signed(ended: Ended) -> None:
    file = json.loads(ended.files["receipts"])
    assert len(file["receipts"]) == 3
    envelope = Envelope.parse_json(json.dumps(file["submission"]).encode())
    assert open_envelope(envelope, Submission).sequence == 1


def test_no_figure_leaves_the_browser_and_every_body_has_the_same_length(ended: Ended) -> None:
    bodies = [body for one in ended.everybody for body in one.bodies]
    assert len(bodies) == 6
    assert all(len(body) > 1_000 for body in bodies)  # they are seen whole
    for row in table_rows()[BY_CLIENT : BY_CLIENT + 5]:
        for name in FIGURES:
            if len(row[name]) >= 4:
                assert all(row[name].encode() not in body for body in bodies)
    # sequences have one digit here, and a first submission replaces none: those are of one length
    assert len({len(one.bodies[0]) for one in ended.everybody}) == 1


def test_pages_are_those_of_the_wheel(town: Town) -> None:
    assert check_pages(town.pages[0]).faults == ()


def test_a_tampered_signature_shows_no_number(ended: Ended) -> None:
    one = ended.typing
    one.page.route(re.compile(r"/v1/results/"), with_a_false_signature)
    one.page.reload()
    expect(one.page.get_by_text(one.say("problem.BadSignature"))).to_be_visible()
    assert one.page.locator(".result-card").count() == 0
    one.page.unroute(re.compile(r"/v1/results/"))


def test_nobody_saw_an_error_a_policy_report_or_a_foreign_request(ended: Ended) -> None:
    """Last, since everything before may add to it."""
    assert [fault for one in ended.everybody for fault in one.faults] == []
