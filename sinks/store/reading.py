"""Reads the store beside the sinks that write it: connections of their own that take no lock and can change nothing.

A page waits for its query, not for a sink's transaction: on SQLite a reader sees the last committed state (WAL), on
PostgreSQL its transactions only read. The driver blocks, so each connection has a thread.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event

from andon.errors import RetryableError
from andon.process.watchdog import NO_LIMIT, TimeLimit
from sinks.store import database

T = TypeVar("T")
STATEMENT_S = 10
"""A page that takes longer is of no use, and the next reader wants the connection."""
CALL_S = 15.0
CONNECTIONS = 4
"""Queries at a time, so that a quick one does not wait for a slow one."""
CHECK_OPS = 50_000
"""Steps of SQLite's machine between two looks at the time: some milliseconds."""


class StoreReader:
    """Runs functions in read-only transactions, several at a time."""

    def __init__(self, url: str, limit: TimeLimit = NO_LIMIT) -> None:
        """Connects at the first call, to a store whose schema `opened` has made. `limit` is entered for each call.

        Raises ConfigError for a URL of another kind.
        """
        self._engine = _engine(url)
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="andon-store-read")
        self._limit = limit

    @classmethod
    async def open(cls, url: str) -> "StoreReader":
        """The store at `url`, its schema brought up to date. Raises ConfigError or FatalError as `opened` does."""
        await (await database.opened(url)).close()
        return cls(url)

    async def run(self, query: Callable[[Connection], T]) -> T:
        """The result of `query`, which sees one state of the store. Raises RetryableError: it is away or too slow."""

        def read() -> T:
            with self._limit(), self._engine.begin() as connection:
                return query(connection)

        try:
            async with asyncio.timeout(CALL_S):
                return await asyncio.get_running_loop().run_in_executor(self._threads, read)
        except database.AWAY as error:
            raise RetryableError(f"the store can't be read now: {database.first_line(error)}") from None
        except TimeoutError:
            raise RetryableError(f"the store has not answered for {CALL_S:.0f} s") from None

    async def close(self) -> None:
        """Waits for what is under way."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._engine.dispose)
        self._threads.shutdown(wait=True)


def _engine(url: str) -> Engine:
    place = database.place_of(url)
    rules: dict[str, Any] = {"pool_size": CONNECTIONS, "max_overflow": 0, "hide_parameters": True}
    if place.get_backend_name() == "sqlite":
        engine = create_engine(place, **rules, connect_args={"timeout": STATEMENT_S, "check_same_thread": False})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    arguments = database.postgres_arguments(place, STATEMENT_S)
    engine = create_engine(place, **rules, pool_pre_ping=True, connect_args=arguments)
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says
    connection.execute("PRAGMA query_only=ON")


def _begin_sqlite(connection: Connection) -> None:
    """Without the write lock; a query that takes longer than STATEMENT_S is broken off."""
    connection.exec_driver_sql("BEGIN")
    last_s = time.monotonic() + STATEMENT_S
    driver: Any = connection.connection.driver_connection
    driver.set_progress_handler(lambda: time.monotonic() > last_s, CHECK_OPS)
