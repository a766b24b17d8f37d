"""The form of a study in a browser: what it refuses, what it asks about, what it never loses."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.people import PASSPHRASE, Person
from tests.browser.town import Town, table_rows

pytestmark = pytest.mark.timeout(300)  # the first test waits for a whole town of processes

MakePerson = Callable[..., Person]


@pytest.fixture
def at_the_form(person: MakePerson, folder: Path, request: pytest.FixtureRequest) -> Person:
    one = person()
    one.join(f"F-{request.node.name[:60]}", "Bakery Rise", region="North", folder=folder)
    return one


def workbook(rows: list[list[str]]) -> bytes:
    """An XLSX file with one sheet; numbers as numbers, names as shared strings, as spreadsheets write it."""
    strings: list[str] = []
    lines = []
    for number, row in enumerate(rows, start=1):
        cells = []
        for column, text in enumerate(row):
            place = f"{chr(65 + column)}{number}"
            try:
                float(text)
                cells.append(f'<c r="{place}"><v>{text}</v></c>')
            except ValueError:
                strings.append(text)
                cells.append(f'<c r="{place}" t="s"><v>{len(strings) - 1}</v></c>')
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    output = io.BytesIO()
    relation = 'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"'
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "xl/workbook.xml", '<workbook><sheets><sheet name="Year" r:id="rId1"/></sheets></workbook>'
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships><Relationship Id="rId1" {relation} Target="worksheets/sheet1.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/sharedStrings.xml", f"<sst>{''.join(f'<si><t>{s}</t></si>' for s in strings)}</sst>"
        )
        archive.writestr(
            "xl/worksheets/sheet1.xml", f"<worksheet><sheetData>{''.join(lines)}</sheetData></worksheet>"
        )
    return output.getvalue()


def test_impossible_figures_are_red_and_unlikely_ones_are_asked_about(at_the_form: Person) -> None:
    one = at_the_form
    one.field("electricity").fill("120000")
    one.field("gas").fill("61.5")
    one.field("energy_cost_change").fill("-16.25")
    one.button("Check and send").click()
    expect(one.heading("4 figures need another look")).to_be_visible()
    expect(one.figure("electricity")).to_have_attribute("data-state", "ask")
    expect(one.figure("electricity")).to_contain_text("120,000 is above what is usual (up to 80,000)")
    expect(one.figure("gas")).to_contain_text("It must be given in steps of 1.")
    expect(one.figure("flour")).to_contain_text("This figure is needed.")
    one.look_for_barriers("form with faults")
    one.figure("energy_cost_change").get_by_role("button", name="Use -16.2").click()
    expect(one.figure("energy_cost_change")).to_have_attribute("data-state", "ok")
    one.figure("electricity").get_by_label("Yes, this is right").check()
    expect(one.figure("electricity")).to_have_attribute("data-state", "ok")
    one.field("electricity").fill("120001")  # another figure is another question
    expect(one.figure("electricity")).to_have_attribute("data-state", "ask")
    one.field("electricity").fill("27604000")
    one.field("gas").fill("")
    expect(one.figure("electricity")).to_contain_text("a factor of 1,000")


def test_what_was_typed_survives_a_reload_and_another_language(at_the_form: Person) -> None:
    one = at_the_form
    one.field("electricity").fill("27,604")
    one.field("flour").fill("42.99")
    expect(one.figure("flour")).to_contain_text("read as 42.99")
    one.page.get_by_label("Language").select_option("nl")
    expect(one.page.get_by_role("button", name="Controleren en sturen")).to_be_visible()
    one.page.get_by_label("Getallen").select_option("comma")
    expect(one.field("flour")).to_have_value("42,99")
    expect(one.figure("electricity")).to_contain_text("gelezen als 27.604")
    one.page.wait_for_timeout(600)  # the draft is written a moment after the last key
    one.page.reload()
    expect(one.field("flour")).to_have_value("42,99")
    assert one.page.evaluate("document.documentElement.lang") == "nl"


def test_pasted_rows_and_files_fill_the_form(at_the_form: Person, town: Town) -> None:
    one = at_the_form
    one.field("electricity").focus()
    one.page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.setData("text/plain", "electricity\\tgas\\tflour\\n27604\\t3639\\t42.99\\n");
          const options = { clipboardData: data, bubbles: true, cancelable: true };
          document.activeElement.dispatchEvent(new ClipboardEvent("paste", options));
        }"""
    )
    expect(one.page.get_by_text("3 figures were filled in")).to_be_visible()
    expect(one.field("gas")).to_have_value("3639")
    one.button("Undo").click()
    expect(one.field("gas")).to_have_value("")
    chooser = one.page.locator('input[type="file"]')
    sheet = workbook([["Electricity", "12142"], ["Gas", "1347"], ["Flour baked", "18.625"], ["Rent", "7"]])
    chooser.set_input_files({"name": "year.xlsx", "mimeType": "application/octet-stream", "buffer": sheet})
    expect(one.field("electricity")).to_have_value("12,142")
    expect(one.page.get_by_text("Not asked for, so not used: Rent")).to_be_visible()
    expect(one.figure("flour")).to_contain_text("Year B3: It must be given in steps of 0.01.")
    with one.page.expect_download() as template:
        one.button("Download a blank template").click()
    text = Path(template.value.path()).read_text("utf-8-sig")
    assert "electricity;Electricity;kWh a year;" in text
    other = text.replace(text.split(";")[1].split("\n")[0].strip(), "A" * 43).encode()
    chooser.set_input_files({"name": "old.csv", "mimeType": "text/csv", "buffer": other})
    expect(one.page.get_by_text("This template belongs to another study")).to_be_visible()
    assert one.bodies == []


