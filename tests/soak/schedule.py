"""The schedule of faults: a pure function of the seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "kill_worker",
    "kill_sink",
    "kill_ingest",
    "freeze_worker",
    "freeze_sink",
    "freeze_broker",
    "freeze_redis",
    "freeze_cameras",
    "kill_broker",
    "kill_cameras",
    "empty_redis",
    "lock_store",
    "close_evidence",
    "storm",
    "poison",
    "large_record",
    "roll_back",
    "step_clock",
    "stuffed_jpegs",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
LASTING: tuple[Kind, ...] = KINDS
"""Faults that a line survives if its broker keeps its log on disk."""
ON_DISK: frozenset[Kind] = frozenset({"kill_broker", "large_record", "roll_back", "step_clock"})
"""Faults that only Apache Kafka can have: the embedded broker keeps its log in memory, limits no record and stamps
none with its time."""
ANYWHERE: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind not in ON_DISK)
"""Faults that any line survives."""
CALM_S = (2.0, 6.0)
"""Seconds between a recovery and the next fault."""
FOR_S: dict[Kind, tuple[float, float]] = {
    "freeze_worker": (12.0, 16.0),  # longer than the group's session: it wakes up as a former owner
    "freeze_sink": (12.0, 16.0),
    "freeze_broker": (2.0, 6.0),
    "freeze_redis": (4.0, 8.0),  # longer than redis.timeout_s
    "freeze_cameras": (3.0, 8.0),
    "kill_broker": (0.0, 3.0),
    "kill_cameras": (1.0, 5.0),
    "empty_redis": (0.0, 5.0),
    "lock_store": (11.0, 14.0),  # longer than a statement waits for a lock
    "close_evidence": (2.0, 8.0),
    "storm": (6.0, 10.0),
    "poison": (1.0, 2.0),
    "large_record": (3.0, 6.0),
    "roll_back": (3.0, 6.0),
    "step_clock": (6.0, 10.0),
    "stuffed_jpegs": (3.0, 8.0),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of `kind`, `calm_s` after the previous recovery, for `for_s` (0: it has no duration)."""

    number: int
    kind: Kind
    calm_s: float
    for_s: float


def faults(seed: int, kinds: Sequence[Kind], count: int) -> list[Fault]:
    """The first `count` faults of a seed. Every kind comes once before any comes twice."""
    chance = random.Random(seed)
    drawn: list[Fault] = []
    bag: list[Kind] = []
    for number in range(1, count + 1):
        bag = bag or chance.sample(list(kinds), len(kinds))
        kind = bag.pop()
        drawn.append(Fault(number, kind, round(chance.uniform(*CALM_S), 1), _for_s(kind, chance)))
    return drawn


def _for_s(kind: Kind, chance: random.Random) -> float:
    low, high = FOR_S.get(kind, (0.0, 0.0))
    return round(chance.uniform(low, high), 1)
