"""Pictures of every page at 1280 and 360 pixels, in both languages, for people to look at; nothing is compared.

python -m tests.browser.screenshots DIRECTORY
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.browser.people import Person
from tests.browser.town import BY_CLIENT, Town, table_rows

WIDTHS = (1280, 360)
LANGUAGES = ("en", "nl")


class Photographer:
    """Takes the page of one person as it stands, in every language."""

    def __init__(self, directory: Path, width: int) -> None:
        self._directory = directory
        self._width = width

    def take(self, person: Person, name: str) -> None:
        for language in reversed(LANGUAGES):  # English last, so that the story goes on in it
            person.page.locator("header select").last.select_option(language)
            person.page.wait_for_timeout(500)
            path = self._directory / f"{name}-{self._width}-{language}.png"
            person.page.screenshot(path=path, full_page=True)


def photograph(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    rows = table_rows()
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder = Path(place)
        path = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        with Town(folder) as town:
            people = []
            for number, width in enumerate(WIDTHS):
                photographer = Photographer(directory, width)
                person = Person(browser, town, width=width)
                person.page.goto(town.pages[0])
                person.page.wait_for_selector("h1")
                photographer.take(person, "1-welcome")
                person.page.goto("about:blank")
                row = rows[BY_CLIENT + number]
                person.page.goto(town.link(row["bakery"], "Bakery Rise"))
                person.page.wait_for_selector("h1")
                photographer.take(person, "2-key")
                person.page.goto("about:blank")
                person.join(row["bakery"], "Bakery Rise", region=row["region"].title(), folder=folder)
                photographer.take(person, "3-form")
                for name, text in (("electricity", "120000"), ("gas", "12.5"), ("flour", "42.99")):
                    person.field(name).fill(text)
                person.field("energy_cost_change").click()
                person.page.wait_for_timeout(300)
                photographer.take(person, "4-form-filled")
                person.type_figures(row)
                for language in reversed(LANGUAGES):  # what was typed follows the language
                    person.page.locator("header select").last.select_option(language)
                    person.page.wait_for_timeout(500)
                    person.page.locator(".actions .primary").click()
                    person.page.wait_for_selector("table")
                    person.page.screenshot(
                        path=directory / f"5-review-{width}-{language}.png", full_page=True
                    )
                    person.page.locator(".actions button:not(.primary)").click()
                person.send()
                photographer.take(person, "6-receipts")
                people.append((photographer, person))
            town.close()
            for photographer, person in people:
                person.page.reload()
                person.page.wait_for_selector(".notice.good")
                photographer.take(person, "7-counted")
            town.ask()
            for photographer, person in people:
                person.page.reload()
                person.heading("What came back").wait_for()
                person.press("own_place.ask")
                person.page.locator(".own-places").first.wait_for()
                photographer.take(person, "8-results")
                for summary in person.page.locator("summary").all():
                    summary.click()
                photographer.take(person, "9-results-open")
                person.page.goto(town.gateway)
                person.page.wait_for_selector(".result-card")
                photographer.take(person, "10-public")


if __name__ == "__main__":
    photograph(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots"))
