"""The form of a study in a browser: what it refuses, what it asks about, what it never loses."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.community import fingerprint_of, format_fingerprint
from mpc_cde.web.saved_page import saved_page
from tests.browser.bodies import SubmittedBody
from tests.browser.people import PASSPHRASE, Person
from tests.browser.town import Town, table_rows
from tests.browser.workbooks import workbook

pytestmark = pytest.mark.timeout(300)  # the first test waits for a whole town of processes

MakePerson = Callable[..., Person]


@dataclass(frozen=True)
class AtTheForm:
    """Somebody who was certified and sent nothing yet, and the recovery file that was kept."""

    person: Person
    recovery: Path


@pytest.fixture(scope="module")
def joined(chromium: Browser, town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AtTheForm]:
    one = Person(chromium, town)
    recovery = one.join("F-1", "Bakery Rise", region="North", folder=tmp_path_factory.mktemp("form"))
    yield AtTheForm(one, recovery)
    one.close()


@pytest.fixture
def at_the_form(joined: AtTheForm) -> Iterator[Person]:
    """An empty form; at the end the page may not have had anything to complain about."""
    one = joined.person
    one.page.evaluate(
        """async () => {
          localStorage.clear();
          const open = indexedDB.open("mpc-cde", 1);
          const database = await new Promise((done) => { open.onsuccess = () => done(open.result); });
          const store = database.transaction("vault", "readwrite").objectStore("vault");
          for (const name of ["draft ", "last figures"]) store.delete(IDBKeyRange.bound(name, name + "~"));
          await new Promise((done) => { store.transaction.oncomplete = done; });
          database.close();
        }"""
    )
    one.page.reload()
    one.field("electricity").wait_for()
    yield one
    assert one.faults == []


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
    one.field("flour").fill("0.5")  # the two together cannot be
    expect(one.figure("electricity_per_tonne")).to_contain_text("The result lies outside 0 to 20,")
    one.field("flour").fill("40")
    expect(one.figure("electricity_per_tonne")).to_contain_text("3,000 is above what is usual (up to 2,000)")
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
    one.paste("electricity", "electricity\tgas\tflour\n27604\t3639\t42.99\n")
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
        one.button("Blank template, CSV").click()
    text = Path(template.value.path()).read_text("utf-8-sig")
    assert "electricity;Electricity;kWh a year;" in text
    other = text.replace(text.split(";")[1].split("\n")[0].strip(), "A" * 43).encode()
    chooser.set_input_files({"name": "old.csv", "mimeType": "text/csv", "buffer": other})
    expect(one.page.get_by_text("This template belongs to another study")).to_be_visible()
    one.page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["electricity;gas\\n5000;200"], "year.csv"));
          const options = { dataTransfer: data, bubbles: true, cancelable: true };
          document.querySelector("[aria-labelledby=figures-heading]").dispatchEvent(new DragEvent("drop", options));
        }"""
    )
    expect(one.field("gas")).to_have_value("200")
    assert one.bodies == []


def test_a_blank_template_is_a_workbook_that_spreadsheets_open(at_the_form: Person, town: Town) -> None:
    one = at_the_form
    with one.page.expect_download() as download:
        one.button("Blank template, XLSX").click()
    assert download.value.suggested_filename == "Energy-use-of-bakeries.xlsx"
    with zipfile.ZipFile(Path(download.value.path())) as archive:
        assert archive.testzip() is None  # every checksum holds
        parts = {name: ElementTree.fromstring(archive.read(name)) for name in archive.namelist()}  # noqa: S314 - our own file
    assert {"[Content_Types].xml", "_rels/.rels", "xl/workbook.xml"} < set(parts)
    texts = [one.text for one in parts["xl/worksheets/sheet1.xml"].iter() if one.tag.endswith("}t")]
    assert texts[:2] == ["mpc-cde", encode_base64url(town.study.terms_digest)]
    assert texts[2:5] == ["electricity", "Electricity", "kWh a year"]
    one.page.locator('input[type="file"]').set_input_files(
        {
            "name": "blank.xlsx",
            "mimeType": "application/octet-stream",
            "buffer": Path(download.value.path()).read_bytes(),
        }
    )
    expect(
        one.page.get_by_text(one.say("table.no_values"))
    ).to_be_visible()  # it is ours, and nothing is in it


