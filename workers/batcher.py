"""Gathers items into batches: closed by size or by the age of the first, fair between cameras. Pure.

Each camera has a queue of its own and a batch is dealt from them in turn, so a camera in a burst fills only what the
others leave.
"""

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Batch(Generic[T]):
    items: tuple[T, ...]
    """Of each camera in the order in which they were added."""
    wait_s: float
    """From the first item's arrival to the batch's closing."""


class Batcher(Generic[T]):
    """What waits for the detector. `now` is always a monotonic clock's."""

    def __init__(self, size: int, max_wait_s: float) -> None:
        self._size = size
        self._max_wait_s = max_wait_s
        self._queues: dict[str, deque[tuple[float, T]]] = {}
        """In the order of whose turn it is; only cameras that wait."""
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    @property
    def due_at(self) -> float | None:
        """When the item that has waited longest closes its batch; None while nothing waits."""
        oldest = self._oldest()
        return None if oldest is None else oldest + self._max_wait_s

    def add(self, camera_id: str, item: T, now: float) -> None:
        self._queues.setdefault(camera_id, deque()).append((now, item))
        self._waiting += 1

    def take(self, now: float, *, full_only: bool = False) -> Batch[T] | None:
        """The next batch, if one closes now. `full_only`: age does not close it, the detector is busy anyhow."""
        due = self.due_at
        aged = due is not None and now >= due and not full_only
        if self._waiting < self._size and not aged:
            return None
        dealt = [self._deal() for _ in range(min(self._size, self._waiting))]
        first = min(since for since, _ in dealt)
        return Batch(tuple(item for _, item in dealt), max(0.0, now - first))

    def _oldest(self) -> float | None:
        return min((queue[0][0] for queue in self._queues.values()), default=None)

    def _deal(self) -> tuple[float, T]:
        """One item of the camera whose turn it is, which then goes to the end of the line."""
        camera_id = next(iter(self._queues))
        queue = self._queues.pop(camera_id)
        entry = queue.popleft()
        if queue:
            self._queues[camera_id] = queue
        self._waiting -= 1
        return entry
