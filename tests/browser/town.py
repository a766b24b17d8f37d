"""A community of real processes for the browser: a gateway, three nodes, the pages of two of them, offices in here.

What members would do on the command line is done with the client in a thread of its own; the members that a test
is about do everything in Chromium. With a browser the steward and the operators are at the pages of their rooms.
"""

from __future__ import annotations

import csv
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.from_thread
from playwright.sync_api import Browser
from rich.console import Console

from mpc_cde.client.connection import Connection, connect
from mpc_cde.client.enrolment import draft_researcher, parse_register, with_cards
from mpc_cde.client.export import verify_export
from mpc_cde.client.invitation import invitation_link
from mpc_cde.client.membership_ledger import MembershipLedger, countersign_memberships
from mpc_cde.client.role_cards import ResearcherRequest
from mpc_cde.client.stewardship import propose_study
from mpc_cde.client.tables import read_table
from mpc_cde.client.verification import VerifiedResult, VerifiedStudy
from mpc_cde.demo.cast import Cast, assemble
from mpc_cde.demo.comparison import Comparison, compare
from mpc_cde.demo.material import DATA, Material, load_material
from mpc_cde.demo.organisations import Organisations
from mpc_cde.demo.report import Narrator
from mpc_cde.demo.story import Story
from mpc_cde.documents.approval import Approval, Refusal
from mpc_cde.documents.envelope import add_signature, open_envelope, sign_document
from mpc_cde.documents.query import GroupCell, QueryItem
from mpc_cde.documents.result import Result
from mpc_cde.reader_signatures import SignedReader
from mpc_cde.study_templates import parse_template, read_template
from parties.party_home import PartyHome
from protocols.randomness import SystemRandomness
from tests.browser.offices import OfficesAtTheirPages, offices_at_their_pages

T = TypeVar("T")

STUDY = Path(__file__).parent / "data" / "bakeries.toml"
TITLE = "Energy use of bakeries"
BY_CLIENT = 44
"""Members that submit with the client; the next rows of the table are people in a browser."""


