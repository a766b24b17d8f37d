"""People in front of a browser: each has a profile of its own, and whatever is wrong on the page is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.town import Town

PASSPHRASE = "flour water salt yeast"
PATIENCE_MS = 60_000
"""A page answers at once; a machine that does much else may be slow."""

expect.set_options(timeout=PATIENCE_MS)


class Person:
    """One profile of the browser with one page; `faults` holds console errors, policy reports, foreign requests."""

    def __init__(self, browser: Browser, town: Town, *, locale: str = "en-GB", width: int = 1280) -> None:
        self.town = town
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
        self.page: Page = self.context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("request", self._request)
        self.page.add_init_script(
            "document.addEventListener('securitypolicyviolation',"
            " (event) => console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI))"
        )

    def _console(self, message: Any) -> None:
        # Chromium itself writes an error for every answer of 4xx; that no membership is there yet is no fault
        awaited = "404" in message.text and message.location.get("url", "").endswith("/v1/memberships/own")
        if message.type in ("error", "warning") and not awaited:
            self.faults.append(f"{message.type}: {message.text}")

    def _request(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme == "blob":
            return
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in {self.town.gateway, *self.town.pages}:
            self.faults.append(f"request to {request.url}")
        if request.method == "POST" and request.url.endswith("/v1/submissions"):
            self.bodies.append(request.post_data_buffer or b"")

    def look_for_barriers(self, view: str) -> None:
        """What axe-core finds on the page as it stands counts as a fault."""
        for violation in Axe().run(self.page).response["violations"]:
            nodes = "; ".join(node["html"][:120] for node in violation["nodes"][:3])
            self.faults.append(f"{view}: {violation['id']}: {nodes}")

    def close(self) -> None:
        self.context.close()

    def heading(self, text: str) -> Locator:
        return self.page.get_by_role("heading", name=text)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def figure(self, name: str) -> Locator:
        """The row of one figure."""
        return self.page.locator(f'.figure[data-name="{name}"]')

    def field(self, name: str) -> Locator:
        return self.page.locator(f"#figure-{name}")

    def join(self, register_id: str, name: str, *, region: str, folder: Path, party: int = 0) -> Path:
        """From the personal link to the form of the study; the recovery file."""
        self.page.goto(self.town.link(register_id, name, party=party))
        self.heading(f"Welcome, {name}").wait_for()
        self.look_for_barriers("key")
        self.page.get_by_label("Choose a passphrase").fill(PASSPHRASE)
        with self.page.expect_download() as recovery:
            self.button("Make my key and save the recovery file").click()
        file = folder / f"recovery-{register_id}.json"
        recovery.value.save_as(file)
        self.button("I have kept the file").click()
        self.heading("Let the registrar certify your key").wait_for()
        self.look_for_barriers("request")
        with self.page.expect_download() as request:
            self.button("Save the request").click()
        card = folder / f"request-{register_id}.json"
        request.value.save_as(card)
        self.town.certify(card.read_bytes(), region=region)
        self.button("Look now").click()
        self.field("electricity").wait_for()
        return file

    def type_figures(self, row: dict[str, str]) -> None:
        for name in ("electricity", "gas", "flour", "energy_cost_change"):
            self.field(name).fill(row[name])

    def send(self) -> None:
        """From the form to three receipts."""
        self.button("Check and send").click()
        self.page.get_by_label("I have checked these figures").check()
        self.look_for_barriers("last look")
        self.button("Send sealed").click()
        self.page.get_by_text("3 of 3 parties hold your figures").wait_for()
        self.look_for_barriers("receipts")
