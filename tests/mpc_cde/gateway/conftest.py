"""Gateways for tests: one fixture a gateway, over every kind of store that is there."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import create_engine

from mpc_cde.gateway import tables
from tests.mpc_cde.gateway.paper_gateway import PaperGateway, PaperMembers

DATABASE = "MPC_CDE_TEST_DATABASE"
"""URL of an empty PostgreSQL database; where it is set, the tests of the store run on it too, and
most others instead of on SQLite."""


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """Log lines are kept back: a traceback in colours takes seconds to write."""
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.sqlite'}"
        return
    url = os.environ.get(DATABASE)
    if not url:
        pytest.skip(f"{DATABASE} names no database")
    empty_database(url)
    yield url
    empty_database(url)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[PaperGateway]:
    """Three parties, twelve members on paper; nothing posted yet."""
    url = os.environ.get(DATABASE)
    if url:
        empty_database(url)
    running = PaperGateway(tmp_path, store_url=url)
    yield running
    await running.close()


def empty_database(url: str) -> None:
    engine = create_engine(url)
    tables.metadata.drop_all(engine)
    engine.dispose()


@pytest.fixture
async def public_gateway(tmp_path: Path) -> AsyncIterator[PaperGateway]:
    """The same; every function of its study is for everybody."""
    running = PaperGateway(tmp_path, paper=PaperMembers(audience="public"))
    yield running
    await running.close()