def test_a_second_device_works_from_the_recovery_file(
    person: MakePerson, joined: AtTheForm, town: Town
) -> None:
    second = person()
    second.page.goto(town.pages[1])  # and from another party's pages
    second.page.get_by_text("I already have a key").click()
    second.look_for_barriers("welcome")
    second.page.get_by_label("Recovery file").set_input_files(joined.recovery)
    second.page.get_by_label("Passphrase").fill("something else than that")
    second.button("Open").click()
    expect(second.page.get_by_text("The passphrase does not open this file.")).to_be_visible()
    second.page.get_by_label("Passphrase").fill(PASSPHRASE)
    second.button("Open").click()
    second.field("electricity").wait_for()
    expect(second.page.get_by_text(second.say("form.other_device"))).to_be_visible()
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
    for wrong, said in ((other, "This page is for"), ("abcde", "25 letters and digits")):
        link = town.link("F-1", "Bakery Rise")
        one.page.goto("about:blank")
        one.page.goto(re.sub(r"community=[a-z0-9-]+", f"community={wrong}", link))
        expect(one.page.get_by_role("alert")).to_contain_text(said)
    expect(one.page.get_by_label("Choose a passphrase")).to_have_count(0)


def test_the_form_fits_a_small_telephone(at_the_form: Person) -> None:
    one = at_the_form
    one.page.set_viewport_size({"width": 360, "height": 740})
    one.type_figures(table_rows()[0])
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert one.figure("electricity_per_tonne").locator("output").inner_text() == "642"
    names = one.page.locator("input:visible, select:visible").evaluate_all(
        "fields => fields.map((field) => [...field.labels].map((label) => label.textContent).join(' '))"
    )
    assert all(names)
    one.page.set_viewport_size({"width": 1280, "height": 900})


def test_nothing_is_sent_that_was_not_checked(at_the_form: Person, town: Town) -> None:
    one = at_the_form
    one.type_figures(table_rows()[0])
    one.press("form.check")
    expect(one.page.get_by_text(town.study.study.terms.consent)).to_be_hidden()
    one.page.get_by_text(one.say("about.consent")).click()
    expect(one.page.get_by_text(town.study.study.terms.consent)).to_be_visible()
    one.press("review.send")
    expect(one.page.get_by_role("alert")).to_contain_text(one.say("review.first_check"))
    expect(one.page.get_by_label(one.say("review.checked"))).to_be_focused()
    assert one.bodies == []
    expect(one.field("energy_cost_change")).to_have_count(0)
    one.press("review.back")
    assert one.field("energy_cost_change").get_attribute("inputmode") == "text"  # it may have a minus
    assert one.field("flour").get_attribute("inputmode") == "decimal"


def test_a_key_that_was_made_is_not_made_again_in_another_language(person: MakePerson, town: Town) -> None:
    """Nor is a passphrase lost that was typed; the recovery file is that of the key which is kept."""
    one = person()
    one.page.goto(town.link("F-3", "Bakery Crust"))
    one.page.get_by_text(one.say("parties.keys")).click()
    for card in town.study.community.cards:  # as the operator's page shows them
        shown = format_fingerprint(fingerprint_of(card.identity_key))
        expect(one.page.get_by_text(shown)).to_be_visible()
    field = one.page.get_by_label(one.say("key.passphrase"), exact=True)
    field.fill(PASSPHRASE)
    one.page.get_by_label("Language").select_option("nl")
    expect(one.page.get_by_role("heading", name="Welkom, Bakery Crust")).to_be_visible()
    expect(one.page.locator("#passphrase")).to_have_value(PASSPHRASE)
    one.page.locator('button[type="submit"].primary').click()
    expect(one.page.get_by_role("heading", name="Uw sleutel is gemaakt")).to_be_visible()
    file = one.downloaded(1).read_bytes()
    one.page.get_by_label("Taal").select_option("en")
    one.heading(one.say("key.saved_heading")).wait_for()
    one.press("key.save_again")
    assert one.downloaded(2).read_bytes() == file
    one.press("key.have_it")
    one.heading(one.say("request.heading")).wait_for()
    one.press("request.save")
    assert json.loads(one.downloaded(3).read_bytes())["signing_key"] == json.loads(file)["signing_key"]


def test_a_browser_that_keeps_nothing_is_told_before_anything_is_typed(chromium: Browser, town: Town) -> None:
    one = Person(chromium, town)
    one.page.add_init_script("indexedDB.open = () => { throw new DOMException('no', 'SecurityError'); }")
    one.page.add_init_script(
        "Storage.prototype.getItem = () => { throw new DOMException('no', 'SecurityError'); }"
    )
    one.page.goto(town.link("F-4", "Bakery Crumb"))
    expect(one.page.get_by_role("alert")).to_contain_text(one.say("reason.no_storage"))
    one.close()
    assert one.faults == []


@dataclass(frozen=True)
class TwoDevices:
    """Two devices of one member that draw the same randomness, and the first body that each of them sent."""

    first: Person
    second: Person
    bodies: tuple[bytes, bytes]


