"""Who takes part: organisations as processes, and people whose keys live in directories of their own.

Parties are reached through their command line and the gateway over HTTP only, as four organisations on four
machines would be.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import anyio
from anyio import to_thread

from mpc_cde.client.drafting import draft_community
from mpc_cde.client.home import Home
from mpc_cde.client.role_cards import OfficeCard, make_sealing_key, make_signing_key
from mpc_cde.demo.organisations import Organisations, Running, free_addresses
from mpc_cde.documents.community import Community
from mpc_cde.documents.envelope import Envelope
from mpc_cde.errors import OwnError
from mpc_cde.keys import SigningKey
from mpc_cde.sealing import SealingPrivateKey
from protocols.randomness import Randomness

T = TypeVar("T")

AT_ONCE = 96
"""Members that act at a time. Postings are kept in groups, so more of them cost less each."""
READY_SECONDS = 180.0
GATEWAY = "gateway"
_GATEWAY_SETTINGS = """\
# Every member, registrar and party of a demo calls from one address.
[limits]
requests_per_second_per_address = 100_000
request_burst_per_address = 100_000
"""
ORGANISATIONS = (
    ("chamber", "Chamber of Commerce", "represents the shops"),
    ("university", "University", "studies the trade"),
    ("municipality", "Municipality", "cares for the high street"),
    ("statistics", "Statistics Office", "knows how to keep figures apart"),
    ("association", "Trade Association", "asked for the benchmark"),
    ("bank", "Cooperative Bank", "advises starters"),
    ("union", "Union of Shop Workers", "looks at hours worked"),
    ("college", "Polytechnic", "teaches retail"),
)


@dataclass(frozen=True, slots=True)
class PartyPlace:
    """One organisation that computes: its name in the story and its own directory."""

    folder: str
    name: str
    role: str
    home: Path


@dataclass(frozen=True, slots=True)
class Office:
    """A registrar or the steward, on a machine of its own."""

    card: OfficeCard
    key: SigningKey
    home: Home


@dataclass(frozen=True, slots=True)
class ResearcherKeys:
    """The researcher before it is enrolled."""

    signing_key: SigningKey
    sealing_key: SealingPrivateKey
    home: Home


@dataclass(slots=True)
class Cast:
    """Everybody, in the state that the story has reached."""

    organisations: Organisations
    randomness: Randomness
    gateway_url: str
    parties: tuple[PartyPlace, ...]
    registrar: Office
    second_registrar: Office
    steward: Office
    community: Community
    draft: Path
    nodes: dict[str, Running] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        return self.community.fingerprint()

    async def of_every_party(self, *arguments: str) -> None:
        """Run one command of `mpc-party` at every party, several at a time. Raises OrganisationError."""

        async def run(party: PartyPlace) -> None:
            await run_party(self.organisations, party, *arguments)

        await each(self.parties, run, at_once=4)

    async def start_nodes(self) -> None:
        """Every party's node runs when this returns. Raises OrganisationError."""
        processes = {
            party.folder: self.organisations.start(party.folder, "parties", "run", "--home", str(party.home))
            for party in self.parties
        }

        async def wait(party: PartyPlace) -> None:
            self.nodes[party.name] = await to_thread.run_sync(
                lambda: self.organisations.wait_ready(
                    party.folder, processes[party.folder], home=party.home, deadline_seconds=READY_SECONDS
                )
            )

        await each(self.parties, wait, at_once=len(self.parties))


