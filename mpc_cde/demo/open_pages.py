"""The pages of a demo that keeps running: links that a person opens, and one member's keys to look around with."""

from __future__ import annotations

import time
from collections.abc import Sequence

from mpc_cde.client.recovery_file import lock_keys
from mpc_cde.demo.cast import Cast
from mpc_cde.demo.organisations import LOG_NAME, OrganisationError, Organisations, free_addresses
from mpc_cde.demo.report import Narrator
from mpc_cde.demo.story import DemoMember
from mpc_cde.secret_files import write_secret_file
from protocols.randomness import Randomness

PARTIES_WITH_PAGES = 2
PASSPHRASE = "demo demo demo"  # noqa: S105  # printed for everybody: a made-up member's, on this machine
WAIT_SECONDS = 30.0


def page_origins(parties: int) -> list[str]:
    """Where parties serve pages: beside the first addresses, which are those of the mesh."""
    return [f"http://{address}" for address in free_addresses(parties + PARTIES_WITH_PAGES)[parties:]]


def serve_pages(
    cast: Cast,
    organisations: Organisations,
    pages: Sequence[str],
    visitor: DemoMember,
    *,
    narrator: Narrator,
    randomness: Randomness,
) -> None:
    """Start the pages of the parties that have some, and say where everything is. Raises OrganisationError."""
    for party in cast.parties[: len(pages)]:
        organisations.start(party.folder, "parties", "pages", "--home", str(party.home))
    for party in cast.parties[: len(pages)]:
        ready, end = party.home / "pages.json", time.monotonic() + WAIT_SECONDS
        while not ready.exists():
            organisations.verify_alive()
            if time.monotonic() > end:
                raise OrganisationError(
                    f"{party.name}: its pages did not start", log=organisations.home(party.folder) / LOG_NAME
                )
            time.sleep(0.05)
    file = organisations.home("member") / "recovery.json"
    kept = lock_keys(
        community=cast.fingerprint,
        register_id=visitor.row.register_id,
        signing_key=visitor.signing_key,
        sealing_key=visitor.sealing_key,
        passphrase=PASSPHRASE,
        randomness=randomness,
    )
    write_secret_file(file, kept)
    narrator.say(f"results     {cast.gateway_url}/#community={cast.fingerprint}")
    for party, origin in zip(cast.parties, pages, strict=False):
        narrator.say(f"members     {origin}/ (served by {party.name})")
    narrator.say(f'            open it as one member: recovery file {file}, passphrase "{PASSPHRASE}"')
    narrator.say(f"operators   mpc-party serve --home {cast.parties[0].home} (and so for each party)")
