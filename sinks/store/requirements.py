"""The demands on the store's database: version, mode, and the file system below SQLite. Read when it is opened.

A database that would lose what it has taken is refused. One that may lose it in a power cut gets a line.
"""

import sqlite3
from pathlib import Path

from sqlalchemy import Connection, text

from andon import filesystem

OLDEST_SQLITE = (3, 35)
"""INSERT ... RETURNING came with it (https://www.sqlite.org/lang_returning.html)."""
OLDEST_POSTGRESQL = 12
"""The oldest version that psycopg's and SQLAlchemy's own tests still knew when this was written; 15 runs in ours."""


class UnfitError(Exception):
    """This database can't be the store; the text says why, in one line."""


def check_file(file: Path | None) -> None:
    """Raises UnfitError if an SQLite database can't lie there. None: there is no file."""
    if file is not None and filesystem.is_network(name := filesystem.kind(file)):
        raise UnfitError(
            f"it lies on {name}: SQLite's log is not safe behind a network (https://www.sqlite.org/wal.html);"
            " use a local disk, or postgresql+psycopg://"
        )


def file_risks(file: Path | None) -> list[str]:
    """The ways in which the file may go for good, each as one line."""
    risk = None if file is None else filesystem.passing(file)
    return [] if risk is None else [risk]


def check(connection: Connection) -> list[str]:
    """Settings with which a power cut may cost what is stored, each as one line. Raises UnfitError."""
    sqlite = connection.dialect.name == "sqlite"
    if (reason := _sqlite_refusal(connection) if sqlite else _postgresql_refusal(connection)) is not None:
        raise UnfitError(reason)
    names = () if sqlite else ("fsync", "full_page_writes")
    off = [name for name in names if _shown(connection, name) == "off"]
    return [f"PostgreSQL's {name} is off: a power cut may destroy the store; turn it on" for name in off]


def _sqlite_refusal(connection: Connection) -> str | None:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        return f"this Python has SQLite {sqlite3.sqlite_version}; Andon needs {oldest} or newer"
    mode = connection.execute(text("PRAGMA journal_mode")).scalar()
    if mode not in ("wal", "memory"):
        return f"its file system does not allow SQLite's write-ahead log (journal_mode is {mode}); use a local disk"
    return None


def _postgresql_refusal(connection: Connection) -> str | None:
    if int(_shown(connection, "server_version_num")) < OLDEST_POSTGRESQL * 10_000:
        version = _shown(connection, "server_version")
        return f"it is PostgreSQL {version}; Andon needs {OLDEST_POSTGRESQL} or newer"
    if connection.execute(text("select pg_is_in_recovery()")).scalar():
        return "it is a standby, which takes no writes; name the primary"
    if _shown(connection, "default_transaction_read_only") == "on":
        return "default_transaction_read_only is on for this user or database; turn it off"
    if (encoding := _shown(connection, "server_encoding")) != "UTF8":
        return f"its encoding is {encoding}, which can't hold every label; make the database with encoding 'UTF8'"
    return None


def _shown(connection: Connection, name: str) -> str:
    return str(connection.execute(text("select current_setting(:name)"), {"name": name}).scalar())
