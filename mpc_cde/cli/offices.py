"""What registrars and stewards have in common: a key and a card made before there is a community."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mpc_cde.cli.showing import remark, say
from mpc_cde.cli.surroundings import open_home, write_file


def make_office(
    office: Literal["registrar", "steward"],
    *,
    name: str,
    label: str | None,
    home: Path | None,
    output: Path | None,
) -> None:
    """Make the key in the home and write the card. Raises Conflict if there is a key already."""
    from pydantic import ValidationError

    from mpc_cde.client.role_cards import CARD_FILE, OfficeCard, make_signing_key, refuse_second_keys
    from mpc_cde.errors import CallerError
    from mpc_cde.keys import SigningKey
    from mpc_cde.secret_files import write_secret_file
    from protocols.randomness import SystemRandomness

    try:  # checked before a key is made, so that a wrong name leaves nothing behind
        OfficeCard(office=office, name=name, label=label or name, key=SigningKey(bytes(32)).public_bytes)
    except ValidationError:
        raise CallerError(
            f"{name!r} cannot be the name of a {office}",
            hint="Use small letters, digits and underscores, such as chamber_of_commerce; --label is for people.",
        ) from None
    directory = open_home(home).office(office)
    refuse_second_keys(
        directory / CARD_FILE,
        instead=f"The card is {directory / CARD_FILE}; for another {office} use another --home.",
    )
    key = make_signing_key(directory, SystemRandomness())
    card = OfficeCard(office=office, name=name, label=label or name, key=key.public_bytes)
    write_secret_file(directory / CARD_FILE, card.payload_bytes(), replace=True)
    target = output or Path(f"{office}-card.json")
    write_file(target, card.payload_bytes() + b"\n")
    say(f"{target} is written.")
    remark("It holds public keys only. Hand it to whoever drafts the community.")
