"""A camera's spool on disk: a table of messages in an SQLite database. Used by one thread; blocks on the disk.

A commit reaches the kernel before it counts, so spooled frames outlive the process, however that dies. With `fsync`
they outlive a power cut, too, and each commit waits for the disk. Any call may raise `sqlite3.Error` or `OSError`: then
what was asked for has not happened.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

from andon import wire
from andon.errors import DecodeError
from andon.messages import CameraStatus, Frame, ShedRange
from ingest.queue import Message
from ingest.spooled_queue import ReadRow, Row

NAME = "spool.db"
LOCK = "lock"
SET_ASIDE = "spool.db.damaged"
"""A database that can't be read lies here; the next one replaces it."""
PAGE_BYTES, SMALL_PAGE_BYTES, SMALL_BYTES = 65_536, 4_096, 16_000_000
"""Large pages cost the least for pictures; below `SMALL_BYTES` in all they would waste too much of it."""
LOG_BYTES = 16_000_000
"""Most of the write-ahead log, which counts towards the spool's bound."""
MAX_SALVAGED = 10_000_000
"""Positions that are tried in a damaged database: its positions may be damaged, too."""
_SCHEMA = """CREATE TABLE IF NOT EXISTS message
(position INTEGER PRIMARY KEY, timestamp_ms INTEGER NOT NULL, about BLOB NOT NULL, value BLOB NOT NULL)"""
_UNREADABLE = (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS)


