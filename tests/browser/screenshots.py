"""Pictures of every page at 1280 and 360 pixels, in both languages, for people to look at; nothing is compared.

python -m tests.browser.screenshots DIRECTORY [member] [rooms] [results]

One town of real processes; in each language one member, one researcher and one visitor of each room go their way, and
stop for a picture at each view. A file is named after the page, the view, the width and the language.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.browser.people import PASSPHRASE, Person
from tests.browser.registrars import NOT_COMING, register_table
from tests.browser.rooms import served, visitor
from tests.browser.test_researcher_page import Researcher
from tests.browser.town import BY_CLIENT, Town, table_rows
from tests.mpc_cde.web.test_registrar_room import request

PAGES = ("member", "rooms", "results")
WIDTHS = (1280, 360)
LOCALES = ("en-GB", "nl-NL")
HEIGHTS = {1280: 900, 360: 740}


class Photographer:
    """Takes one person's page as it stands, at every width."""

    def __init__(self, directory: Path, person: Person, page: str) -> None:
        self._directory = directory
        self._person = person
        self._page = page
        self._count = 0

    def take(self, view: str) -> None:
        self._count += 1
        one = self._person
        for width in WIDTHS:
            one.page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
            one.page.wait_for_timeout(80)
            name = f"{self._page}-{self._count:02}-{view}-{width}-{one.language}.png"
            one.page.screenshot(path=self._directory / name, full_page=True)
        one.page.set_viewport_size({"width": WIDTHS[0], "height": HEIGHTS[WIDTHS[0]]})


class Member:
    """From the welcome to the results."""

    def __init__(self, browser: Browser, town: Town, directory: Path, locale: str, number: int) -> None:
        self.person = Person(browser, town, locale=locale)
        self.row = table_rows()[BY_CLIENT + number]
        self._town = town
        self._camera = Photographer(directory, self.person, "member")

    def join_and_submit(self) -> None:
        one, row, camera = self.person, self.row, self._camera
        one.page.goto(self._town.pages[0])
        one.heading(one.say("welcome.heading")).wait_for()
        camera.take("welcome")
        one.page.goto("about:blank")
        one.page.goto(self._town.link(row["bakery"], "Bakery Rise"))
        one.page.get_by_label(one.say("key.passphrase"), exact=True).fill(PASSPHRASE)
        camera.take("key")
        one.press("key.make")
        one.button(one.say("key.have_it")).wait_for()
        camera.take("key-made")
        one.press("key.have_it")
        one.heading(one.say("request.heading")).wait_for()
        camera.take("request")
        one.press("request.save")
        self._town.certify((one.downloaded(2).read_bytes(), row["region"].title()))
        one.field("electricity").wait_for()
        camera.take("form")
        for name, text in (("electricity", "120000"), ("gas", "12.5"), ("flour", "42.99")):
            one.field(name).fill(one.number(text))
        one.press("form.check")
        camera.take("form-with-questions")
        one.type_figures(row)
        one.press("form.check")
        one.page.get_by_label(one.say("review.checked")).wait_for()
        camera.take("last-look")
        one.page.get_by_label(one.say("review.checked")).check()
        one.press("review.send")
        one.sent()
        camera.take("receipts")
        one.press("after.withdraw")
        one.heading(one.say("withdraw.heading")).wait_for()
        camera.take("withdraw")
        one.press("withdraw.no")

    def after_closing(self) -> None:
        self.person.page.reload()
        self.person.page.locator(".notice.good").wait_for()
        self._camera.take("counted")

    def read_results(self) -> None:
        one = self.person
        one.page.reload()
        one.heading(one.say("result.heading")).first.wait_for()
        one.press("own_place.ask")
        one.page.locator(".own-places").first.wait_for()
        self._camera.take("results")
        one.unfold()
        self._camera.take("results-unfolded")
        one.close()


def visit_the_public_results(browser: Browser, town: Town, directory: Path, locale: str) -> None:
    one = Person(browser, town, locale=locale)
    one.page.goto(f"{town.gateway}/#community={town.fingerprint}")
    one.page.locator(".result-card").first.wait_for()
    Photographer(directory, one, "public").take("results")
    one.close()


def ask_as_a_researcher(browser: Browser, town: Town, directory: Path, locale: str) -> None:
    one = Researcher(browser, town, locale=locale)
    camera = Photographer(directory, one, "researcher")
    one.page.goto(f"{town.pages[1]}/researcher.html#community={town.fingerprint}")
    one.heading(one.say("researcher.heading")).wait_for()
    camera.take("key")
    request = one.make_key(one.page.url, name="A. Researcher, University")
    camera.take("request")
    town.enrol(request)
    one.press("request.look")
    one.heading(one.say("studies.heading")).wait_for()
    camera.take("studies")
    one.page.get_by_role("button", name="Energy use of bakeries").click()
    one.button(one.say("researcher.ask")).wait_for()
    camera.take("questions")
    boxes = one.page.locator("fieldset input")
    for number in (0, 4, 6):
        boxes.nth(number).check()
    one.press("researcher.ask")
    one.page.locator(".parties").wait_for()
    camera.take("progress")
    one.heading(one.say("result.heading")).first.wait_for()
    camera.take("answer")
    one.close()