def test_a_second_device_works_from_the_recovery_file(person: MakePerson, folder: Path, town: Town) -> None:
    first = person()
    recovery = first.join("F-second-device", "Bakery Rise", region="North", folder=folder)
    second = person()
    second.page.goto(town.pages[1])  # and from another party's pages
    second.page.get_by_text("I already have a key").click()
    second.look_for_barriers("welcome")
    second.page.get_by_label("Recovery file").set_input_files(recovery)
    second.page.get_by_label("Passphrase").fill("something else than that")
    second.button("Open").click()
    expect(second.page.get_by_text("the passphrase does not open this file")).to_be_visible()
    second.page.get_by_label("Passphrase").fill(PASSPHRASE)
    second.button("Open").click()
    second.field("electricity").wait_for()
    kept = second.page.evaluate(
        """async () => {
          const open = indexedDB.open("mpc-cde", 1);
          const database = await new Promise((done) => { open.onsuccess = () => done(open.result); });
          const asked = database.transaction("vault").objectStore("vault").get("keys");
          const keys = await new Promise((done) => { asked.onsuccess = () => done(asked.result); });
          const tried = await crypto.subtle.exportKey("pkcs8", keys.privateKey).then(() => "read", () => "kept");
          const wrapping = await crypto.subtle.exportKey("raw", keys.wrappingKey).then(() => "read", () => "kept");
          return [tried, wrapping];
        }"""
    )
    assert kept == ["kept", "kept"]


def test_a_link_of_another_community_is_not_followed(person: MakePerson, town: Town) -> None:
    one = person()
    other = "abcde-fghij-klmno-pqrst-uvwxy"
    for wrong, said in ((other, "this page is for"), ("abcde", "expected 25 letters")):
        link = town.link("F-1", "Bakery Rise")
        one.page.goto("about:blank")
        one.page.goto(re.sub(r"community=[a-z0-9-]+", f"community={wrong}", link))
        expect(one.page.get_by_role("alert")).to_contain_text(said)
    expect(one.page.get_by_label("Choose a passphrase")).to_have_count(0)


def test_the_form_fits_a_small_telephone(person: MakePerson, folder: Path) -> None:
    one = person(width=360)
    one.join("F-small", "Bakery Rise", region="North", folder=folder)
    one.type_figures(table_rows()[0])
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 360
    names = one.page.locator("input:visible, select:visible").evaluate_all(
        "fields => fields.map((field) => [...field.labels].map((label) => label.textContent).join(' '))"
    )
    assert all(names)
