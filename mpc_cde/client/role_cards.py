"""Cards that people make on their own machine and hand to whoever drafts a community or enrols them.

A card holds public keys only. Member cards are rows of a registrar's CSV as well; its columns have the names of
the card's fields.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from mpc_cde.documents.base import Part
from mpc_cde.documents.canonical import Digest, FunctionName, Identifier, PublicKeyBytes, ShortText
from mpc_cde.documents.suites import PublicSealingKey
from mpc_cde.errors import BadDocument, CallerError, Conflict
from mpc_cde.keys import SigningKey, load_sealing_key, load_signing_key, write_key_file
from mpc_cde.sealing import SealingPrivateKey
from protocols.randomness import Randomness

PartT = TypeVar("PartT", bound=Part)

SIGNING_KEY_FILE = "signing.key"
SEALING_KEY_FILE = "sealing.key"
CARD_FILE = "card.json"


class OfficeCard(Part):
    """A registrar or steward, as it goes into a community document."""

    type: Literal["office-card/v1"] = "office-card/v1"
    office: Literal["registrar", "steward"]
    name: Identifier
    label: ShortText
    key: PublicKeyBytes


class MemberCard(Part):
    """What a registrar needs of a member, beside what it knows from the register."""

    type: Literal["member-card/v1"] = "member-card/v1"
    signing_key: PublicKeyBytes
    sealing_key: PublicSealingKey
    register_id: ShortText
    holding: ShortText | None = None
    sole_trader: bool = False


class ResearcherRequest(Part):
    """What a researcher asks to be enrolled for; `studies` are digests of terms, None means all."""

    type: Literal["researcher-request/v1"] = "researcher-request/v1"
    name: ShortText
    signing_key: PublicKeyBytes
    sealing_key: PublicSealingKey
    functions: Annotated[tuple[FunctionName, ...], Field(min_length=1, max_length=64)]
    studies: Annotated[tuple[Digest, ...], Field(max_length=256)] | None = None


def refuse_second_keys(last_made: Path, *, instead: str) -> None:
    """Raises Conflict if the keys of a role are here: if the file is that is made last of them.

    `instead` says what to do with them; it is never to move them away, since that loses the role.
    """
    if last_made.exists():
        raise Conflict(f"the keys are in {last_made.parent} already", hint=instead)


def make_signing_key(directory: Path, randomness: Randomness) -> SigningKey:
    """A new signing key in the directory. Raises Conflict if there is one, since replacing it loses a role."""
    key = SigningKey.generate(randomness)
    write_key_file(directory / SIGNING_KEY_FILE, key)
    return key


def make_sealing_key(directory: Path, randomness: Randomness) -> SealingPrivateKey:
    """A new sealing key in the directory. Raises Conflict if there is one."""
    key = SealingPrivateKey.generate(randomness)
    write_key_file(directory / SEALING_KEY_FILE, key)
    return key


def load_own_signing_key(directory: Path, *, made_by: str) -> SigningKey:
    """The signing key of a role. Raises CallerError naming the command that makes it."""
    path = directory / SIGNING_KEY_FILE
    if not path.exists():
        raise CallerError(f"there is no key in {directory}", hint=f"Run `{made_by}` first.")
    return load_signing_key(path)


def load_own_sealing_key(directory: Path) -> SealingPrivateKey:
    """The sealing key of a role. Raises KeyFileRefused."""
    return load_sealing_key(directory / SEALING_KEY_FILE)


def read_card(path: Path, card_class: type[PartT]) -> PartT:
    """A card from a file. Raises CallerError for a file that is missing or no such card."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CallerError(f"cannot read {path}: {error.strerror or 'not readable'}") from None
    try:
        return card_class.parse_payload(data.strip())
    except BadDocument as error:
        raise CallerError(f"{path}: {error}", hint="Is it the right file?") from None
