"""Gateways for tests: one fixture a gateway, and each kind of store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from tests.mpc_cde.gateway.paper_gateway import PaperGateway, PaperMembers
from tests.postgresql import empty_database

DATABASES = ("sqlite", "postgresql")
ON_EVERY_DATABASE = ("test_submissions", "test_keeping")
"""Modules whose gateways are tried on each: what is acknowledged, and in which order it is served."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "gateway" in metafunc.fixturenames and metafunc.definition.path.stem in ON_EVERY_DATABASE:
        metafunc.parametrize("gateway", DATABASES, indirect=True)


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """Log lines are kept back: a traceback in colours takes seconds to write."""
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=DATABASES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.sqlite'}"
        return
    url = str(request.getfixturevalue("postgresql_url"))
    empty_database(url)
    yield url
    empty_database(url)


@pytest.fixture
async def gateway(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[PaperGateway]:
    """Three parties, twelve members on paper; nothing posted yet."""
    url = None
    if getattr(request, "param", "sqlite") == "postgresql":
        url = str(request.getfixturevalue("postgresql_url"))
        empty_database(url)
    running = PaperGateway(tmp_path, store_url=url)
    yield running
    await running.close()


@pytest.fixture
async def public_gateway(tmp_path: Path) -> AsyncIterator[PaperGateway]:
    """The same; every function of its study is for everybody."""
    running = PaperGateway(tmp_path, paper=PaperMembers(audience="public"))
    yield running
    await running.close()
