"""A model of a pool: partitions with arrivals, workers that warm up, die and share the partitions, and a lag that a
group's committed offsets show. One step is one second; nothing in it waits.
"""

import random
from collections import deque
from dataclasses import dataclass, field

from deploy.scaling import Reading

STEP_S = 1.0


@dataclass(frozen=True, slots=True)
class PoolModel:
    """The numbers of a pool and of the line around it."""

    partitions: int = 24
    worker_per_s: float = 120.0
    """Frames that one worker inspects in a second."""
    warm_s: float = 60.0
    """From a worker's start until it takes frames: the load of its model."""
    rebalance_s: float = 3.0
    """For this long nobody takes frames after a member came or went."""
    group_of_pictures_s: float = 2.0
    """Offsets are committed up to a keyframe, so a partition that keeps up shows up to this many seconds of lag."""


@dataclass(slots=True)
class Partition:
    """Frames that wait, as [second of arrival, frames], the oldest first."""

    waiting: deque[list[float]] = field(default_factory=deque)
    blocked: bool = False
    """A poison record holds it up."""
    arrived: float = 0.0
    """Frames since midnight."""

    @property
    def lag(self) -> float:
        return sum(frames for _, frames in self.waiting)

    def arrive(self, now_s: float, frames: float) -> None:
        self.arrived += frames
        if frames:
            self.waiting.append([now_s, frames])

    def take(self, frames: float) -> float:
        """Inspect up to this many. Returns how many it were."""
        taken = 0.0
        while self.waiting and not self.blocked and frames - taken > 1e-9:
            part = min(frames - taken, self.waiting[0][1])
            self.waiting[0][1] -= part
            taken += part
            if self.waiting[0][1] <= 1e-9:
                self.waiting.popleft()
        return taken

    def age_s(self, now_s: float) -> float:
        """Of the oldest frame that waits; a blocked partition's is its own affair."""
        return now_s - self.waiting[0][0] if self.waiting and not self.blocked else 0.0


class SimulatedPool:
    """Workers by the second since when each is there, and the partitions that they share."""

    def __init__(self, model: PoolModel, workers: int, draw: random.Random) -> None:
        self.model = model
        self.partitions = [Partition() for _ in range(model.partitions)]
        self._warm_at = [0.0] * workers
        self._stands_until_s = 0.0
        self._draw = draw

    @property
    def workers(self) -> int:
        return len(self._warm_at)

    def ready(self, now_s: float) -> int:
        return sum(1 for warm_s in self._warm_at if warm_s <= now_s)

    def resize(self, now_s: float, workers: int) -> None:
        """Each worker that comes is a rebalance once it is warm, each that goes is one at once."""
        while len(self._warm_at) < workers:
            self._warm_at.append(now_s + self.model.warm_s)
        if len(self._warm_at) > workers:
            del self._warm_at[workers:]
            self._stands_until_s = now_s + self.model.rebalance_s

    def kill_one(self, now_s: float) -> None:
        """A worker dies; its supervisor starts it again at once."""
        if self._warm_at:
            self._warm_at[0] = now_s + self.model.warm_s
            self._stands_until_s = now_s + self.model.rebalance_s

    def step(self, now_s: float, arrivals_per_s: float) -> None:
        """One second: frames arrive on all partitions alike, and each worker takes those of its partitions."""
        for partition in self.partitions:
            partition.arrive(now_s, arrivals_per_s * STEP_S / len(self.partitions))
        if any(now_s - STEP_S < warm_s <= now_s for warm_s in self._warm_at):
            self._stands_until_s = max(self._stands_until_s, now_s + self.model.rebalance_s)
        ready = self.ready(now_s)
        if ready == 0 or now_s < self._stands_until_s:
            return
        for number in range(ready):
            self._work(self.partitions[number::ready])

    def _work(self, own: list[Partition]) -> None:
        """A worker deals with its partitions in turn, so that none waits for a longer one."""
        left = self.model.worker_per_s * STEP_S
        open_ones = [partition for partition in own if partition.waiting and not partition.blocked]
        while left > 1e-6 and open_ones:
            share = left / len(open_ones)
            left -= sum(partition.take(share) for partition in open_ones)
            open_ones = [partition for partition in open_ones if partition.waiting]

    def readings(self, arrivals_per_s: float) -> list[Reading]:
        """The partitions as the group's committed offsets show them."""
        trail = arrivals_per_s / len(self.partitions) * self.model.group_of_pictures_s
        return [self._reading(partition, trail) for partition in self.partitions]

    def _reading(self, partition: Partition, trail: float) -> Reading:
        end = int(partition.arrived)
        behind = 0.0 if partition.blocked else trail * self._draw.random()
        committed = max(0, int(partition.arrived - partition.lag - behind))
        return Reading(committed, end - committed)

    def latency_s(self, now_s: float) -> float:
        """The age of the oldest frame that waits and can be inspected."""
        return max(partition.age_s(now_s) for partition in self.partitions)
