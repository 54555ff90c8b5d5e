"""Opens the SQL database: one connection on one thread of its own, time limits, schema, and errors in one line.

SQLite serves one machine, PostgreSQL a line. The driver blocks, so everything runs on a dedicated thread; limits in the
driver bound each wait, for a thread can't be cancelled. A password never reaches a message: what the user wrote as URL
is shown without it, and of a driver's error only the first line.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, InternalError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from andon.errors import ConfigError, FatalError, RetryableError
from andon.process.watchdog import NO_LIMIT, TimeLimit
from sinks.store import requirements
from sinks.store.requirements import UnfitError

T = TypeVar("T")
LOCK_S = 10
WAL_RETRY_S = 0.02
"""How long a statement waits for another process's lock."""
STATEMENT_S = 20
CONNECT_S = 5
CALL_S = 60.0
"""How long a call is awaited in all, behind whatever the thread does before it."""
MIGRATIONS = Path(__file__).parent / "migrations"
AWAY = (OperationalError, InterfaceError, InternalError, PoolTimeout)
MIGRATION_LOCK = 0x616E646F6E  # "andon": any number that no other program on the server is likely to lock


class Database:
    """Runs functions in transactions, one after the other, on its thread. Open it with `opened`."""

    def __init__(
        self, engine: Engine, thread: ThreadPoolExecutor, limit: TimeLimit = NO_LIMIT, risks: Sequence[str] = ()
    ) -> None:
        self.risks = risks
        """Settings of the database that may cost what is stored, each as one line."""
        self._engine = engine
        self._thread = thread
        self._limit = limit

    async def run(self, work: Callable[[Connection], T]) -> T:
        """`work` in a transaction of its own; committed when this returns.

        Raises RetryableError while the database is locked, full or away: nothing of it happened, or (when the
        connection broke in the commit) all of it did. A cancelled call may still be carried out.
        """

        def transact() -> T:
            with self._limit(), self._engine.begin() as connection:
                return work(connection)

        try:
            async with asyncio.timeout(CALL_S):
                return await asyncio.get_running_loop().run_in_executor(self._thread, transact)
        except AWAY as error:
            raise RetryableError(f"the store can't be used now: {first_line(error)}") from None
        except TimeoutError:
            raise RetryableError(f"the store has not answered for {CALL_S:.0f} s") from None

    async def close(self) -> None:
        """Waits for what is under way."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.dispose)
        self._thread.shutdown(wait=True)


async def opened(url: str, limit: TimeLimit = NO_LIMIT) -> Database:
    """The database at `url`, its schema brought up to date. `limit` is entered for each transaction.

    Raises, in one line and without the password, ConfigError: no such driver, folder, database, user or right, a schema
    newer than this program, or a database that `requirements` refuses; FatalError where it is locked or away, so that
    starting again may help.
    """
    place = place_of(url)
    thread = ThreadPoolExecutor(1, thread_name_prefix="andon-store")
    try:
        engine = _engine(place)
        risks = await asyncio.get_running_loop().run_in_executor(thread, _prepare, engine, _file(place))
    except BaseException:
        thread.shutdown(wait=False)
        raise
    return Database(engine, thread, limit, risks)


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL; None for another database, or one in memory. Raises ConfigError for what is no URL."""
    return _file(place_of(url))


def _file(place: URL) -> Path | None:
    if place.get_backend_name() != "sqlite" or place.database in (None, "", ":memory:"):
        return None
    return Path(str(place.database))


def answers(url: str) -> None:
    """Connect, and change nothing: a SQLite file that is not there yet is not made. Blocks for CONNECT_S or longer.

    Raises ConfigError or FatalError as `opened` does.
    """
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return
    engine = _engine(place_of(url))
    with _explained(engine), _connected(engine, file) as connection:
        requirements.check(connection)
        _refuse_newer(connection, ScriptDirectory.from_config(_migrations()))


def place_of(url: str) -> URL:
    """Raises ConfigError for a URL that is none, or of another database."""
    try:
        place = make_url(url)
        place.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError, ImportError):
        raise ConfigError(
            "sinks.store: not a database URL that can be used; expected sqlite:///FOLDER/FILE.db or"
            " postgresql+psycopg://USER:PASSWORD@HOST/NAME"
        ) from None
    if "@" in (place.host or ""):  # what stands before it is half of a password, and the driver would show it
        raise ConfigError("sinks.store: the URL can't be read: write @ in a password as %40")
    if place.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigError(f"sinks.store: {place.get_backend_name()}: only sqlite and postgresql+psycopg are supported")
    return place