@pytest.fixture(scope="module")
def two_devices(chromium: Browser, joined: AtTheForm, town: Town) -> Iterator[TwoDevices]:
    """The second sends first and leaves two figures blank; neither knows of the other."""
    second = Person(chromium, town)
    second.page.goto(town.pages[1])
    recover(second, joined.recovery)
    rows = table_rows()
    blanks = {**rows[0], "gas": "", "energy_cost_change": ""}
    for one, row in ((second, blanks), (joined.person, rows[1])):
        one.page.reload()
        one.field("electricity").wait_for()
        one.type_figures(row)
        one.look_over()
        one.page.wait_for_timeout(600)  # the draft is written a moment after the last key
        draw_the_same(one)
        one.press("review.send")
        one.sent()
    joined.person.faults = [
        fault for fault in joined.person.faults if "409" not in fault
    ]  # Chromium's own line
    yield TwoDevices(joined.person, second, (joined.person.bodies[0], second.bodies[0]))
    assert second.faults == []
    second.close()


def draw_the_same(one: Person) -> None:
    """From here on the page's generator gives a fixed stream, up to the device's own record of what it sent.

    That record is kept under a nonce of 12 bytes; nothing that is sent draws so few.
    """
    one.page.evaluate(
        """async () => {
          const { scriptedRandomBytes } = await import("/core/randomness.js");
          const drawn = await scriptedRandomBytes(new TextEncoder().encode("two devices"));
          const stream = await drawn(1 << 16);
          const real = crypto.getRandomValues.bind(crypto);
          let at = 0;
          crypto.getRandomValues = (array) => {
            if (array.length === 12) crypto.getRandomValues = real;
            if (array.length === 12) return real(array);
            array.set(stream.subarray(at, at += array.length));
            return array;
          };
        }"""
    )


def test_two_sets_of_figures_differ_in_the_correction_its_digest_and_the_signature_alone(
    two_devices: TwoDevices,
) -> None:
    """Byte by byte, with fixed randomness, blanks included: what is sent tells nothing of what was typed."""
    one, other = (SubmittedBody(body) for body in two_devices.bodies)
    assert len(one.whole) == len(other.whole)
    assert one.correction != other.correction
    assert one.correction_digest != other.correction_digest
    assert one.signature != other.signature
    assert one.whole != other.whole
    assert one.without_what_may_differ() == other.without_what_may_differ()


def test_two_devices_of_one_member_go_on_with_one_sequence(two_devices: TwoDevices) -> None:
    """What was sent last stands, and is withdrawn with all before it."""
    one = two_devices.first
    assert len(one.bodies) == 2  # the first was refused: its sequence was the other device's
    one.press("after.withdraw")
    one.press("withdraw.yes")
    expect(one.page.get_by_text(one.say("after.withdrawn"))).to_be_visible()


def test_figures_typed_while_the_page_waits_for_another_language_stay(two_devices: TwoDevices) -> None:
    """After a withdrawal the form asks the gateway for its receipts, which may take its time."""
    one = two_devices.first
    with held_back(one.page, "**/v1/withdrawals/**") as until_asked:
        one.speak("nl")
        until_asked()
        one.field("electricity").fill("27604")
    one.button(one.say("form.check")).wait_for()
    expect(one.field("electricity")).to_have_value(re.compile(r"27\.?604"))


def test_a_last_look_asked_for_while_the_page_waits_for_another_language_is_shown_in_it(
    two_devices: TwoDevices,
) -> None:
    one = two_devices.first
    one.speak("nl")
    one.type_figures(table_rows()[0])
    check = one.button(one.say("form.check"))
    with held_back(one.page, "**/v1/withdrawals/**") as until_asked:
        one.speak("en")
        until_asked()
        check.click()
    agreed = one.page.get_by_label(one.say("review.checked"))
    agreed.wait_for()
    one.page.wait_for_timeout(300)  # what came late would have replaced it
    expect(agreed).to_be_visible()
    one.press("review.back")


def test_a_passphrase_typed_while_a_catalogue_is_fetched_stays(person: MakePerson, town: Town) -> None:
    one = person()
    one.page.goto(town.pages[0])
    one.page.get_by_text(one.say("recover.heading")).click()
    with held_back(one.page, "**/catalogues/nl.json") as until_asked:
        one.page.get_by_label("Language").select_option("nl")
        until_asked()
        one.page.get_by_label(one.say("recover.passphrase")).fill(PASSPHRASE)
    expect(one.page.locator('html[lang="nl"]')).to_be_attached()
    expect(one.page.get_by_label("Wachtzin")).to_have_value(PASSPHRASE)


