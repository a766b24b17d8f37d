"""The command line starts light, and a member's machine needs no engine."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "alembic",
    "cryptography",
    "fastapi",
    "httpx",
    "mpyc",
    "numba",
    "numpy",
    "pydantic",
    "sqlalchemy",
    "structlog",
)


def imported_by(statement: str, names: tuple[str, ...]) -> list[str]:
    program = f"{statement}; import sys; print(*sorted(set({names!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_help_imports_nothing_heavy() -> None:
    assert imported_by("import mpc_cde.cli.app", HEAVY) == []


@pytest.mark.parametrize("module", ["submission", "verification", "member", "query", "export"])
def test_client_needs_no_engine_and_no_server(module: str) -> None:
    unwanted = ("fastapi", "mpyc", "numba", "sqlalchemy", "uvicorn", "protocols.kernels")
    assert imported_by(f"import mpc_cde.client.{module}", unwanted) == []