def look_into_the_operators_room(browser: Browser, link: str, directory: Path, locale: str) -> None:
    with visitor(browser, link, locale=locale) as one:
        camera = Photographer(directory, one, "operator")
        camera.take("waiting")
        one.page.get_by_role("link", name=one.say("operator.read")).first.click()
        one.heading(one.say("sheet.heading.figures")).wait_for()
        camera.take("sheet")
        for way in ("machine", "log"):
            one.page.get_by_role("link", name=one.say(f"operator.way.{way}"), exact=True).click()
            one.heading(one.say(f"{way}.heading")).wait_for()
            camera.take(way)
        one.page.get_by_role("link", name=one.say("operator.way.machine"), exact=True).click()
        one.press("machine.check")
        one.page.locator(".good").first.wait_for()
        camera.take("machine-checked")


def look_into_the_stewards_room(browser: Browser, link: str, directory: Path, locale: str) -> None:
    with visitor(browser, link, locale=locale) as one:
        camera = Photographer(directory, one, "steward")
        camera.take("studies")
        card = one.page.locator(".card", has=one.heading("Energy use of bakeries"))
        card.get_by_text(one.say("steward.reminder.heading")).first.click()
        card.get_by_text(one.say("steward.close_heading")).click()
        card.get_by_role("button", name=one.say("steward.close")).click()
        camera.take("closing")
        one.page.get_by_role("link", name=one.say("steward.way.new")).first.click()
        one.page.locator("#trade").select_option("retail_hospitality")
        one.page.get_by_label(one.say("steward.pilot")).check()
        camera.take("new-study")
        one.press("steward.preview")
        one.heading(one.say("steward.as_member")).wait_for()
        camera.take("preview")


def look_into_the_registrars_room(
    browser: Browser, links: list[str], directory: Path, locale: str, requests: list[Path]
) -> None:
    with visitor(browser, links[0], locale=locale) as one:
        camera = Photographer(directory, one, "registrar")
        rows = [(row["bakery"], f"Bakery {row['bakery']}") for row in table_rows()[BY_CLIENT - 3 :][:6]]
        one.page.locator("#register").fill(register_table([*rows, NOT_COMING]))
        camera.take("invite")
        one.press("registrar.make_links")
        one.button(one.say("registrar.save_links")).wait_for()
        camera.take("links")
        one.page.get_by_role("link", name=one.say("registrar.way.certify"), exact=True).click()
        one.page.locator("#requests").set_input_files(requests)
        one.button(one.say("registrar.sign")).wait_for()
        camera.take("certify")
        one.page.get_by_role("link", name=one.say("registrar.way.submitted"), exact=True).click()
        one.press("registrar.look")
        one.page.get_by_role("columnheader", name=one.say("registrar.standing")).wait_for()
        camera.take("who-has-submitted")
    with visitor(browser, links[1], locale=locale) as second:
        second.page.get_by_role("link", name=second.say("registrar.way.countersign"), exact=True).click()
        second.heading(second.say("registrar.countersign_heading")).wait_for()
        Photographer(directory, second, "registrar-two").take("countersign")


@contextmanager
def rooms(town: Town, folder: Path) -> Iterator[dict[str, str]]:
    """The links of every room, each served by its own command."""
    cast = town.cast
    where = ("--fingerprint", town.fingerprint, "--gateway", town.gateway)
    commands = {
        "operator": ("parties", "serve", "--home", str(cast.parties[0].home)),
        **{
            name: ("mpc_cde.cli", command, "serve", "--home", str(office.home.root), *where)
            for name, command, office in (
                ("steward", "steward", cast.steward),
                ("registrar", "registrar", cast.registrar),
                ("second", "registrar", cast.second_registrar),
            )
        },
    }
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(served(*command, log=folder / f"{name}.txt"))
            for name, command in commands.items()
        }


def photograph(directory: Path, pages: Collection[str] = PAGES) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder = Path(place)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(ARGUMENTS))
        with Town(folder / "town") as town:
            members = []
            if "member" in pages:
                members = [
                    Member(browser, town, directory, locale, number) for number, locale in enumerate(LOCALES)
                ]
            for member in members:
                member.join_and_submit()
            if "rooms" in pages:
                photograph_the_rooms(browser, town, directory, folder)
            if {"member", "results"} & set(pages):
                town.close()
                for member in members:
                    member.after_closing()
                town.ask()
                for member in members:
                    member.read_results()
            if "results" in pages:
                for locale in LOCALES:
                    visit_the_public_results(browser, town, directory, locale)
                    ask_as_a_researcher(browser, town, directory, locale)
        browser.close()


def photograph_the_rooms(browser: Browser, town: Town, directory: Path, folder: Path) -> None:
    town.propose("Heat of bakeries", "step = 1\npublish_step = 500", "step = 1\npublish_step = 1_000")
    requests = [folder / f"request-{number}.json" for number in range(2)]
    for number, file in enumerate(requests):
        file.write_text(request(f"B9{number}"))
    town.certify((request(NOT_COMING[0]).encode(), "North"))
    with rooms(town, folder) as links:
        for locale in LOCALES:
            look_into_the_operators_room(browser, links["operator"], directory, locale)
            look_into_the_stewards_room(browser, links["steward"], directory, locale)
            both = [links["registrar"], links["second"]]
            look_into_the_registrars_room(browser, both, directory, locale, requests)


if __name__ == "__main__":
    photograph(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots"), sys.argv[2:] or PAGES)
