"""Stores for tests: SQLite in a folder, and a real PostgreSQL where the machine has one."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from sinks.store.store import Store
from tests import postgres_server
from tests.postgres_server import PostgresServer


@pytest.fixture(scope="session")
def session_postgres() -> Iterator[PostgresServer]:
    if reason := postgres_server.missing():
        pytest.skip(reason)
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres(session_postgres: PostgresServer) -> PostgresServer:
    """A server whose database is empty."""
    session_postgres.empty()
    return session_postgres


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new/folder/andon.db"
    url: str = request.getfixturevalue("postgres").url
    return url


@pytest_asyncio.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    opened = await Store.open(store_url)
    yield opened
    await opened.close()
