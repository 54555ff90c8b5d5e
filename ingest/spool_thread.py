"""The spool's own thread: no camera and no event loop ever waits for the disk.

It stores what memory has no room for, reads it back in order, and deletes what the broker has acknowledged. A disk that
takes nothing, or never answers, costs frames (`spool_full`), never the process; it is tried again for ever.
"""

import asyncio
import itertools
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from andon.clock import Clock
from andon.events import Emit, SpoolDamaged, SpoolDrained, SpoolFailed, SpoolFilling, SpoolFound
from ingest.bridge import Bridge
from ingest.spool import Spool, SpoolPlace, is_damage, readable, reason, set_aside
from ingest.spooled_queue import BATCH, SpooledQueue
from ingest.threads import either, on_thread

RETRY_S = 1.0
"""Between attempts at a disk that takes nothing."""
RESCUE_S = 2.5
"""How long a process that ends may write what it has in memory to disk; less than it is given to end."""
Job = Callable[[], None]


class SpoolThread:
    """One camera's spool at work; its gauges can be read from any thread."""

    def __init__(self, place: SpoolPlace, queue: SpooledQueue, bridge: Bridge, clock: Clock, emit: Emit) -> None:
        self.place = place
        self.opened = asyncio.Event()
        """What an earlier process left on disk has been counted, or can't be."""
        self.trouble = ""
        """Why frames are shed instead of spooled; empty: they are not."""
        self._queue = queue
        self._bridge = bridge
        self._clock = clock
        self._emit = emit
        self._spool: Spool | None = None
        self._failed: set[Job] = set()
        """Not tried again before `_retry_at_s`."""
        self._retry_at_s = 0.0
        self._filling = False
        self._read_count = 0
        self._ended = asyncio.Event()
        self._busy_since_s: float | None = None
        bridge.serve(lambda: self._ended.is_set() or bool(self._due()))

    @property
    def depth(self) -> int:
        """Messages on disk that have not been read."""
        return self._queue.on_disk

    @property
    def size_bytes(self) -> int:
        spool = self._spool
        return spool.size_bytes if spool is not None else 0

    @property
    def age_s(self) -> float:
        """For how long the oldest frame on disk has waited since its capture; 0: there is none."""
        spool = self._spool
        oldest_ms = spool.oldest_ms if spool is not None else None
        return 0.0 if oldest_ms is None else max(0.0, self._clock.now().timestamp() - oldest_ms / 1000)

    def check(self) -> None:
        """Report a disk that does not answer. From the event loop, now and then."""
        since_s, timeout_s = self._busy_since_s, self.place.timeout_s
        if since_s is not None and self._clock.monotonic() - since_s > timeout_s:
            self._report_trouble(f"the disk has not answered for {timeout_s:g} s (spool.timeout_s)")

    def bound(self, max_bytes: int) -> None:
        """Its share of the room on disk is another one from now on: cameras came or went."""
        self.place = replace(self.place, max_bytes=max_bytes)

    def end(self) -> None:
        """Nobody takes messages out any more: the thread stores what only memory holds, and ends. Event loop only."""
        with self._bridge.exchange():
            self._ended.set()

    async def run(self) -> None:
        """Until `end`, or cancelled; then what is in memory goes to disk. A thread that hangs there is left behind."""
        working = on_thread(self._work, f"camera.{self.place.camera_id}.spool")
        try:
            await either(asyncio.shield(working), self._ended.wait())
        finally:
            self.end()
            await asyncio.wait({working}, timeout=RESCUE_S)
        if working.done():
            working.result()

    # ---- on the thread

    def _work(self) -> None:
        self._attempt(self._open)
        if self._spool is None:
            with self._bridge.exchange():
                self._queue.opened(0, 0)  # nothing that could be read stands before what is new
        self._bridge.call_loop(self.opened.set)
        self._bridge.wait_for_work(self._wait_s())
        while not self._ended.is_set():
            for job in self._due():
                self._attempt(job)
            self._bridge.wait_for_work(self._wait_s())
        for job in (self._delete, self._keep):
            self._attempt(job)
        if self._spool is not None:
            self._spool.close()

    def _wait_s(self) -> float | None:
        """Until something that failed is tried again; None: nothing has failed."""
        rest_s = self._retry_at_s - self._clock.monotonic()
        if rest_s <= 0:
            self._failed.clear()
        return rest_s if self._failed else None

    def _due(self) -> list[Job]:
        """What there is to do, in this order."""
        queue, spool = self._queue, self._spool
        jobs: list[tuple[Job, bool]] = [(self._open, True)]
        if spool is not None:
            jobs = [
                (self._delete, not spool.empty and queue.wants_deletion),
                (self._read, queue.wants_more),
                (self._store, queue.wants_storing),
                (self._report_progress, self._trouble_is_over or self._has_drained),
            ]
        return [job for job, wanted in jobs if wanted and job not in self._failed]

    @property
    def _trouble_is_over(self) -> bool:
        """The disk takes what memory has for it."""
        return bool(self.trouble) and not self._queue.wants_storing and not self._failed

    @property
    def _has_drained(self) -> bool:
        """Nothing waits on disk any more."""
        return self._filling and not self._queue.behind

    def _attempt(self, job: Job) -> None:
        opening, self._busy_since_s = self._spool is None, self._clock.monotonic()
        try:
            job()
        except (sqlite3.Error, OSError) as error:
            if is_damage(error, opening=opening):
                self._replace()
            else:
                self._fail(job, reason(error))
        finally:
            self._busy_since_s = None

    def _fail(self, job: Job, why: str) -> None:
        self._failed.add(job)
        self._retry_at_s = self._clock.monotonic() + RETRY_S
        self._report_trouble(why)

    # ---- the jobs

    @property
    def _disk(self) -> Spool:
        if self._spool is None:
            raise OSError(self.trouble)
        return self._spool

    def _open(self) -> None:
        try:
            spool = self._spool = Spool(self.place)
        except sqlite3.Error as error:
            if not is_damage(error, opening=True):
                raise
            spool = self._spool = self._salvaged(0)
        if old := sorted(self.place.folder.glob("*.spool")):
            text = f"{old[0]}: a file of an earlier format, not read: send it with the version that wrote it"
            self._emit(SpoolDamaged(self.place.camera_id, text))
        if not spool.empty:
            self._filling = True
            self._emit(SpoolFound(self.place.camera_id, spool.end - spool.first, spool.size_bytes))
        with self._bridge.exchange():
            self._queue.opened(spool.first, spool.end)

    def _delete(self) -> None:
        with self._bridge.exchange():
            through = self._queue.to_delete()
        spool = self._disk
        if through < spool.end - 1:
            spool.delete(through)
        elif not spool.empty:  # so a full disk, which has no room even for a deletion, gets its space back
            spool.remove()
            self._spool = None
            spool.close()
            self._spool = Spool(self.place)
        self._failed.discard(self._store)

    def _read(self) -> None:
        with self._bridge.exchange():
            start, most, most_bytes = self._queue.to_read()
        rows = self._disk.read(start, most, most_bytes)
        with self._bridge.exchange():
            self._queue.read(rows)
        self._read_count += len(rows)
        if unreadable := sum(message is None for _, message in rows):
            text = f"{self.place.folder}: {unreadable} records can't be read back"
            self._emit(SpoolDamaged(self.place.camera_id, text))

    def _store(self) -> None:
        with self._bridge.exchange():
            rows = self._queue.to_store()
        stored = 0
        try:
            self._disk.bound(self.place.max_bytes)
            stored = self._disk.append(rows)
        finally:
            with self._bridge.exchange():
                self._queue.stored(stored)
        if stored and not self._filling:
            self._filling = True
            self._emit(SpoolFilling(self.place.camera_id))
        if rows and not stored:
            self._fail(self._store, f"full: {self.place.max_bytes} bytes are this camera's share of spool.max_bytes")

    def _keep(self) -> None:
        with self._bridge.exchange():
            leftover = self._queue.leftover()
        self._disk.keep(leftover)

    def _report_progress(self) -> None:
        if self._trouble_is_over:
            self.trouble = ""
        if self._has_drained:
            self._filling = False
            self._emit(SpoolDrained(self.place.camera_id, self._read_count))
            self._read_count = 0

    # ---- trouble

    def _report_trouble(self, why: str) -> None:
        if why != self.trouble:
            self.trouble = why
            self._emit(SpoolFailed(self.place.camera_id, f"{self.place.folder}: {why}"))

    def _replace(self) -> None:
        """The database can't be read any more: go on with a new one, and with what the old one still gives."""
        if self._spool is not None:
            self._spool.close()
        self._spool = None
        try:
            self._spool = self._salvaged(self._queue.to_read()[0])
        except (sqlite3.Error, OSError) as error:
            self._fail(self._open, reason(error))
            with self._bridge.exchange():
                self._queue.read([])

    def _salvaged(self, start: int) -> Spool:
        """A new database with what the damaged one gives from the position `start` on."""
        damaged, count = set_aside(self.place), 0
        try:
            spool, rows = Spool(self.place), readable(damaged, start)
            with suppress(sqlite3.Error):  # a full disk: what has no room is lost, and lies in the damaged one
                while batch := list(itertools.islice(rows, BATCH)):
                    spool.keep(batch)
                    count += len(batch)
            return spool
        finally:
            text = f"the spool was damaged: {count} records are read back, the others lost; it lies at {damaged}"
            self._emit(SpoolDamaged(self.place.camera_id, text))
