"""The spool's own thread: no camera and no event loop ever waits for the disk.

It counts what an earlier process left, stores what the mailbox has no room for, and fetches it back in order. A disk
that takes nothing costs frames (`spool_full`), never the process; it is tried again for ever.
"""

import asyncio
import time

from andon.clock import Clock
from andon.events import Emit, SpoolDamaged, SpoolDrained, SpoolFailed, SpoolFilling, SpoolFound
from ingest.handoff import Handoff, SpoolJob
from ingest.spool import Spool, SpoolPlace
from ingest.spool_format import Torn
from ingest.threads import on_thread
from ingest.waiting import Message

RETRY_S = 1.0
"""Between attempts at a disk that takes nothing."""
RESCUE_S = 5.0
"""How long a process that is told to end now may write what it has in memory to disk."""


class Spooler:
    """One camera's spool at work; its gauges can be read from any thread."""

    def __init__(self, camera_id: str, place: SpoolPlace, handoff: Handoff, clock: Clock, emit: Emit) -> None:
        self.camera_id = camera_id
        self.place = place
        self._handoff = handoff
        self._clock = clock
        self._emit = emit
        self._spool: Spool | None = None
        self._retry_at_s = 0.0
        self._fetched = 0
        self._filling = False
        self.trouble = ""
        """Why frames are shed instead of spooled; empty: they are not."""

    @property
    def depth(self) -> int:
        """Records on disk that have not been fetched."""
        return self._spool.index.depth if self._spool is not None else 0

    @property
    def size_bytes(self) -> int:
        return self._spool.index.size_bytes if self._spool is not None else 0

    @property
    def age_s(self) -> float:
        """About how long the oldest on disk has waited; 0 where there is nothing."""
        since = self._spool.index.since if self._spool is not None else None
        return 0.0 if since is None else max(0.0, (self._clock.now() - since).total_seconds())

    async def run(self) -> None:
        """Until the hand-off is abandoned. Cancelled, it first lets what is in memory go to disk."""
        working = on_thread(self._work, f"camera.{self.camera_id}.spool")
        try:
            await asyncio.shield(working)
        finally:
            self._handoff.abandon()
            if not working.done():
                await asyncio.wait({working}, timeout=RESCUE_S)

    def _work(self) -> None:
        self._open()
        if self._spool is None:
            self._handoff.spooled(0)  # nothing that could be read stands before what is new
        try:
            while (job := self._next_job()) is not None:
                if self._spool is None:
                    self._open()
                self._do(job)
                self._tell_eased()
            self._rescue()
        finally:
            if self._spool is not None:
                self._spool.close()

    def _next_job(self) -> SpoolJob | None:
        """While the disk takes nothing, only what needs no room is done; with time, that is tried again."""
        rest_s = self._retry_at_s - self._clock.monotonic()
        if rest_s <= 0:
            return self._handoff.next_job(may_store=True, timeout_s=None)
        return self._handoff.next_job(may_store=False, timeout_s=rest_s)

    def _open(self) -> None:
        try:
            spool = Spool(self.place, self._clock)
        except OSError as error:
            self._fail(_reason(error))
            return
        self._spool = spool
        if spool.index.depth:
            self._filling = True
            self._emit(SpoolFound(self.camera_id, spool.index.depth, spool.index.size_bytes))
        self._handoff.spooled(spool.index.depth)

    def _do(self, job: SpoolJob) -> None:
        for number in job.settled:
            assert self._spool is not None  # it was fetched from there
            if self._spool.settle(number):
                self._retry_at_s = 0.0
        if job.fetch:
            self._fetch()
        if job.store is not None:
            self._handoff.stored(on_disk=self._store(job.store))

    def _fetch(self) -> None:
        assert self._spool is not None
        try:
            found = self._spool.next()
        except Torn as error:
            self._emit(SpoolDamaged(self.camera_id, str(error)))
            self._handoff.spooled(self._spool.index.depth)
            return
        except OSError as error:
            self._fail(_reason(error))
            time.sleep(RETRY_S)  # this thread has nothing else to do: what is to be stored goes behind
            return
        if found is not None:
            self._fetched += 1
            self._handoff.fetched(*found, on_disk=self._spool.index.depth)

    def _store(self, message: Message) -> bool:
        if self._spool is None:
            return False
        try:
            kept = self._spool.append(message)
        except OSError as error:
            self._fail(_reason(error))
            return False
        if not kept:
            self._fail(f"full: {self.place.max_bytes} bytes are this camera's share of spool.max_bytes")
            return False
        if not self._filling:
            self._filling = True
            self._emit(SpoolFilling(self.camera_id))
        return True

    def _fail(self, reason: str) -> None:
        self._retry_at_s = self._clock.monotonic() + RETRY_S
        if reason != self.trouble:
            self.trouble = reason
            self._emit(SpoolFailed(self.camera_id, f"{self.place.folder}: {reason}"))

    def _tell_eased(self) -> None:
        """Trouble is over when nothing waits in memory for the disk, the spooling when nothing waits on disk."""
        backlog = self._handoff.note_backlog()
        if backlog != "waiting" and self._spool is not None:
            self.trouble = ""
        if backlog == "empty" and self._filling:
            self._filling = False
            self._emit(SpoolDrained(self.camera_id, self._fetched))
            self._fetched = 0

    def _rescue(self) -> None:
        """What is still in memory goes before what is on disk: it is older."""
        leftover = self._handoff.leftover()
        if not leftover or self._spool is None:
            return
        try:
            self._spool.put_back(leftover)
        except OSError as error:
            self._fail(_reason(error))


def _reason(error: OSError) -> str:
    if isinstance(error, BlockingIOError):
        return "another process holds this camera's spool"
    return error.strerror or type(error).__name__
