"""Gathers items into batches, which close by size or by the age of their first item. Fair between cameras. Pure.

On a CPU with time to spare they close at once: a larger batch gains little there, but its frames wait for its last one.
Without, half a batch closes: the detector has two at a time, and a frame waits for what is left of both.

Each camera has its own queue, and a batch takes from the queues in turn: a burst of one camera gets only the room that
the others leave.
"""

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class InferenceBatch(Generic[T]):
    items: tuple[T, ...]
    """The items of each camera are in the order in which they were added."""
    wait_s: float
    """From the first item's arrival to the batch's closing."""


class Batcher(Generic[T]):
    """The items that wait for the detector. `now` is always the time of a monotonic clock."""

    def __init__(self, size: int, max_wait_s: float, enough: int | None = None) -> None:
        """`enough` items keep a CPU's cores busy: with time to spare a batch closes at once with at most that many, or
        with `size` where as many wait. None: a larger batch is always worth waiting for."""
        self._size = size
        self._max_wait_s = max_wait_s
        self._enough = enough
        self._queues: dict[str, deque[tuple[float, T]]] = {}
        """Only cameras with waiting items, the one whose turn it is first."""
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    @property
    def due_at(self) -> float | None:
        """The time at which the oldest item closes its batch. None: nothing waits."""
        oldest = self._oldest()
        return None if oldest is None else oldest + self._max_wait_s

    def add(self, camera_id: str, item: T, now: float) -> None:
        self._queues.setdefault(camera_id, deque()).append((now, item))
        self._waiting += 1

    def take(self, now: float, *, full_only: bool = False, spare: bool = True) -> InferenceBatch[T] | None:
        """The next batch, if one closes now.

        `full_only`: age closes none, because a batch is with the detector. `spare`: the detector has time to spare.
        """
        count = self._count(now, full_only, spare)
        if not count:
            return None
        dealt = [self._deal() for _ in range(count)]
        first = min(since for since, _ in dealt)
        return InferenceBatch(tuple(item for _, item in dealt), max(0.0, now - first))

    def _count(self, now: float, full_only: bool, spare: bool) -> int:
        """The size of the batch that closes now, or 0."""
        if self._waiting >= self._size:
            return self._size
        if self._enough is not None and spare:
            return min(self._waiting, self._enough)
        if self._enough is not None and self._waiting >= (half := max(self._size // 2, self._enough)):
            return half
        due = self.due_at
        aged = due is not None and now >= due and not full_only
        return self._waiting if aged else 0

    def _oldest(self) -> float | None:
        return min((queue[0][0] for queue in self._queues.values()), default=None)

    def _deal(self) -> tuple[float, T]:
        """One item of the camera whose turn it is. The camera then goes to the end of the queue."""
        camera_id = next(iter(self._queues))
        queue = self._queues.pop(camera_id)
        entry = queue.popleft()
        if queue:
            self._queues[camera_id] = queue
        self._waiting -= 1
        return entry
