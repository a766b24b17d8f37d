"""Every certificate that a machine has had of its member: a roster names the one by which the parties counted.

A registrar may certify a member again, with a new key or another class, after it has submitted. The gateway
serves the newest alone, and what stands in a signed roster is proved with the one of that time.
"""

from __future__ import annotations

from pathlib import Path

from mpc_cde.documents.envelope import Envelope
from mpc_cde.errors import BadDocument, StoreDamaged
from mpc_cde.secret_files import make_private_directory, read_secret_file, write_secret_file

NEWEST_FILE = "membership.json"
EARLIER_DIRECTORY = "memberships-before"
MAX_EARLIER = 1000


class HeldMemberships:
    """In a member's private directory: the newest in `membership.json`, each before it under its digest."""

    def __init__(self, directory: Path) -> None:
        self._newest = directory / NEWEST_FILE
        self._earlier = directory / EARLIER_DIRECTORY

    def newest(self) -> Envelope | None:
        """The one that was kept last. Raises StoreDamaged."""
        return _read(self._newest) if self._newest.exists() else None

    def load(self) -> tuple[Envelope, ...]:
        """All of them, the newest first. Raises StoreDamaged."""
        newest = self.newest()
        paths = sorted(self._earlier.glob("*.json"))[:MAX_EARLIER] if self._earlier.is_dir() else []
        return (*(() if newest is None else (newest,)), *(_read(path) for path in paths))

    def keep(self, envelope: Envelope) -> None:
        """From now on this is the newest; another one before it is put aside first, so that none is lost."""
        before = self.newest()
        if before is not None and before.digest() != envelope.digest():
            make_private_directory(self._earlier)
            write_secret_file(self._earlier / f"{before.digest().hex()}.json", before.to_json(), replace=True)
        write_secret_file(self._newest, envelope.to_json(), replace=True)


def _read(path: Path) -> Envelope:
    try:
        return Envelope.parse_json(read_secret_file(path))
    except BadDocument as error:
        raise StoreDamaged(f"{path}: {error}") from None
