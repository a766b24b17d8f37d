"""Two registrars at the pages that their own commands serve, with no mouse between them: invite, certify, remind."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.people import Keyboard, Newcomer, Person
from tests.browser.rooms import served, visitor
from tests.browser.town import Town

NOT_COMING = ("B999", "Bakery that never answers")


class RegistrarsAtTheirPages:
    """The first invites and certifies, the second countersigns what the first hands over as a file."""

    def __init__(self, first: Person, second: Person, town: Town, folder: Path) -> None:
        self._first = first
        self._second = second
        self._town = town
        self._folder = folder

    def invite(self, newcomers: Sequence[Newcomer]) -> list[str]:
        """Their personal links, as the table for the mails has them."""
        one, keyboard = self._first, Keyboard(self._first)
        links: dict[str, str] = {}
        for party, pages in enumerate(self._town.pages):
            invited = [(new.register_id, new.name) for new in newcomers if new.party == party]
            keyboard.type(
                one.page.get_by_label(one.say("registrar.register"), exact=True), register_table(invited)
            )
            keyboard.type(one.page.get_by_label(one.say("registrar.pages")), pages)
            keyboard.type(one.page.get_by_label(one.say("registrar.reply")), "register@example.org")
            keyboard.press(one.button(one.say("registrar.make_links")))
            one.heading(one.say("registrar.links.other", count=len(invited))).wait_for()
            one.look_for_barriers("links")
            saved = keyboard.save(one.button(one.say("registrar.save_links"))).decode("utf-8-sig")
            links |= {row["register_id"]: row["link"] for row in csv.DictReader(io.StringIO(saved))}
        return [links[new.register_id] for new in newcomers]

    def certify(self, requests: Sequence[tuple[bytes, str]]) -> None:
        """Each request with its region; the second registrar countersigns."""
        one, keyboard = self._first, Keyboard(self._first)
        self._go(one, "certify")
        files = [self._folder / f"to-certify-{number}.json" for number in range(len(requests))]
        for file, (request, _) in zip(files, requests, strict=True):
            file.write_bytes(request)
        keyboard.hand_over(one.page.get_by_label(one.say("registrar.requests"), exact=True), files)
        one.heading(one.say("registrar.read.other", count=len(requests))).wait_for()
        for row, (_, region) in zip(one.page.locator("tbody tr").all(), requests, strict=True):
            for choice in row.get_by_role("combobox").all():  # one for each attribute of any study so far
                is_region = (choice.get_attribute("aria-label") or "").startswith("Region: ")
                keyboard.choose(choice, region if is_region else choice.locator("option").nth(1).inner_text())
        keyboard.tick(one.page.get_by_label(one.say("registrar.compared")))
        one.look_for_barriers("certify")
        keyboard.press(one.button(one.say("registrar.sign")))
        one.heading(one.say("registrar.certified.other", count=len(requests))).wait_for()
        memberships = self._folder / "memberships.jsonl"
        memberships.write_bytes(keyboard.save(one.button(one.say("registrar.save_memberships"))))
        self._countersign(memberships, count=len(requests))

    def _countersign(self, memberships: Path, *, count: int) -> None:
        one, keyboard = self._second, Keyboard(self._second)
        self._go(one, "countersign")
        keyboard.hand_over(one.page.get_by_label(one.say("registrar.memberships_file")), [memberships])
        one.heading(one.say("registrar.memberships.other", count=count)).wait_for()
        keyboard.tick(one.page.get_by_label(one.say("registrar.compared_register")))
        one.look_for_barriers("countersign")
        keyboard.press(one.button(one.say("registrar.countersign")))
        expect(one.page.get_by_text(one.say("registrar.countersigned.other", count=count))).to_be_visible()

    def remind(self, newcomers: Sequence[Newcomer]) -> tuple[list[dict[str, str]], str]:
        """Where each of them, and one that never answers, stands; and the texts of all reminders."""
        one, keyboard = self._first, Keyboard(self._first)
        self._go(one, "submitted")
        entries = [*((new.register_id, new.name) for new in newcomers), NOT_COMING]
        keyboard.type(
            one.page.get_by_label(one.say("registrar.register"), exact=True), register_table(entries)
        )
        keyboard.press(one.button(one.say("registrar.look")))
        one.page.get_by_role("columnheader", name=one.say("registrar.standing")).wait_for()
        one.look_for_barriers("who has submitted")
        rows = [row.locator("th, td").all_inner_texts() for row in one.page.locator("tbody tr").all()]
        mails = keyboard.save(one.button(one.say("registrar.save_reminders"))).decode()
        return [dict(zip(("id", "name", "standing"), row, strict=True)) for row in rows], mails

    @staticmethod
    def _go(one: Person, way: str) -> None:
        link = one.page.get_by_role("link", name=one.say(f"registrar.way.{way}"), exact=True)
        Keyboard(one).press(link)
        one.page.locator('a[aria-current="page"]', has_text=one.say(f"registrar.way.{way}")).wait_for()


@contextmanager
def registrars_at_their_pages(browser: Browser, town: Town, folder: Path) -> Iterator[RegistrarsAtTheirPages]:
    """Both, each in front of a real process; the second on a telephone in Dutch."""
    with ExitStack() as stack:
        links = [
            stack.enter_context(
                served(
                    "mpc_cde.cli",
                    *("registrar", "serve", "--home", str(office.home.root)),
                    *("--fingerprint", town.fingerprint, "--gateway", town.gateway),
                    log=folder / f"registrar-{number}.txt",
                )
            )
            for number, office in enumerate((town.cast.registrar, town.cast.second_registrar))
        ]
        first = stack.enter_context(visitor(browser, links[0]))
        second = stack.enter_context(visitor(browser, links[1], locale="nl-NL", width=360))
        yield RegistrarsAtTheirPages(first, second, town, folder)


def register_table(entries: Sequence[tuple[str, str]]) -> str:
    """A register as text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([("register_id", "name"), *entries])
    return text.getvalue()
