"""The spool's own thread: no camera and no event loop ever waits for the disk.

It stores what memory has no room for, reads it back in order, and deletes what the broker has acknowledged. A disk that
takes nothing, or never answers, costs frames (`spool_full`), never the process; it is tried again for ever.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal

from andon.clock import Clock
from andon.events import Emit, SpoolDamaged, SpoolDrained, SpoolFailed, SpoolFilling, SpoolFound
from ingest.bridge import Bridge
from ingest.old_spool import import_old
from ingest.spool import DamagedSpoolError, Spool, SpoolError, SpoolPlace, readable, set_aside
from ingest.spooled import BATCH, Spooled
from ingest.threads import either, on_thread

RETRY_S = 1.0
"""Between attempts at a disk that takes nothing."""
RESCUE_S = 2.5
"""How long a process that ends may write what it has in memory to disk; less than it is given to end."""
CLEAR_BYTES = 1_000_000
"""A drained spool that takes more than this gives its disk space back."""
Action = Literal["open", "store", "read", "delete"]


@dataclass(frozen=True, slots=True)
class SpoolTools:
    """What the spools of a process share."""

    clock: Clock
    emit: Emit
    timeout_s: float = 10.0
    """A disk that has not answered for longer is reported."""


class SpoolThread:
    """One camera's spool at work; its gauges can be read from any thread."""

    def __init__(self, camera_id: str, place: SpoolPlace, queue: Spooled, bridge: Bridge, tools: SpoolTools) -> None:
        self.camera_id = camera_id
        self.place = place
        self.opened = asyncio.Event()
        """What an earlier process left on disk has been counted, or can't be."""
        self.trouble = ""
        """Why frames are shed instead of spooled; empty: they are not."""
        self._queue = queue
        self._bridge = bridge
        self._clock = tools.clock
        self._emit = tools.emit
        self._timeout_s = tools.timeout_s
        self._spool: Spool | None = None
        self._failed: set[Action] = set()
        """Not tried again before `_retry_at_s`."""
        self._retry_at_s = 0.0
        self._filling = False
        self._read_count = 0
        self._ending = False
        self._ended = asyncio.Event()
        self._busy_since_s: float | None = None
        bridge.serve(self._has_work)

    @property
    def depth(self) -> int:
        """Messages on disk that have not been read."""
        return self._queue.on_disk

    @property
    def size_bytes(self) -> int:
        spool = self._spool
        return spool.size_bytes if spool is not None and spool.records else 0

    @property
    def age_s(self) -> float:
        """For how long the oldest frame on disk has waited since its capture; 0: there is none."""
        oldest_ms = self._spool.oldest_ms if self._spool is not None else None
        return 0.0 if oldest_ms is None else max(0.0, self._clock.now().timestamp() - oldest_ms / 1000)

    def check(self) -> None:
        """Report a disk that does not answer. From the event loop, now and then."""
        since_s = self._busy_since_s
        if since_s is not None and self._clock.monotonic() - since_s > self._timeout_s:
            self._report(f"the disk has not answered for {self._timeout_s:g} s (spool.timeout_s)")

    def end(self) -> None:
        """Nobody takes messages out any more: the thread stores what only memory holds, and ends. Event loop only."""
        with self._bridge.exchange():
            self._ending = True
        self._ended.set()

    async def run(self) -> None:
        """Until `end`, or cancelled; then what is in memory goes to disk. A thread that hangs there is left behind."""
        working = on_thread(self._work, f"camera.{self.camera_id}.spool")
        try:
            await either(asyncio.shield(working), self._ended.wait())
        finally:
            self.end()
            await asyncio.wait({working}, timeout=RESCUE_S)
        if working.done():
            working.result()

    def _work(self) -> None:
        self._open()
        if self._spool is None:
            with self._bridge.exchange():
                self._queue.opened(0, -1)  # nothing that could be read stands before what is new
        self._bridge.call_loop(self.opened.set)
        while not self._ending:
            self._bridge.wait_for_work(self._wait_s())
            if not self._ending:
                self._step()
        self._rescue()

    def _wait_s(self) -> float | None:
        """Until something that failed is tried again; None: nothing has failed."""
        rest_s = self._retry_at_s - self._clock.monotonic()
        if rest_s <= 0:
            self._failed.clear()
        return rest_s if self._failed else None

    def _has_work(self) -> bool:
        queue, failed = self._queue, self._failed
        if self._ending:
            return True
        if self._spool is None:
            return queue.storable and "open" not in failed
        return (
            (queue.wants_deletion and "delete" not in failed)
            or (queue.wants_more and "read" not in failed)
            or (queue.storable and "store" not in failed)
            or (bool(self.trouble) and not queue.storable and not failed)
            or (self._filling and not queue.behind)
        )

    def _step(self) -> None:
        if self._spool is None and "open" not in self._failed:
            self._open()
        if (spool := self._spool) is not None:
            try:
                self._try("delete", self._delete, spool)
                self._try("read", self._read, spool)
                self._try("store", self._store, spool)
            except DamagedSpoolError:
                self._replace(spool)
        self._report_progress()

    def _try(self, action: Action, act: Callable[[Spool], None], spool: Spool) -> None:
        if action in self._failed:
            return
        try:
            with self._on_disk():
                act(spool)
        except SpoolError as error:
            self._fail(action, str(error))

    def _delete(self, spool: Spool) -> None:
        with self._bridge.exchange():
            through, count = self._queue.to_delete() if self._queue.wants_deletion else (-1, 0)
            drained = self._queue.drained
        if not count:
            return
        if drained and spool.size_bytes > CLEAR_BYTES:
            self._clear(spool)
        else:
            try:
                spool.delete(through)
            except SpoolError:
                if not drained:
                    raise
                self._clear(spool)  # a full disk has no room even for a deletion
        with self._bridge.exchange():
            self._queue.deleted(count)
        self._failed.discard("store")

    def _clear(self, spool: Spool) -> None:
        try:
            spool.clear()
        except SpoolError:
            self._spool = None
            spool.close()
            raise

    def _read(self, spool: Spool) -> None:
        with self._bridge.exchange():
            if not self._queue.wants_more:
                return
            after, (most, most_bytes) = self._queue.read_through, self._queue.room
        rows = spool.read(after, most, most_bytes)
        if not rows:
            raise DamagedSpoolError
        with self._bridge.exchange():
            self._queue.read(rows)
        self._read_count += len(rows)
        if unreadable := sum(message is None for _, message in rows):
            self._emit(SpoolDamaged(self.camera_id, f"{self.place.folder}: {unreadable} records can't be read back"))

    def _store(self, spool: Spool) -> None:
        with self._bridge.exchange():
            rows = self._queue.to_store(self.place.log_bytes // 2)
        if not rows:
            return
        stored = 0
        try:
            stored = spool.append(rows)
        finally:
            with self._bridge.exchange():
                self._queue.stored(stored)
        if not stored:
            raise SpoolError(f"full: {self.place.max_bytes} bytes are this camera's share of spool.max_bytes")
        if not self._filling:
            self._filling = True
            self._emit(SpoolFilling(self.camera_id))

    def _open(self) -> None:
        try:
            with self._on_disk():
                self._spool = self._opened()
        except (SpoolError, DamagedSpoolError) as error:
            self._fail("open", str(error))

    def _opened(self) -> Spool:
        try:
            spool = Spool(self.place)
        except DamagedSpoolError:
            spool = self._salvaged(-1)
        try:
            import_old(spool, self.place.folder, lambda text: self._emit(SpoolDamaged(self.camera_id, text)))
        except BaseException:
            spool.close()  # else it stays locked, and the next attempt is refused
            raise
        if spool.records:
            self._filling = True
            self._emit(SpoolFound(self.camera_id, spool.records, spool.size_bytes))
        with self._bridge.exchange():
            self._queue.opened(spool.records, spool.last_position)
        return spool

    def _replace(self, spool: Spool) -> None:
        """The database can't be read any more: go on with a new one, and with what the old one still gives."""
        self._spool = None
        spool.close()
        try:
            with self._on_disk():
                self._spool = self._salvaged(self._queue.read_through)
        except SpoolError as error:
            self._fail("open", str(error))
        with self._bridge.exchange():
            self._queue.replaced(self._spool.records if self._spool is not None else 0)

    def _salvaged(self, after: int) -> Spool:
        """Raises SpoolError: there is no new database."""
        damaged = set_aside(self.place)
        spool = Spool(self.place)
        rows = readable(damaged, after)
        with suppress(SpoolError):  # a full disk: what has no room is lost, and lies in the damaged one
            while batch := list(itertools.islice(rows, BATCH)):
                spool.keep(batch)
        text = f"the spool was damaged: {spool.records} records are read back, the others lost; it lies at {damaged}"
        self._emit(SpoolDamaged(self.camera_id, text))
        return spool

    @contextmanager
    def _on_disk(self) -> Iterator[None]:
        self._busy_since_s = self._clock.monotonic()
        try:
            yield
        finally:
            self._busy_since_s = None

    def _fail(self, action: Action, reason: str) -> None:
        self._failed.add(action)
        self._retry_at_s = self._clock.monotonic() + RETRY_S
        self._report(reason)

    def _report(self, reason: str) -> None:
        if reason != self.trouble:
            self.trouble = reason
            self._emit(SpoolFailed(self.camera_id, f"{self.place.folder}: {reason}"))

    def _report_progress(self) -> None:
        """Trouble is over when nothing in memory waits for the disk, spooling when nothing waits on disk."""
        if not self._queue.storable and not self._failed and self._spool is not None:
            self.trouble = ""
        if not self._queue.behind and self._filling:
            self._filling = False
            self._emit(SpoolDrained(self.camera_id, self._read_count))
            self._read_count = 0

    def _rescue(self) -> None:
        spool = self._spool
        if spool is None:
            return
        with suppress(DamagedSpoolError):
            self._try("delete", self._delete, spool)
            with self._bridge.exchange():
                leftover = self._queue.leftover()
            if leftover:
                self._failed.clear()
                self._try("store", lambda spool: spool.keep(leftover), spool)
        spool.close()
