"""What a person's machine remembers: keys, pinned communities, own submissions. Directories 0700, files 0600.

<home>/registrar, <home>/steward            keys made before there is a community
<home>/<fingerprint>/community.json         the pinned versions, as envelopes
<home>/<fingerprint>/gateway                address of the gateway
<home>/<fingerprint>/member, researcher     keys, membership, records of submissions and queries
"""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mpc_cde.client.trust import TrustedCommunity, verify_community
from mpc_cde.documents.base import Part
from mpc_cde.documents.community import FINGERPRINT_CHARACTERS, format_fingerprint
from mpc_cde.documents.envelope import Envelope
from mpc_cde.errors import BadDocument, CallerError, StoreDamaged
from mpc_cde.secret_files import make_private_directory, read_secret_file, write_secret_file

MAX_FILE_BYTES = 64 << 20


class PinnedCommunity(Part):
    """The content of community.json."""

    max_payload_bytes: ClassVar[int] = MAX_FILE_BYTES

    type: Literal["pinned-community/v1"] = "pinned-community/v1"
    versions: Annotated[tuple[Envelope, ...], Field(min_length=1, max_length=1000)]


class CommunityHome:
    """The directory of one pinned community."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def fingerprint(self) -> str:
        return self.directory.name

    def role(self, name: str) -> Path:
        """The directory of a role such as "member", made if it is missing."""
        directory = self.directory / name
        make_private_directory(directory)
        return directory

    def put_aside(self, name: str) -> None:
        """Keep what a role has under another name, so that it begins anew with keys of its own."""
        directory = self.directory / name
        if directory.exists():
            earlier = (self.directory / f"{name}-before-{number}" for number in count(1))
            directory.rename(next(path for path in earlier if not path.exists()))

    def put_aside_before(self, name: str) -> tuple[Path, ...]:
        """Where what the role had is kept, what was put aside last first."""
        numbers = []
        for path in self.directory.glob(f"{name}-before-*"):
            number = path.name.removeprefix(f"{name}-before-")
            if number.isdecimal() and path.is_dir():
                numbers.append(int(number))
        return tuple(self.directory / f"{name}-before-{number}" for number in sorted(numbers, reverse=True))

    def is_pinned(self) -> bool:
        """Whether the community document itself has been fetched and verified here."""
        return (self.directory / "community.json").exists()

    def load_trusted(self) -> TrustedCommunity:
        """The pinned versions, verified again. Raises StoreDamaged."""
        path = self.directory / "community.json"
        data = read_secret_file(path, max_bytes=MAX_FILE_BYTES)
        try:
            return verify_community(PinnedCommunity.parse_payload(data).versions, self.fingerprint)
        except BadDocument as error:
            raise StoreDamaged(f"{path}: {error}") from None

    def save_trusted(self, trusted: TrustedCommunity) -> None:
        """Keep these versions; on disk when this returns."""
        make_private_directory(self.directory)
        data = PinnedCommunity(versions=trusted.envelopes).payload_bytes()
        write_secret_file(self.directory / "community.json", data, replace=True)

    def gateway(self) -> str | None:
        """The address that was used last, or None."""
        try:
            return read_secret_file(self.directory / "gateway").decode("utf-8").strip() or None
        except CallerError:
            return None

    def save_gateway(self, url: str) -> None:
        make_private_directory(self.directory)
        write_secret_file(self.directory / "gateway", url.encode("utf-8"), replace=True)


class Home:
    """A person's data directory; may hold several communities and roles."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def make(self) -> None:
        """Create the directory, 0700. Raises KeyFileRefused if it is open to others."""
        make_private_directory(self.root)

    def office(self, name: str) -> Path:
        """The directory of an office held before there is a community: "registrar" or "steward"."""
        directory = self.root / name
        make_private_directory(directory)
        return directory

    def communities(self) -> list[CommunityHome]:
        """All communities that a fingerprint was given for here."""
        if not self.root.is_dir():
            return []
        return [CommunityHome(path) for path in sorted(self.root.iterdir()) if _is_fingerprint(path.name)]

    def community(self, fingerprint: str | None) -> CommunityHome:
        """The named community, or the only one that is pinned here. Raises CallerError."""
        if fingerprint is not None:
            return CommunityHome(self.root / fingerprint)
        pinned = self.communities()
        if len(pinned) == 1:
            return pinned[0]
        if pinned:
            names = ", ".join(format_fingerprint(community.fingerprint) for community in pinned)
            raise CallerError(
                f"{self.root} knows several communities: {names}", hint="Choose one with --fingerprint."
            )
        raise CallerError(
            f"no community is known in {self.root}",
            hint="Give --fingerprint (printed on each organisation's site) and --gateway once.",
        )


def _is_fingerprint(name: str) -> bool:
    return len(name) == FINGERPRINT_CHARACTERS and name.isalnum() and name == name.lower()
