"""The account of one partition that is ours: its state, and the records that wait to be stored."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from andon.errors import FatalError
from andon.stream.lanes import began_anew
from andon.stream.offsets import Partition
from andon.stream.step import Delivery
from sinks.batch import OpenBatch
from sinks.judgement.state import CameraAccount
from sinks.store.stored import StoredPartition

KEPT_SESSIONS = 4
"""Ledgers of past sessions that stay in memory, for records that are delivered again. Others are read when needed."""


class PartitionAccount:
    """A PartitionStep: it lives from the partition's assignment to its revocation. Event loop only."""

    def __init__(
        self,
        partition: Partition,
        known: StoredPartition,
        wake: Callable[[], None],
        discarded: Callable[["PartitionAccount"], None],
    ) -> None:
        """`wake` is called when there is something to store, `discarded` once, at the end."""
        assert known.position is not None, "an epoch is opened before anything is loaded"
        self.partition = partition
        self.position = known.position
        self.cameras = known.cameras
        self.resume_at = known.position.next_offset
        self.needed_from: int | None = None
        """All that an account needs is stored with its offset."""
        self.waiting: deque[Delivery] = deque()
        self.draining = False
        self.discarded = False
        self._due = known.position.next_offset
        """The offset that the next record should have."""
        self._read_any = False
        self._wake = wake
        self._on_discard = discarded
        self._settled = asyncio.Event()
        self._settled.set()

    def submit(self, deliveries: Sequence[Delivery]) -> None:
        """Raises FatalError where the log begins anew or has a hole: a restart opens an epoch for it."""
        record = deliveries[0].record
        if self._read_any and record.offset < self._due:
            raise FatalError(began_anew(record, self._due - 1))
        if record.offset > self._due:
            raise FatalError(
                f"{record.topic}/{record.partition}: records {self._due} to {record.offset - 1} expired before they"
                " were accounted for; this process stops, and says so in the account when restarted"
            )
        self._read_any = True
        self._due = deliveries[-1].record.offset + 1
        self.waiting.extend(deliveries)
        self._settled.clear()
        self._wake()

    async def drain(self) -> None:
        """Return when nothing waits to be stored, or when discarded."""
        self.draining = True
        self._wake()
        await self._settled.wait()

    def discard(self) -> None:
        if not self.discarded:
            self.discarded = True
            self._settled.set()
            self._on_discard(self)

    def advance(self, work: OpenBatch) -> None:
        """The store has taken the work: its records are done."""
        self.position = work.after
        for delivery in work.deliveries:
            self.waiting.popleft()
            delivery.done()
        for camera in work.touched:
            _forget_old_sessions(camera)
        if not self.waiting:
            self._settled.set()

    def go_on_from(self, known: StoredPartition) -> None:
        """Go on from another owner's state. Raises FatalError where that owner does not stand ahead of us."""
        expected, stored = self.position, known.position
        if stored is None or stored.epoch != expected.epoch or stored.next_offset < expected.next_offset:
            at = f"offset {stored.next_offset} of epoch {stored.epoch}" if stored else "nothing"
            raise FatalError(
                f"{self.partition.topic}/{self.partition.partition}: the store stands at {at}, this process was at"
                f" {expected.next_offset} of epoch {expected.epoch}; it stops, and resumes there when restarted"
            )
        self.position, self.cameras = stored, known.cameras


def _forget_old_sessions(state: CameraAccount) -> None:
    state.changed.clear()
    past = [name for name in state.sessions if name not in state.open_sessions]
    for name in past[: max(0, len(past) - KEPT_SESSIONS)]:
        del state.sessions[name]