@contextmanager
def held_back(page: Page, address: str) -> Iterator[Callable[[], None]]:
    """What the page asks of an address is answered afterwards; a function that waits until it has asked."""
    held: list[Route] = []

    def until_asked() -> None:
        while not held:
            page.wait_for_timeout(20)

    page.route(address, lambda route: held.append(route))  # noqa: PLW0108 (playwright marks what it calls)
    yield until_asked
    for route in held:
        route.continue_()
    page.unroute(address)


def test_a_page_is_fetched_whole_in_less_than_150_kilobytes(person: MakePerson, town: Town) -> None:
    one = person()
    one.page.goto(town.pages[0])
    one.heading(one.say("welcome.heading")).wait_for()
    fetched = one.page.evaluate(
        """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
          .map(({ name, encodedBodySize }) => [name, encodedBodySize])"""
    )
    assert any(name.endswith("/vendor/hpke.js") for name, _ in fetched)
    assert 50_000 < sum(size for _, size in fetched) < 150_000


def test_a_policy_report_an_error_and_a_foreign_request_are_faults(chromium: Browser, town: Town) -> None:
    """The watch that every other test relies on."""
    one = Person(chromium, town)
    one.page.goto(town.pages[0])
    one.heading(one.say("welcome.heading")).wait_for()
    assert one.faults == []
    faults = (
        (
            "document.head.append(Object.assign(document.createElement('style'), { textContent: 'p {}' }))",
            "policy: style-src",
        ),
        ("fetch('https://elsewhere.example/').catch(() => {})", "policy: connect-src"),
        (
            f"fetch('{town.pages[1]}/settings.json').catch(() => {{}})",
            f"request to {town.pages[1]}/settings.json",
        ),
        ("console.error('wrong')", "error: wrong"),
        ("setTimeout(() => { throw new Error('thrown') })", "error: thrown"),
    )
    for code, fault in faults:
        one.faults.clear()
        one.page.evaluate(f"() => {{ {code} }}")
        one.page.wait_for_timeout(50)
        assert any(fault in found for found in one.faults), (code, one.faults)
    one.close()


def test_a_saved_page_works_without_a_server_of_pages(
    person: MakePerson, joined: AtTheForm, town: Town, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    file.write_bytes(saved_page(gateway=town.gateway, fingerprint=town.fingerprint))
    one = person()
    one.page.goto(file.as_uri())
    one.page.get_by_label(one.say("welcome.paste")).fill("https://pages.example/")
    one.press("welcome.open")
    expect(one.page.get_by_role("alert")).to_contain_text(one.say("reason.no_personal_link"))
    recover(one, joined.recovery)
    one.type_figures(table_rows()[0])
    one.press("form.check")
    expect(one.page.get_by_label(one.say("review.checked"))).to_be_visible()
    one.page.goto("about:blank")
    one.page.goto(file.as_uri())
    one.field("electricity").wait_for()  # the key stays with the file


def test_a_hostile_link_is_shown_as_text(person: MakePerson, town: Town) -> None:
    one = person()
    name = "<img src=x onerror=alert(1)>"
    one.page.goto(town.link("../../F-9?<b>", name))
    expect(one.heading(f"Welcome, {name}")).to_be_visible()
    assert one.page.locator("main img").count() == 0


def test_a_lost_key_is_revoked_and_its_owner_joins_again(
    person: MakePerson, joined: AtTheForm, town: Town, tmp_path: Path
) -> None:
    """Last in this module, since the key of the others is gone afterwards."""
    town.revoke("F-1")
    again = person()
    again.join("F-1", "Bakery Rise", region="North", folder=tmp_path)
    old = joined.person
    old.speak("nl")
    old.type_figures(table_rows()[0])
    old.press("form.check")
    old.page.get_by_label(old.say("review.checked")).check()
    old.press("review.send")
    expect(old.page.get_by_text(old.say("problem.membership-not-valid"))).to_be_visible()
    expect(old.page.get_by_role("alert")).to_contain_text(old.say("reason.membership_revoked"))
    old.expect_no_other_language()
    old.page.get_by_text(old.say("new_key.heading")).click()
    old.look_for_barriers("revoked")
    old.press("new_key.yes")
    expect(old.page.get_by_label(old.say("key.passphrase"), exact=True)).to_be_visible()


def recover(one: Person, file: Path) -> None:
    """With the recovery file, up to the form."""
    one.page.get_by_text(one.say("recover.heading")).click()
    one.page.get_by_label(one.say("recover.file")).set_input_files(file)
    one.page.get_by_label(one.say("recover.passphrase")).fill(PASSPHRASE)
    one.press("recover.open")
    one.field("electricity").wait_for()