def _engine(place: URL) -> Engine:
    if place.get_backend_name() == "sqlite":
        _make_folder(place)
        engine = create_engine(
            place,
            pool_size=1,
            max_overflow=0,
            hide_parameters=True,  # else an error quotes what was to be stored
            connect_args={"timeout": LOCK_S, "check_same_thread": False},
        )
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(
        place,
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=postgres_arguments(place, STATEMENT_S),
    )


def postgres_arguments(place: URL, statement_s: int) -> dict[str, Any]:
    """The limits of a connection, but for those that the URL gives itself."""
    limits = f"-c statement_timeout={statement_s}s -c lock_timeout={LOCK_S}s -c timezone=UTC"
    arguments: dict[str, Any] = {
        "client_encoding": "utf8",
        "connect_timeout": CONNECT_S,
        "options": limits,
        "tcp_user_timeout": STATEMENT_S * 1000,
    }
    return {key: value for key, value in arguments.items() if key not in place.query}


def _make_folder(place: URL) -> None:
    folder = Path(place.database or "").parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"sinks.store: {folder}: {error.strerror}") from None


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says, not where the driver guesses
    _use_wal(connection)
    # WAL with NORMAL: a power cut may take the last transactions, but each one wholly, with its offset
    connection.execute("PRAGMA synchronous=NORMAL")


def _use_wal(connection: sqlite3.Connection) -> None:
    """SQLite does not wait for the lock here: of two processes that make a file at the same time one fails at once."""
    last_s = time.monotonic() + LOCK_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > last_s:
                raise
        time.sleep(WAL_RETRY_S)


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once: waiting for it in the middle of a transaction fails at once instead."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _prepare(engine: Engine, file: Path | None) -> list[str]:
    """Bring the schema up to date. Returns the risks that the database's settings bring."""
    with _explained(engine), _connected(engine, file) as connection:
        risks = requirements.check(connection) + requirements.file_risks(file)
        _migrate(connection)
        return [f"sinks.store: {risk}" for risk in risks]


@contextmanager
def _connected(engine: Engine, file: Path | None) -> Iterator[Connection]:
    """A transaction, begun only if the file may lie where it lies."""
    requirements.check_file(file)
    with engine.begin() as connection:
        yield connection


@contextmanager
def _explained(engine: Engine) -> Iterator[None]:
    """Raises the driver's and the migrations' errors as ConfigError or FatalError; lets go of the connection."""
    shown = engine.url.set(query={}).render_as_string(hide_password=True)  # libpq takes a password there, too
    try:
        yield
    except DBAPIError as error:
        kind = FatalError if _is_away(error) else ConfigError
        raise kind(f"sinks.store: {shown}: {first_line(error)}") from None
    except (CommandError, UnfitError) as error:
        raise ConfigError(f"sinks.store: {shown}: {error}") from None
    finally:
        engine.dispose()


def _is_away(error: DBAPIError) -> bool:
    """Not a mistake in the settings: locked by another process, restarting, or not to be reached."""
    if isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    # a server that is away or starting up has not asked for the password; libpq tells no more of a failed connection
    used_password = getattr(getattr(error.orig, "pgconn", None), "used_password", False)
    return isinstance(error, AWAY) and not used_password


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # several sinks may start at once
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    config = _migrations()
    config.attributes["connection"] = connection
    _refuse_newer(connection, ScriptDirectory.from_config(config))
    command.upgrade(config, "head")


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _refuse_newer(connection: Connection, scripts: ScriptDirectory) -> None:
    known = {script.revision for script in scripts.walk_revisions()}
    unknown = set(MigrationContext.configure(connection).get_current_heads()) - known
    if unknown:
        raise CommandError(f"written by a newer Andon (schema {', '.join(sorted(unknown))}); upgrade this one")


def first_line(error: BaseException) -> str:
    reason = str(getattr(error, "orig", None) or error).strip()
    return " ".join(reason.splitlines()[0].split())[:300] if reason else type(error).__name__
