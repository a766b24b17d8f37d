"""A PostgreSQL server of our own for a run of tests: an empty directory, a unix socket, no fsync."""

from __future__ import annotations

import getpass
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy
from sqlalchemy.exc import OperationalError

from mpc_cde.demo.tied_processes import start_tied
from mpc_cde.gateway import tables

DEBIAN = Path("/usr/lib/postgresql")
"""Where Debian keeps its versions, out of PATH."""
UNPRIVILEGED = ("postgres", "nobody")
"""PostgreSQL refuses to run as root; one of these does in its place."""
WAIT_SECONDS = 60.0


def what_is_missing() -> str | None:
    """Why there can be no server here, for who reads which tests were skipped."""
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed; `make dev` makes an environment with it"
    if _programs() is None:
        return "initdb is in no PATH and in no /usr/lib/postgresql; `make test-tools` installs PostgreSQL"
    if os.geteuid() == 0 and not _users():
        return f"PostgreSQL does not run as root, and there is no user {' or '.join(UNPRIVILEGED)}"
    return None


@contextmanager
def postgresql_server() -> Iterator[str]:
    """The URL of its one empty database. The server is gone afterwards, and with whoever started it."""
    programs = _programs()
    assert programs is not None, what_is_missing()
    user = _users()[0] if os.geteuid() == 0 else getpass.getuser()
    with tempfile.TemporaryDirectory(prefix="postgresql-") as name:
        place = Path(name)
        if os.geteuid() == 0:
            shutil.chown(place, user)
        as_user = (
            {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
            if os.geteuid() == 0
            else {}
        )
        data, log = place / "data", place / "log.txt"
        surroundings = {"cwd": place, "env": {"LC_ALL": "C", "PATH": os.defpath}, "stdin": subprocess.DEVNULL}
        done = subprocess.run(  # type: ignore[call-overload]  # options put together
            [programs / "initdb", "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-sync"],
            capture_output=True,
            **surroundings,
            **as_user,
        )
        assert done.returncode == 0, done.stderr.decode()
        settings = ("listen_addresses=", "fsync=off", "full_page_writes=off")
        with log.open("wb") as written:
            server = start_tied(
                [
                    programs / "postgres",
                    "-D",
                    data,
                    "-k",
                    place,
                    *(word for s in settings for word in ("-c", s)),
                ],
                stdout=written,
                stderr=written,
                **surroundings,
                **as_user,
            )
        try:
            url = f"postgresql+psycopg://tests@/postgres?host={place}"
            _wait_until_it_answers(url, server, log)
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # "fast": no client is waited for
            server.wait(WAIT_SECONDS)


def empty_database(url: str) -> None:
    """No table of a gateway is left."""
    engine = sqlalchemy.create_engine(url)
    tables.metadata.drop_all(engine)
    engine.dispose()


def _wait_until_it_answers(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            engine.connect().close()
            return
        except OperationalError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)


def _programs() -> Path | None:
    """The directory of initdb and postgres, the newest there is."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = [place for place in DEBIAN.glob("*/bin") if (place / "initdb").exists()]
    return max(versions, key=lambda place: float(place.parent.name), default=None)


def _users() -> list[str]:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return [name for name in UNPRIVILEGED if name in known]
