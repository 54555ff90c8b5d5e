"""A camera's spool on disk: files of records, appended and read by one thread. Blocks on the disk.

A write reaches the kernel before it counts, so what was spooled outlives the process, however that dies. It outlives
the machine's power only with `fsync`, which waits for the disk at each record. A record that was torn ends its segment.
"""

import errno
import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from andon.clock import Clock
from ingest.spool_format import HEAD, Torn, body_bytes, pack, unpack
from ingest.spool_index import Segment, SpoolIndex
from ingest.waiting import Message

SUFFIX = ".spool"


@dataclass(frozen=True, slots=True)
class SpoolPlace:
    """Where one camera's spool lies, and how much of it there may be."""

    folder: Path
    max_bytes: int
    segment_bytes: int = 16_000_000
    fsync: bool = False


class Spool:
    """Held by one process: a second one is refused."""

    def __init__(self, place: SpoolPlace, clock: Clock) -> None:
        """Raises OSError where the folder can't be had or another process holds it."""
        self._place = place
        self._clock = clock
        self._files: dict[int, int] = {}
        place.folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(place.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.index = SpoolIndex(place.max_bytes, place.segment_bytes, _found(place.folder))
            self._remove_done()
        except BaseException:
            os.close(self._lock)
            raise

    def append(self, message: Message) -> bool:
        """Keep a message behind all others; False: there is no room. Raises OSError, and then it is not kept."""
        record = pack(message)
        if not self.index.has_room(len(record)):
            return False
        segment = self.index.target(len(record), self._clock.now())
        self._write(segment, record)
        self.index.appended(segment, len(record))
        return True

    def next(self) -> tuple[Message, int] | None:
        """The oldest message that has not been read, and its segment, for `settle`; None: there is none.

        Raises:
            Torn: the rest of a segment is not readable; its records are given up, and the next call goes on behind it.
            OSError: it can't be read now (no file handle, no memory); the next call tries the same again.
        """
        segment = self.index.next()
        if segment is None:
            return None
        try:
            message, size_bytes = self._read(segment)
        except (Torn, OSError) as error:
            if isinstance(error, OSError) and error.errno != errno.EIO:
                raise
            lost = self.index.damaged(segment)
            self._remove_done()
            raise Torn(f"{self._path(segment.number)}: {lost} records can't be read back") from error
        self.index.took(segment, size_bytes)
        return message, segment.number

    def settle(self, number: int) -> bool:
        """A message read from this segment needs no keeping any more. Returns whether there is more room now."""
        self.index.settle(number)
        return self._remove_done()

    def put_back(self, messages: Sequence[Message]) -> None:
        """Keep these before all others, whatever the room, for the next process. Raises OSError."""
        segment = self.index.front(self._clock.now())
        for message in messages:
            record = pack(message)
            self._write(segment, record)
            self.index.appended(segment, len(record))

    def close(self) -> None:
        """What is not settled stays for the next process."""
        for file in self._files.values():
            os.close(file)
        self._files.clear()
        os.close(self._lock)

    def _write(self, segment: Segment, record: bytes) -> None:
        file = self._file(segment.number)
        try:
            written = 0
            while written < len(record):
                written += os.pwrite(file, memoryview(record)[written:], segment.size_bytes + written)
            if self._place.fsync:
                os.fsync(file)
        except OSError:
            with suppress(OSError):  # else the reader finds the torn record itself
                os.ftruncate(file, segment.size_bytes)
            raise

    def _read(self, segment: Segment) -> tuple[Message, int]:
        file = self._file(segment.number)
        head = os.pread(file, HEAD.size, segment.read_bytes)
        body = os.pread(file, body_bytes(head), segment.read_bytes + HEAD.size)
        return unpack(head, body), len(head) + len(body)

    def _file(self, number: int) -> int:
        if number not in self._files:
            self._files[number] = os.open(self._path(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._files[number]

    def _remove_done(self) -> bool:
        done = self.index.remove_done()
        for number in done:
            if number in self._files:
                os.close(self._files.pop(number))
            with suppress(OSError):  # it stays, and is sent again after the next start
                self._path(number).unlink()
        return bool(done)

    def _path(self, number: int) -> Path:
        return self._place.folder / f"{number:012d}{SUFFIX}"


def _found(folder: Path) -> list[Segment]:
    paths = sorted(path for path in folder.glob(f"*{SUFFIX}") if path.stem.isdecimal())
    return [_measured(path) for path in paths]


def _measured(path: Path) -> Segment:
    """Count a segment's records by their lengths alone; each one's checksum is looked at when it is read."""
    segment = Segment(int(path.stem), datetime.fromtimestamp(path.stat().st_mtime, UTC))
    size_bytes = path.stat().st_size
    with path.open("rb") as file, suppress(Torn):
        while True:
            file.seek(segment.size_bytes)
            record_bytes = HEAD.size + body_bytes(file.read(HEAD.size))
            if segment.size_bytes + record_bytes > size_bytes:
                break
            segment.size_bytes += record_bytes
            segment.records += 1
    return segment
