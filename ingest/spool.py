"""A camera's spool on disk: a table of messages in an SQLite database. Used by one thread; blocks on the disk.

A commit reaches the kernel before it counts, so spooled frames outlive the process, however that dies. With `fsync`
they outlive a power cut, too, and each commit waits for the disk.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ingest.spool_record import decode, encode
from ingest.spooled import ReadRow, Row

NAME = "spool.db"
SET_ASIDE = "spool.db.damaged"
"""A database that can't be read lies here; the next one replaces it."""
PAGE_BYTES, SMALL_PAGE_BYTES, SMALL_BYTES = 32_768, 4_096, 16_000_000
"""Large pages cost the least for pictures; below `SMALL_BYTES` in all they would waste too much of it."""
MAX_SALVAGED = 10_000_000
"""Positions that are tried in a damaged database: its positions may be damaged, too."""
LOG_BYTES = 8_000_000
"""Most of the write-ahead log, which counts towards the spool's bound."""
_SCHEMA = """CREATE TABLE IF NOT EXISTS message
(position INTEGER PRIMARY KEY, timestamp_ms INTEGER NOT NULL, about BLOB NOT NULL, value BLOB NOT NULL)"""
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNREADABLE = (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS)


class SpoolError(Exception):
    """The disk takes or gives nothing now; the text says why. What was asked for has not happened."""


class DamagedSpoolError(Exception):
    """The database can't be read, now or ever."""


@dataclass(frozen=True, slots=True)
class SpoolPlace:
    """Where one camera's spool lies, and how large it may become."""

    folder: Path
    max_bytes: int
    fsync: bool = False

    @property
    def log_bytes(self) -> int:
        """A quarter of a small spool; half of it is one transaction's at most."""
        return min(LOG_BYTES, self.max_bytes // 4)


class Spool:
    """Held by one process: a second one is refused."""

    def __init__(self, place: SpoolPlace) -> None:
        """Raises SpoolError: the folder can't be had, or another process holds it. DamagedSpoolError."""
        self._place = place
        self._path = place.folder / NAME
        self.records = 0
        self.last_position = -1
        """Of the messages that were there when it was opened, or that `keep` has stored since."""
        self.oldest_ms: int | None = None
        """When the oldest message on disk was captured, in ms since 1970; None: there is none."""
        with explained():
            place.folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(place.folder / "lock")
            try:
                self._open()
            except BaseException:
                os.close(self._lock)
                raise

    @property
    def size_bytes(self) -> int:
        """What the messages take on disk."""
        return self._used_pages * self._page_bytes

    def append(self, rows: Sequence[Row]) -> int:
        """Store messages behind all others, in one transaction. Returns how many: the first that there is room for.

        Raises SpoolError, DamagedSpoolError: none has been stored.
        """
        packed, free = [], self._max_pages - self._used_pages
        for position, message in rows:
            values = encode(position, message)
            free -= 2 + (len(values[2]) + len(values[3])) // (self._page_bytes - 4)
            if free < 0:
                break
            packed.append(values)
        if packed:
            with self._transaction():
                self._db.executemany("INSERT OR REPLACE INTO message VALUES (?, ?, ?, ?)", packed)
            self._count(len(packed))
        return len(packed)

    def read(self, after: int, most: int, most_bytes: int) -> list[ReadRow]:
        """The oldest messages with a position above `after`: at least one, else up to `most` and `most_bytes`.

        Raises SpoolError, DamagedSpoolError.
        """
        rows: list[ReadRow] = []
        with explained(), _unreadable_is_damage():
            query = "SELECT position, timestamp_ms, about, value FROM message WHERE position > ? ORDER BY position"
            for position, timestamp_ms, about, value in self._db.execute(f"{query} LIMIT ?", (after, most)):
                rows.append((position, decode(timestamp_ms, about, value)))
                most_bytes -= len(value)
                if most_bytes <= 0:
                    break
        return rows

    def delete(self, through: int) -> None:
        """Raises SpoolError, DamagedSpoolError."""
        with self._transaction():
            deleted = self._db.execute("DELETE FROM message WHERE position <= ?", (through,)).rowcount
        self._count(-deleted)

    def keep(self, rows: Sequence[Row]) -> None:
        """Store what a process that ends holds in memory, at its positions and whatever the room.

        Raises SpoolError, DamagedSpoolError.
        """
        with self._transaction():
            values = [encode(*row) for row in rows]
            self._db.executemany("INSERT OR IGNORE INTO message VALUES (?, ?, ?, ?)", values)
        self._measure()

    def clear(self) -> None:
        """Begin again with an empty database: all disk space comes back, also where the disk is full.

        Raises SpoolError: it can't be opened again, and only `close` may follow.
        """
        with explained():
            self._db.close()
            for suffix in ("", "-wal"):
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)
            self._open()

    def close(self) -> None:
        """What was not deleted stays for the next process."""
        with suppress(sqlite3.Error):
            self._db.close()
        os.close(self._lock)

    def _open(self) -> None:
        self._db = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            self._set_up()
        except BaseException:
            self._db.close()
            raise

    def _set_up(self) -> None:
        place = self._place
        page_bytes = SMALL_PAGE_BYTES if place.max_bytes < SMALL_BYTES else PAGE_BYTES
        for pragma in (
            f"page_size = {page_bytes}",
            "locking_mode = EXCLUSIVE",
            "journal_mode = WAL",
            f"synchronous = {'FULL' if place.fsync else 'NORMAL'}",
            "cache_size = -2000",
        ):
            self._db.execute(f"PRAGMA {pragma}").fetchall()
        self._page_bytes = self._pragma("page_size")
        self._max_pages = (place.max_bytes - place.log_bytes) // self._page_bytes
        self._db.execute(f"PRAGMA wal_autocheckpoint = {max(1, place.log_bytes // 2 // self._page_bytes)}").fetchall()
        with self._transaction():
            self._db.execute(_SCHEMA)
        self._measure()

    def _measure(self) -> None:
        count = "SELECT count(*), coalesce(max(position), -1) FROM message"
        with explained():
            self.records, self.last_position = self._db.execute(count).fetchone()
        self._count(0)

    def _count(self, change: int) -> None:
        self.records += change
        with explained():
            self._used_pages = self._pragma("page_count") - self._pragma("freelist_count")
            if change <= 0 or self.oldest_ms is None:
                oldest = self._db.execute("SELECT timestamp_ms FROM message ORDER BY position LIMIT 1").fetchone()
                self.oldest_ms = oldest[0] if oldest else None

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with explained():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


