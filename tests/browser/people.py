"""People in front of a browser: each has a profile of its own, and whatever is wrong on the page is kept."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Download, Locator, Page, expect
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from mpc_cde.web.assets import PAGES

if TYPE_CHECKING:
    from tests.browser.town import Town

PASSPHRASE = "flour water salt yeast"
PATIENCE_MS = 60_000
"""A page answers at once; a machine that does much else may be slow."""
FIGURES = ("electricity", "gas", "flour", "energy_cost_change")
MOST_TABS = 80
KEY_PRESSES = 5
CHOOSER_MS = 12_000

expect.set_options(timeout=PATIENCE_MS)

_seen_without_barriers: set[tuple[str, str, int]] = set()


class Person:
    """One profile of the browser with one page; `faults` holds console errors, policy reports, foreign requests."""

    def __init__(self, browser: Browser, town: Town, *, locale: str = "en-GB", width: int = 1280) -> None:
        self.town = town
        self.language = locale[:2]
        self.width = width
        self._words = _words_in(self.language)
        self.context = browser.new_context(
            locale=locale,
            viewport={"width": width, "height": 900},
            accept_downloads=True,
            service_workers="block",
            reduced_motion="reduce",
        )
        self.context.set_default_timeout(PATIENCE_MS)
        self.faults: list[str] = []
        self.bodies: list[bytes] = []
        self.downloads: list[Download] = []
        self.page: Page = self.context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("request", self._request)
        self.page.on("download", self._download)
        self.page.add_init_script(
            "document.addEventListener('securitypolicyviolation',"
            " (event) => console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI))"
        )

    def _console(self, message: Any) -> None:
        # Chromium itself writes an error for every answer of 4xx; that no membership is there yet is no fault
        awaited = "404" in message.text and message.location.get("url", "").endswith("/v1/memberships/own")
        if message.type in ("error", "warning") and not awaited:
            self.faults.append(f"{message.type}: {message.text}")

    def _download(self, download: Download) -> None:
        self.downloads.append(download)

    def _request(self, request: Any) -> None:
        if urlsplit(request.url).scheme in ("blob", "data", "file"):
            return
        visits = {*self.town.pages} if request.is_navigation_request() else {_origin(request.frame.url)}
        if _origin(request.url) not in {self.town.gateway, *visits}:
            self.faults.append(f"request to {request.url}")
        if request.method == "POST" and request.url.endswith("/v1/submissions"):
            self.bodies.append(request.post_data_buffer or b"")

    def speak(self, language: str) -> None:
        """Another language from here on."""
        self.page.locator(".top select").last.select_option(language)
        expect(self.page.locator(f'html[lang="{language}"]')).to_be_attached()
        self.language, self._words = language, _words_in(language)

    def look_for_barriers(self, view: str) -> None:
        """What axe-core finds on the page as it stands, and what is wider than the screen, counts as a fault.

        Each view once for each language and width.
        """
        key = (view, self.language, self.width)
        if key in _seen_without_barriers:
            return
        _seen_without_barriers.add(key)
        for violation in Axe().run(self.page).response["violations"]:
            nodes = "; ".join(node["html"][:120] for node in violation["nodes"][:3])
            self.faults.append(f"{view}: {violation['id']}: {nodes}")
        if self.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            self.faults.append(f"{view}: wider than {self.width} pixels")

    def expect_no_other_language(self) -> None:
        """Whatever is not in the page's language says so, and nothing does but what only who helps unfolds."""
        expect(self.page.locator("main [lang]:not(.technical [lang])")).to_have_count(0)

    def unfold(self) -> None:
        """Everything that is folded on the page."""
        folded = self.page.locator("main details:not([open]) > summary:visible")
        while folded.count():
            folded.first.click()

    def close(self) -> None:
        self.context.close()

    def say(self, key: str, **values: object) -> str:
        """A text of the catalogue in this person's language."""
        text = self._words[key]
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text

    def number(self, plain: str) -> str:
        """A plain number without thousands, with this person's decimal sign."""
        return plain.replace(".", ",") if self.language == "nl" else plain

    def heading(self, text: str) -> Locator:
        return self.page.get_by_role("heading", name=text)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def press(self, key: str, **values: object) -> None:
        """The button with a text of the catalogue."""
        self.button(self.say(key, **values)).click()

    def figure(self, name: str) -> Locator:
        """The row of one figure."""
        return self.page.locator(f'.figure[data-name="{name}"]')

    def field(self, name: str) -> Locator:
        return self.page.locator(f"#figure-{name}")

    def downloaded(self, count: int) -> Path:
        """The last of so many files, once it is here."""
        end = time.monotonic() + PATIENCE_MS / 1000
        while len(self.downloads) < count and time.monotonic() < end:
            self.page.wait_for_timeout(20)
        assert len(self.downloads) == count
        return Path(self.downloads[-1].path())

    def join(
        self, register_id: str, name: str, *, region: str, folder: Path, party: int = 0, key: bool = False
    ) -> Path:
        """From the personal link to the form of the study; the recovery file."""
        (file,) = join_together([Newcomer(self, register_id, name, region, party)], folder)
        return file

    def type_figures(self, row: dict[str, str]) -> None:
        for name in FIGURES:
            self.field(name).fill(self.number(row[name]))

    def paste(self, name: str, text: str) -> None:
        """Text from a spreadsheet into one field."""
        self.field(name).focus()
        self.page.evaluate(
            """(text) => {
              const data = new DataTransfer();
              data.setData("text/plain", text);
              const options = { clipboardData: data, bubbles: true, cancelable: true };
              document.activeElement.dispatchEvent(new ClipboardEvent("paste", options));
            }""",
            text,
        )

    def look_over(self) -> None:
        """From the form to the button that sends."""
        self.press("form.check")
        self.page.get_by_label(self.say("review.checked")).check()
        self.look_for_barriers("last look")

    def send(self) -> None:
        """From the form to three receipts."""
        self.look_over()
        self.press("review.send")
        self.sent()

    def sent(self) -> None:
        self.page.get_by_text(self.say("receipts.held", held=3, parties=3)).wait_for()
        self.look_for_barriers("receipts")