@dataclass(frozen=True, slots=True)
class SpoolPlace:
    """Where one camera's spool lies, and how large it may become."""

    folder: Path
    """Its name is the camera's id."""
    max_bytes: int
    fsync: bool = False
    timeout_s: float = 10.0
    """A disk that has not answered for longer is reported."""

    @property
    def camera_id(self) -> str:
        return self.folder.name

    @property
    def log_bytes(self) -> int:
        """A quarter of a small spool."""
        return min(LOG_BYTES, self.max_bytes // 4)


class Spool:
    """Messages at the positions `first` to `end` - 1. Held by one process: a second one gets a BlockingIOError."""

    def __init__(self, place: SpoolPlace) -> None:
        self._path = place.folder / NAME
        self.first = self.end = 0
        self.size_bytes = 0
        """What the messages take on disk."""
        self.oldest_ms: int | None = None
        """When the oldest message was captured, in ms since 1970; None: there is none."""
        with ExitStack() as undo:
            place.folder.mkdir(parents=True, exist_ok=True)
            # a file of its own is locked, so that the database can be replaced meanwhile
            self._lock = os.open(place.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            undo.callback(os.close, self._lock)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._db = sqlite3.connect(self._path, timeout=0, check_same_thread=False)
            undo.callback(self._db.close)
            self._set_up(place)
            undo.pop_all()

    @property
    def empty(self) -> bool:
        return self.first == self.end

    def bound(self, max_bytes: int) -> None:
        """Let it take this much from now on. What lies there already stays."""
        self._max_pages = (max_bytes - self._log_bytes) // self._page_bytes

    def append(self, rows: Sequence[Row]) -> int:
        """Store messages behind all others, in one transaction. Returns how many: the first for which there is room
        in the spool and, but for the first one, in half of the log. 0: the spool is full.
        """
        fitting: list[tuple[int, int, bytes, bytes]] = []
        pages, free = 0, self._max_pages - self._used_pages
        for position, message in rows:
            values = encode(position, message)
            pages += 2 + (len(values[2]) + len(values[3])) // (self._page_bytes - 4)
            if pages > (min(free, self._checkpoint_pages) if fitting else free):
                break
            fitting.append(values)
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO message VALUES (?, ?, ?, ?)", fitting)
        self._measure()
        return len(fitting)

    def keep(self, rows: Sequence[Row]) -> None:
        """Store those that are not there, at their positions and whatever the room: the process ends."""
        with self._db:
            self._db.executemany("INSERT OR IGNORE INTO message VALUES (?, ?, ?, ?)", [encode(*row) for row in rows])
        self._measure()

    def read(self, start: int, most: int, most_bytes: int) -> list[ReadRow]:
        """The oldest messages from the position `start` on: at least one, else up to `most` and `most_bytes`."""
        rows: list[ReadRow] = []
        query = "SELECT position, timestamp_ms, about, value FROM message WHERE position >= ? ORDER BY position LIMIT ?"
        for position, timestamp_ms, about, value in self._db.execute(query, (start, most)):
            rows.append((position, decode(timestamp_ms, about, value)))
            most_bytes -= len(value)
            if most_bytes <= 0:
                break
        return rows

    def delete(self, through: int) -> None:
        """Delete up to a position."""
        with self._db:
            self._db.execute("DELETE FROM message WHERE position <= ?", (through,))
        self._measure()

    def remove(self) -> None:
        """Give up all messages and their disk space; only `close` may follow."""
        for suffix in ("-wal", ""):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)

    def close(self) -> None:
        """What was not deleted stays for the next process."""
        with suppress(sqlite3.Error):
            self._db.close()
        os.close(self._lock)

    def _set_up(self, place: SpoolPlace) -> None:
        page_bytes = SMALL_PAGE_BYTES if place.max_bytes < SMALL_BYTES else PAGE_BYTES
        for pragma in (
            f"page_size = {page_bytes}",
            "secure_delete = OFF",  # on in Debian: a deletion would write zeros over every page, twice
            "locking_mode = EXCLUSIVE",
            "journal_mode = WAL",
            f"synchronous = {'FULL' if place.fsync else 'NORMAL'}",
            "cache_size = -2000",
        ):
            self._db.execute(f"PRAGMA {pragma}").fetchall()
        self._page_bytes = self._number("PRAGMA page_size")
        self._log_bytes = place.log_bytes
        self.bound(place.max_bytes)
        # half of the log; each page has a head of 24 bytes there, and the log has one, too
        self._checkpoint_pages = max(1, place.log_bytes // 2 // (self._page_bytes + 24) - 1)
        self._db.execute(f"PRAGMA wal_autocheckpoint = {self._checkpoint_pages}").fetchall()
        self._db.execute(_SCHEMA)
        self._measure()

    def _measure(self) -> None:
        self._used_pages = self._number("PRAGMA page_count") - self._number("PRAGMA freelist_count")
        oldest = self._db.execute("SELECT position, timestamp_ms FROM message ORDER BY position LIMIT 1").fetchone()
        self.first, self.oldest_ms = oldest or (0, None)
        self.end = self._number("SELECT coalesce(max(position), -1) FROM message") + 1
        self.size_bytes = 0 if self.empty else self._used_pages * self._page_bytes

    def _number(self, query: str) -> int:
        return int(self._db.execute(query).fetchone()[0])


def set_aside(place: SpoolPlace) -> Path:
    """Move a damaged database out of the way."""
    for suffix in ("-wal", ""):
        with suppress(FileNotFoundError):
            (place.folder / f"{NAME}{suffix}").replace(place.folder / f"{SET_ASIDE}{suffix}")
    return place.folder / SET_ASIDE


def readable(damaged: Path, start: int) -> Iterator[Row]:
    """The messages from the position `start` on that a damaged database still gives, one by one."""
    with closing(sqlite3.connect(damaged, check_same_thread=False)) as database, suppress(sqlite3.Error):
        # each by itself goes straight to its end of the table; together they would read all of it
        (first,) = database.execute("SELECT min(position) FROM message").fetchone()
        (last,) = database.execute("SELECT max(position) FROM message").fetchone()
        positions = range(max(start, first), min(last, first + MAX_SALVAGED) + 1) if first is not None else ()
        for position in positions:
            with suppress(sqlite3.DatabaseError):
                query = "SELECT timestamp_ms, about, value FROM message WHERE position = ?"
                row = database.execute(query, (position,)).fetchone()
                message = None if row is None else decode(*row)
                if message is not None:
                    yield position, message


def encode(position: int, message: Message) -> tuple[int, int, bytes, bytes]:
    """A row of the table: the message's Kafka record, so that what reads old records reads old spools, too."""
    record = wire.encode(message)
    headers = [(name, value.decode()) for name, value in record.headers]
    about = json.dumps([record.key.decode(), headers], separators=(",", ":")).encode()
    return position, record.timestamp_ms, about, record.value


def decode(timestamp_ms: int, about: bytes, value: bytes) -> Message | None:
    """None: it is damaged, or this version can't read it."""
    try:
        key, headers = json.loads(about)
        encoded = [(name, text.encode()) for name, text in headers]
        message = wire.decode(wire.Record("spool", 0, 0, timestamp_ms, key.encode(), value, encoded))
    except (DecodeError, ValueError, TypeError, AttributeError):
        return None
    return message if isinstance(message, Frame | ShedRange | CameraStatus) else None


def is_damage(error: Exception, *, opening: bool) -> bool:
    """Whether the database can't be read, now or ever. A part that can't be read must not hold up what lies behind it;
    but a database that can't be opened may only have to wait for its disk.
    """
    code = getattr(error, "sqlite_errorcode", 0)  # 0: an error of Python's own
    damaged = code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return damaged or (code in _UNREADABLE and not opening)


def reason(error: Exception) -> str:
    """Why the disk takes or gives nothing now, in one line."""
    if isinstance(error, BlockingIOError):
        return "another process holds this camera's spool"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return "No space left on device"
    return f"{error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})"