def set_aside(place: SpoolPlace) -> Path:
    """Move a damaged database out of the way. Raises SpoolError."""
    with explained():
        for suffix in ("-wal", ""):
            path = place.folder / f"{NAME}{suffix}"
            if path.exists():
                path.replace(place.folder / f"{SET_ASIDE}{suffix}")
    return place.folder / SET_ASIDE


def readable(damaged: Path, after: int) -> Iterator[Row]:
    """The messages above the position `after` that a damaged database still gives, one by one."""
    database = sqlite3.connect(damaged, isolation_level=None, check_same_thread=False)
    with closing(database), suppress(sqlite3.Error):
        # each by itself goes straight to its end of the table; together they would read all of it
        (first,) = database.execute("SELECT min(position) FROM message").fetchone()
        (last,) = database.execute("SELECT max(position) FROM message").fetchone()
        positions = range(max(after + 1, first), min(last, first + MAX_SALVAGED) + 1) if first is not None else ()
        for position in positions:
            with suppress(sqlite3.DatabaseError):
                query = "SELECT timestamp_ms, about, value FROM message WHERE position = ?"
                row = database.execute(query, (position,)).fetchone()
                message = None if row is None else decode(*row)
                if message is not None:
                    yield position, message


def _locked(path: Path) -> int:
    """A file of its own, so that the database can be replaced while it is locked. Version 0.1 locked it, too."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(lock)
        raise
    return lock


@contextmanager
def explained() -> Iterator[None]:
    """Turns what SQLite and the system raise into SpoolError and DamagedSpoolError."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if _code(error) in _DAMAGE:
            raise DamagedSpoolError(str(error)) from error
        raise SpoolError(_reason(error)) from error
    except BlockingIOError as error:
        raise SpoolError("another process holds this camera's spool") from error
    except OSError as error:
        raise SpoolError(error.strerror or type(error).__name__) from error


@contextmanager
def _unreadable_is_damage() -> Iterator[None]:
    """A part of the disk that can't be read must not hold up what lies behind it."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) in _UNREADABLE:
            raise DamagedSpoolError(str(error)) from error
        raise


def _code(error: sqlite3.DatabaseError) -> int:
    """SQLite's primary result code; 0 for an error of Python's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _reason(error: sqlite3.DatabaseError) -> str:
    if _code(error) == sqlite3.SQLITE_FULL:
        return "No space left on device"
    return f"{error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})"
