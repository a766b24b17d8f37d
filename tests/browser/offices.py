"""A steward and an operator of each party at the pages of their rooms: a study proposed, approved, closed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Locator, expect

from mpc_cde.demo.cast import Cast
from tests.browser.people import PATIENCE_MS, Person
from tests.browser.rooms import served, visitor

TELEPHONE = {"locale": "nl-NL", "width": 360}
LOOK_AGAIN_MS = 100


@dataclass(frozen=True)
class OfficesAtTheirPages:
    """`links` open the rooms for whoever else wants to look: "steward", and operators by their number."""

    steward: Person
    operators: Sequence[Person]
    links: Mapping[str | int, str]

    def propose(self, template: Path) -> None:
        """The steward takes its own template, looks at it as members will, and proposes it."""
        one = self.steward
        self._go(one, self.links["steward"])
        one.page.get_by_role("link", name=one.say("steward.way.new")).first.click()
        one.page.locator("#template-file").set_input_files(template)
        one.press("steward.preview")
        one.page.get_by_label(one.say("operator.have_read")).check()
        one.press("steward.propose")
        one.heading(one.say("steward.studies.heading")).wait_for()
        expect(one.page.get_by_role("status")).to_be_visible()
        self._rest(one)

    def approve(self, title: str) -> None:
        """Each operator reads the sheet of the study that waits, and approves it."""
        for one in self.operators:
            card = self._waiting(one, f"{one.say('operator.kind.study')}: {title}")
            card.get_by_role("link", name=one.say("operator.read")).click()
            one.page.get_by_role("heading", level=1, name=title).wait_for()
            one.page.get_by_label(one.say("operator.have_read")).check()
            one.press("decide.approve")
            self._signed(one)

    def close(self, title: str) -> None:
        """The steward thinks it over and proposes to close it now; each operator signs."""
        one = self.steward
        self._go(one, self.links["steward"])
        fold = one.page.get_by_text(one.say("steward.close_heading"))
        card = one.page.locator(".card", has=one.heading(title)).filter(has=fold)
        card.get_by_text(one.say("steward.close_heading")).click()
        card.get_by_role("button", name=one.say("steward.close"), exact=True).click()
        card.get_by_role("button", name=one.say("steward.close_sure")).click()
        expect(one.page.get_by_text(one.say("steward.closing_proposed", title=title))).to_be_visible()
        self._rest(one)
        for operator in self.operators:
            waiting = self._waiting(operator, f"{operator.say('operator.kind.closing')}: {title}")
            operator.look_for_barriers("closing waits")
            waiting.get_by_label(operator.say("operator.have_read")).check()
            waiting.get_by_role("button", name=operator.say("operator.sign")).click()
            self._signed(operator)

    def _waiting(self, one: Person, heading: str) -> Locator:
        """The card of what waits, as soon as the node has read it from the gateway."""
        card = one.page.locator(".card", has=one.page.get_by_role("heading", name=heading, exact=True))
        for _ in range(PATIENCE_MS // LOOK_AGAIN_MS):
            self._go(one, self.links[self.operators.index(one)])
            one.heading(one.say("operator.waiting.heading")).wait_for()
            if card.count():
                return card
            one.page.wait_for_timeout(LOOK_AGAIN_MS)
        raise AssertionError(f"{heading} does not come")

    def _signed(self, one: Person) -> None:
        delivered = one.say("operator.signed", delivery=one.say("reason.delivered"))
        expect(one.page.get_by_text(delivered)).to_be_visible()
        one.expect_no_other_language()
        self._rest(one)

    @staticmethod
    def _go(one: Person, link: str) -> None:
        one.page.goto("about:blank")
        one.page.goto(link)
        one.page.wait_for_selector("h1")

    @staticmethod
    def _rest(one: Person) -> None:
        """Nobody is in front of the page for a while, so that it asks for nothing."""
        one.page.goto("about:blank")


@contextmanager
def offices_at_their_pages(browser: Browser, cast: Cast, folder: Path) -> Iterator[OfficesAtTheirPages]:
    """Each in front of a real process; the last operator on a telephone in Dutch."""
    folder.mkdir()
    steward = ("--home", str(cast.steward.home.root), "--fingerprint", cast.fingerprint)
    commands: dict[str | int, tuple[str, ...]] = {
        "steward": ("mpc_cde.cli", "steward", "serve", *steward, "--gateway", cast.gateway_url)
    }
    for number, party in enumerate(cast.parties):
        commands[number] = ("parties", "serve", "--home", str(party.home))
    with ExitStack() as stack:
        links = {
            name: stack.enter_context(served(*command, log=folder / f"{name}.txt"))
            for name, command in commands.items()
        }
        people = [
            stack.enter_context(
                visitor(browser, link, **(TELEPHONE if name == len(cast.parties) - 1 else {}))
            )  # type: ignore[arg-type]
            for name, link in links.items()
        ]
        for one in people:
            one.page.goto("about:blank")
        yield OfficesAtTheirPages(people[0], people[1:], links)
