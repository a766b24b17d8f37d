"""Where one call of the command line stands: home directory, files that people hand over, sure answers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mpc_cde.client.home import Home
    from mpc_cde.documents.envelope import Envelope
    from mpc_cde.documents.p_percent import PPercent

DEFAULT_HOME = "~/.mpc-cde"


def open_home(given: Path | None) -> Home:
    """The data directory, made with mode 0700 if it is missing. Raises KeyFileRefused if it is open to others."""
    from mpc_cde.client.home import Home

    home = Home(Path(given or DEFAULT_HOME).expanduser().absolute())
    home.make()
    return home


def read_envelope(path: Path) -> Envelope:
    """A signed document from a file. Raises CallerError."""
    from mpc_cde.documents.envelope import Envelope
    from mpc_cde.errors import BadDocument, CallerError

    try:
        return Envelope.parse_json(read_file(path))
    except BadDocument as error:
        raise CallerError(f"{path}: {error}", hint="Is it the right file?") from None


def read_p_percent(path: Path) -> PPercent:
    """The p of a study's p% rule, from the file that the steward hands out. Raises CallerError."""
    from mpc_cde.documents.p_percent import PPercent
    from mpc_cde.errors import BadDocument, CallerError

    try:
        return PPercent.parse_payload(read_file(path).strip())
    except BadDocument:  # whose message quotes nothing
        raise CallerError(f"{path}: not the file of a p% rule", hint="Is it the right file?") from None


def read_file(path: Path) -> bytes:
    """The bytes of a file that a person named. Raises CallerError."""
    from mpc_cde.errors import CallerError

    try:
        return path.read_bytes()
    except OSError as error:
        raise CallerError(f"cannot read {path}: {error.strerror or 'not readable'}") from None


def write_file(path: Path, data: bytes) -> None:
    """Write a file that may be handed on (nothing secret). Raises CallerError."""
    from mpc_cde.errors import CallerError

    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise CallerError(f"cannot write {path}: {error.strerror or 'not writable'}") from None


def write_private_file(path: Path, data: bytes) -> None:
    """Write a new file, mode 0600, that is handed to a few; never replaces one. Raises CallerError."""
    from mpc_cde.errors import CallerError

    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
    except OSError as error:
        raise CallerError(f"cannot write {path}: {error.strerror or 'not writable'}") from None


def confirm(question: str, *, sure: bool) -> None:
    """Go on only after a yes. Raises CallerError after a no."""
    from mpc_cde.errors import CallerError

    if not sure and not typer.confirm(question):
        raise CallerError("nothing was done")