def table_rows() -> list[dict[str, str]]:
    """The bakeries of the demo that know their electricity, which this study asks of everybody; in two regions."""
    with (DATA / "bakery_energy.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["electricity"]]
    return [{**row, "region": "south" if row["region"] == "islands" else row["region"]} for row in rows]


def write_table(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Town:
    """Up when it is entered: the study is open, nine bakeries have submitted, the pages are served."""

    def __init__(self, directory: Path, *, browser: Browser | None = None) -> None:
        self.directory = directory
        self._browser = browser
        self.offices: OfficesAtTheirPages | None = None
        self.pages = tuple(f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._stack = ExitStack()
        self._ledger_lock = threading.Lock()
        self._proposed: dict[str, bytes] = {}

    def __enter__(self) -> Town:
        with ExitStack() as stack:
            self._portal = stack.enter_context(anyio.from_thread.start_blocking_portal())
            self.organisations = stack.enter_context(Organisations(self.directory / "organisations"))
            self.material = load_material(
                write_table(self.directory / "by_client.csv", table_rows()[:BY_CLIENT]), STUDY
            )
            self._portal.call(self._found)
            if self._browser is not None:
                rooms = offices_at_their_pages(self._browser, self.cast, self.directory / "rooms")
                self.offices = stack.enter_context(rooms)
                self.offices.propose(STUDY)
                self.offices.approve(TITLE)
            self._do(self._begin)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    async def _found(self) -> None:
        randomness = SystemRandomness()
        self.cast: Cast = await assemble(
            self.organisations,
            parties=3,
            threshold=1,
            name="Bakers of the coast",
            randomness=randomness,
            pages=self.pages,
        )
        self._story = Story(self.cast, self.material, Narrator(Console(quiet=True)), randomness)
        await self._story._found_community()
        for party in self.cast.parties[: len(self.pages)]:
            self.organisations.start(party.folder, "parties", "pages", "--home", str(party.home))
        async with self._connection() as connection:
            self._members, self._memberships, self.researcher = await self._story._enrol(connection)
        for party in self.cast.parties[: len(self.pages)]:
            await _until(lambda party=party: (party.home / "pages.json").exists())

    async def _begin(self, connection: Connection) -> None:
        """The study is open and the members of the client have submitted."""
        self.study: VerifiedStudy = (
            await self._story._agree_on_study(connection)
            if self.offices is None
            else await _opened_study(connection)
        )
        await self._story._submit(connection, self.study, self._members, self._memberships)

    def begin_another_period(self, title: str, *, by_client: int) -> None:
        """The same study under another title, approved by every party; so many submit to it with the client.

        It takes the place of the first: `close`, `ask` and `study` are about it from here on.
        """

        async def begin(connection: Connection) -> None:
            rows = write_table(self.directory / "another_period.csv", table_rows()[:by_client])
            template = parse_template(STUDY.read_text("utf-8").replace(f'"{TITLE}"', f'"{title}"'))
            material = load_material(rows, template)
            self._story = Story(self.cast, material, Narrator(Console(quiet=True)), SystemRandomness())
            self.study = await self._story._agree_on_study(connection)
            given = self._members[:by_client], self._memberships[:by_client]
            await self._story._submit(connection, self.study, *given)

        self._do(begin)

    def _connection(self) -> Any:
        return connect(self.gateway, fingerprint=self.fingerprint)

    def _do(self, action: Callable[[Connection], Awaitable[T]]) -> T:
        async def run() -> T:
            async with self._connection() as connection:
                return await action(connection)

        return self._portal.call(run)

    @property
    def gateway(self) -> str:
        return self.cast.gateway_url

    @property
    def fingerprint(self) -> str:
        return self.cast.fingerprint

    def link(self, register_id: str, name: str, *, party: int = 0) -> str:
        """The personal link that the registrar sends."""
        return invitation_link(
            self.pages[party],
            fingerprint=self.fingerprint,
            register_id=register_id,
            name=name,
            reply_to="register@example.org",
        )

    def certify(self, *requests: tuple[bytes, str]) -> None:
        """What two registrars do with the requests (card, region) that members sent: issue and countersign."""
        with self._ledger_lock:
            place = self.directory / "requests"
            place.mkdir(exist_ok=True)
            table = place / "members.csv"
            lines = [f"request-{number}.json,{region}" for number, (_, region) in enumerate(requests)]
            table.write_text("\n".join(["card,region", *lines]) + "\n")
            for number, (card, _) in enumerate(requests):
                (place / f"request-{number}.json").write_bytes(card)
            rows = parse_register(with_cards(read_table(table), place))
            first, second = self.cast.registrar, self.cast.second_registrar
            ledger = MembershipLedger(first.home.community(self.fingerprint).role("registrar"))

            async def issue(connection: Connection) -> None:
                community = connection.trusted.current
                issued, _ = ledger.issue(
                    rows,
                    community=community,
                    signing_key=first.key,
                    randomness=SystemRandomness(),
                    now=datetime.now(UTC),
                    validity_days=30,
                )
                for envelope in countersign_memberships(issued, community=community, signing_key=second.key):
                    await connection.calls.post("memberships", envelope)

            self._do(issue)

    def enrol(self, request: ResearcherRequest) -> None:
        """What a registrar and every party do with the request of a researcher."""

        async def enrol(connection: Connection) -> None:
            document = draft_researcher(
                request, community=connection.trusted.current, now=datetime.now(UTC), validity_days=30
            )
            envelope = sign_document(document, self.cast.registrar.key)
            for party in self.cast.parties:
                envelope = add_signature(envelope, PartyHome(party.home).load_identity())
            await connection.calls.post("researchers", envelope)

        self._do(enrol)

    def ensure_closed(self) -> None:
        """The first study has closed and its inputs are checked when this returns."""

        async def state(connection: Connection) -> str:
            return (await connection.calls.study(self.study.terms_digest)).state

        if self._do(state) == "open":
            self.close()

    def result_of(self, query: bytes) -> Result:
        """The answer to a query, as a client reads it."""

        async def read(connection: Connection) -> Result:
            file = await connection.calls.query(query, self._reader())
            envelope = (await connection.calls.result(file.results[0], self._reader())).result
            return open_envelope(envelope, Result)

        return self._do(read)

    def _reader(self) -> SignedReader:
        return SignedReader(self.researcher.signing_key, randomness=SystemRandomness())

    def propose(self, title: str, old: str, new: str) -> bytes:
        """The steward proposes a study that is other than the first in one thing; digest of its terms."""
        text = STUDY.read_text("utf-8").replace(f'title = "{TITLE}"', f'title = "{title}"')
        assert old in text
        template = parse_template(text.replace(old, new, 1))

        async def propose(connection: Connection) -> bytes:
            now = datetime.now(UTC)
            envelope, study = propose_study(
                template,
                community=connection.trusted.current,
                signing_key=self.cast.steward.key,
                opens=now,
                closes=now + timedelta(hours=2),
            )
            await connection.calls.post("studies", envelope)
            return study.terms_digest()

        self._proposed[title] = self._do(propose)
        return self._proposed[title]

    def wait_for_approval(self, title: str, *, party: int) -> None:
        """Returns when the gateway has this party's approval."""

        async def wait(connection: Connection) -> None:
            end = time.monotonic() + 30
            while party not in {one.party for one in await self._answers(connection, title, Approval)}:
                if time.monotonic() > end:
                    raise TimeoutError(title)
                await anyio.sleep(0.05)

        self._do(wait)

    def refusals(self, title: str) -> dict[int, str]:
        """Who refused it, with the reason, as the gateway has it."""

        async def read(connection: Connection) -> dict[int, str]:
            found = await self._answers(connection, title, Refusal)
            return {one.party: one.reason for one in found if isinstance(one, Refusal)}

        return self._do(read)

    async def _answers(
        self, connection: Connection, title: str, kind: type[Approval] | type[Refusal]
    ) -> list[Approval | Refusal]:
        file = await connection.calls.study(self._proposed[title])
        envelopes = [*file.approvals, *file.refusals]
        return [open_envelope(one, kind) for one in envelopes if one.payload_type == kind.payload_type()]

    def revoke(self, register_id: str) -> None:
        """What the registrar does whose member lost its key."""
        self.organisations.run(
            "registrar",
            *(
                "mpc_cde.cli",
                "registrar",
                "revoke",
                "--register-id",
                register_id,
                "--reason",
                "Its key was lost.",
            ),
            *("--home", str(self.cast.registrar.home.root), "--gateway", self.gateway),
            *("--fingerprint", self.fingerprint, "--yes"),
        )

    def close(self) -> None:
        """The study closes; the parties agree on the roster and check every input."""
        if self.offices is None:
            self._do(lambda connection: self._story._close(connection, self.study))
            return
        self.offices.close(self.study.study.terms.title)
        self._do(lambda connection: self._story._agree_on_roster(connection, self.study.terms_digest))

    def ask(self) -> VerifiedResult:
        """A researcher asks for everything on the command line, and hands over the file that verifies offline."""
        file = self.directory / "answer.json"
        self.organisations.run(
            "researcher",
            *("mpc_cde.cli", "query", "run", "--home", str(self.organisations.home("researcher"))),
            *("--gateway", self.gateway, "--fingerprint", self.fingerprint, "--output", str(file)),
            *("--study", self.study.study.terms.title),  # the steward's page may have proposed others
            deadline_seconds=120,
        )
        return verify_export(file.read_bytes(), self.fingerprint)

    def compare(self, result: VerifiedResult, people: list[dict[str, str]]) -> Comparison:
        """Every published cell against the plain calculation on the client's rows and these people's."""
        items = list(result.query.items) if result.query is not None else []
        return compare(self._everybody(people).expected(items, self.study.study.terms), result.cells)

    def place_of(self, number: int, people: list[dict[str, str]], *, figure: str, region: str | None) -> int:
        """The place of one of these people by the plain calculation, in percent."""
        group = None if region is None else GroupCell(attribute="region", value=region)
        item = QueryItem(function="own_rank@1", figures=(figure,), group=group, parameters={})
        (cell,) = self._everybody(people).expected([item], self.study.study.terms, row=BY_CLIENT + number)
        return int(cell.values[0])

    def _everybody(self, people: list[dict[str, str]]) -> Material:
        path = write_table(self.directory / "everybody.csv", table_rows()[:BY_CLIENT] + people)
        return Material(path, read_template(STUDY), ())


async def _opened_study(connection: Connection) -> VerifiedStudy:
    """The one study that there is, as soon as the gateway has every approval."""
    end = time.monotonic() + 30
    while True:
        (study,) = await connection.calls.studies()
        if study.state == "open":
            return await connection.verified_study(study.terms)
        if time.monotonic() > end:
            raise TimeoutError(study.state)
        await anyio.sleep(0.05)


async def _until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        await anyio.sleep(0.05)