async def assemble(
    organisations: Organisations,
    *,
    parties: int,
    threshold: int,
    name: str,
    randomness: Randomness,
    gateway_options: Sequence[str] = (),
    pages: Sequence[str] = (),
) -> Cast:
    """Start the gateway, make every party and every office, draft the community. Raises OrganisationError.

    The first parties have `pages` as the origins of their pages.
    """
    gateway = await _start_gateway(organisations, gateway_options)
    places = _places(organisations, parties)
    addresses = free_addresses(parties)
    url = str(gateway.address["url"])

    async def found(numbered: tuple[int, PartyPlace]) -> None:
        number, place = numbered
        arguments = (
            "--name",
            place.name,
            "--role",
            place.role,
            "--contact",
            f"operator@{place.folder}.example",
        )
        where = ("--mesh", addresses[number], "--gateway", url, "--operations-port", "0")
        origin = ("--pages", pages[number]) if number < len(pages) else ()
        await run_party(organisations, place, "init", *arguments, *where, *origin)

    await each(list(enumerate(places)), found, at_once=4)
    registrar, second = (
        _open_office(organisations, "registrar", folder, label, randomness)
        for folder, label in (("registrar", "Trade Register"), ("notary", "Notary"))
    )
    steward = _open_office(organisations, "steward", "steward", "Trade Association", randomness)
    draft, community = draft_community(
        cards=[
            Envelope.parse_json((place.home / "party-card.json").read_bytes().strip()) for place in places
        ],
        threshold=threshold,
        name=name,
        registrars=[registrar.card, second.card],
        stewards=[steward.card],
    )
    path = steward.home.root / "community.json"
    path.write_bytes(draft.to_json())
    cast = Cast(organisations, randomness, url, places, registrar, second, steward, community, path)
    cast.nodes[GATEWAY] = gateway
    return cast


def make_researcher(organisations: Organisations, fingerprint: str, randomness: Randomness) -> ResearcherKeys:
    """The researcher's own machine and keys."""
    home = Home(organisations.home("researcher"))
    directory = home.community(fingerprint).role("researcher")
    return ResearcherKeys(
        make_signing_key(directory, randomness), make_sealing_key(directory, randomness), home
    )


async def run_party(organisations: Organisations, party: PartyPlace, *arguments: str) -> str:
    """One command of `mpc-party` at one party; its standard output. Raises OrganisationError."""
    command, *rest = arguments
    return await to_thread.run_sync(
        lambda: organisations.run(party.folder, "parties", command, "--home", str(party.home), *rest)
    )


async def each(
    items: Iterable[T],
    action: Callable[[T], Awaitable[None]],
    *,
    at_once: int = AT_ONCE,
    on_done: Callable[[], None] | None = None,
) -> None:
    """Do `action` for every item, `at_once` at a time; the first failure ends all and is raised alone."""
    waiting = iter(items)
    failures: list[Exception] = []

    async def work(group_scope: anyio.CancelScope) -> None:
        for item in waiting:
            try:
                await action(item)
            except Exception as error:  # noqa: BLE001 - raised again below, alone instead of in a group
                failures.append(error)
                group_scope.cancel()
                return
            if on_done is not None:
                on_done()

    async with anyio.create_task_group() as group:
        for _ in range(at_once):
            group.start_soon(work, group.cancel_scope)
    if failures:
        raise failures[0]


async def _start_gateway(organisations: Organisations, options: Sequence[str]) -> Running:
    home = organisations.home(GATEWAY)
    settings = home / "gateway.toml"
    settings.write_text(_GATEWAY_SETTINGS, "utf-8")
    command = ("--home", str(home), "--port", "0", "--config", str(settings), *options)
    process = organisations.start(GATEWAY, "mpc_cde.gateway", *command)
    gateway = await to_thread.run_sync(
        lambda: organisations.wait_ready(GATEWAY, process, home=home, deadline_seconds=READY_SECONDS)
    )
    if "url" not in gateway.address:
        raise OwnError("the gateway's run.json names no url")
    return gateway


def _places(organisations: Organisations, count: int) -> tuple[PartyPlace, ...]:
    names: list[tuple[str, str, str]] = list(ORGANISATIONS[:count])
    names += [(f"party_{n}", f"Organisation {n + 1}", "computes") for n in range(len(names), count)]
    return tuple(
        PartyPlace(folder, name, role, organisations.home(folder) / "party") for folder, name, role in names
    )


def _open_office(
    organisations: Organisations, office: str, folder: str, label: str, randomness: Randomness
) -> Office:
    home = Home(organisations.home(folder))
    kind: Mapping[str, object] = {"office": office, "name": folder, "label": label}
    key = make_signing_key(home.office(office), randomness)
    return Office(OfficeCard.model_validate({**kind, "key": key.public_bytes}), key, home)


def names_of(parties: Sequence[PartyPlace]) -> str:
    """ "Chamber of Commerce, University and Municipality"."""
    names = [party.name for party in parties]
    return f"{', '.join(names[:-1])} and {names[-1]}"