def _words_in(language: str) -> dict[str, str]:
    """Every word of the pages, those of rooms too."""
    words: dict[str, str] = {}
    for place in ("catalogues", "catalogues/rooms"):
        words |= json.loads((PAGES / place / f"{language}.json").read_text("utf-8"))
    return words


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def with_a_false_signature(route: Any) -> None:
    """A result on its way, as a gateway would alter it that wants other numbers to be believed."""
    answer = route.fetch()
    document = answer.json()
    signature = document["result"]["signatures"][0]
    signature["sig"] = ("B" if signature["sig"][0] == "A" else "A") + signature["sig"][1:]
    route.fulfill(response=answer, json=document)


@dataclass
class Newcomer:
    """Somebody with a personal link; `by_keyboard` never touches the mouse."""

    person: Person
    register_id: str
    name: str
    region: str
    party: int = 0
    by_keyboard: bool = False

    def press(self, key: str) -> None:
        if self.by_keyboard:
            Keyboard(self.person).press(self.person.button(self.person.say(key)))
        else:
            self.person.press(key)


class Keyboard:
    """All that somebody does who has no mouse: what is used is reached by the tabulator key, and seen to be."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._keys = person.page.keyboard

    def reach(self, target: Locator) -> None:
        """The tabulator key, until the focus is there, and can be seen there."""
        target.wait_for()
        for _ in range(MOST_TABS):
            if target.evaluate("(element) => element === document.activeElement"):
                assert target.evaluate("(element) => getComputedStyle(element).outlineStyle !== 'none'")
                return
            self._keys.press("Tab")
        raise AssertionError(f"the keyboard does not reach {target}")

    def press(self, target: Locator) -> None:
        """A button, a link, or what folds something out."""
        self.reach(target)
        self._keys.press("Enter")

    def tick(self, box: Locator) -> None:
        self.reach(box)
        self._keys.press("Space")
        expect(box).to_be_checked()

    def type(self, field: Locator, text: str) -> None:
        """Over what stands there."""
        self.reach(field)
        self._keys.press("ControlOrMeta+A")
        self._keys.insert_text(text) if "\n" in text else self._keys.type(text)

    def choose(self, field: Locator, option: str) -> None:
        """One of a list, by the beginning of its text."""
        self.reach(field)
        self._keys.type(option)
        expect(field.locator("option:checked")).to_have_text(re.compile(rf"^{re.escape(option)}"))

    def hand_over(self, field: Locator, files: Sequence[Path]) -> None:
        """Files, in the window of the system that the field opens."""
        for _ in range(KEY_PRESSES):
            self.reach(field)
            try:
                with self._person.page.expect_file_chooser(timeout=CHOOSER_MS) as chooser:
                    self._keys.press("Enter")
            except PlaywrightTimeout:  # a busy machine may lose the window: whoever waits presses again
                continue
            chooser.value.set_files(list(files))
            return
        raise AssertionError(f"{field} opens no window for files")

    def save(self, target: Locator) -> bytes:
        """What pressing this hands over as a file."""
        with self._person.page.expect_download() as download:
            self.press(target)
        return Path(download.value.path()).read_bytes()


class Registry(Protocol):
    """Who invites members and certifies what they send back."""

    def invite(self, newcomers: Sequence[Newcomer]) -> list[str]: ...

    def certify(self, requests: Sequence[tuple[bytes, str]]) -> None: ...


class TownHall:
    """Registrars at their command lines."""

    def __init__(self, town: Town) -> None:
        self._town = town

    def invite(self, newcomers: Sequence[Newcomer]) -> list[str]:
        return [self._town.link(one.register_id, one.name, party=one.party) for one in newcomers]

    def certify(self, requests: Sequence[tuple[bytes, str]]) -> None:
        self._town.certify(*requests)


def join_together(
    newcomers: Iterable[Newcomer], folder: Path, *, registry: Registry | None = None
) -> list[Path]:
    """From personal links to the form of the study, all at the same time; their recovery files."""
    everybody = list(newcomers)
    registry = registry or TownHall(everybody[0].person.town)
    files, requests = [], []
    for one, link in zip(everybody, registry.invite(everybody), strict=True):
        one.person.page.goto(link)
    for one in everybody:
        person = one.person
        person.heading(person.say("key.welcome", name=one.name)).wait_for()
        person.look_for_barriers("key")
        field = person.page.get_by_label(person.say("key.passphrase"), exact=True)
        if one.by_keyboard:
            Keyboard(person).type(field, PASSPHRASE)
            person.page.keyboard.press("Enter")
        else:
            field.fill(PASSPHRASE)
            one.press("key.make")
    for one in everybody:
        one.person.button(one.person.say("key.have_it")).wait_for()
        files.append(folder / f"recovery-{one.register_id}.json")
        files[-1].write_bytes(one.person.downloaded(1).read_bytes())
        one.press("key.have_it")
    for one in everybody:
        one.person.heading(one.person.say("request.heading")).wait_for()
        one.person.look_for_barriers("request")
        one.press("request.save")
        requests.append((one.person.downloaded(2).read_bytes(), one.region))
    registry.certify(requests)
    for one in everybody:
        look = one.person.button(one.person.say("request.look"))
        if not one.by_keyboard and look.is_visible():
            with suppress(PlaywrightError):  # the page may go on by itself in between
                look.click(timeout=2000)
    for one in everybody:
        one.person.field("electricity").wait_for()
        one.person.look_for_barriers("form")
    return files
