"""When which fault happens: a pure function of the seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "kill_worker",
    "kill_sink",
    "kill_ingest",
    "freeze_worker",
    "freeze_sink",
    "freeze_broker",
    "kill_broker",
    "empty_redis",
    "kill_cameras",
]
ANYWHERE: tuple[Kind, ...] = (
    "kill_worker",
    "kill_sink",
    "kill_ingest",
    "freeze_worker",
    "freeze_sink",
    "freeze_broker",
    "empty_redis",
    "kill_cameras",
)
"""What any line survives."""
LASTING: tuple[Kind, ...] = (*ANYWHERE, "kill_broker")
"""What a line survives whose broker keeps its log on disk."""
CALM_S = (6.0, 14.0)
"""Between one fault's recovery and the next fault."""
FOR_S: dict[Kind, tuple[float, float]] = {
    "freeze_worker": (12.0, 16.0),  # longer than the group's session: it wakes as a zombie
    "freeze_sink": (12.0, 16.0),
    "freeze_broker": (2.0, 6.0),
    "kill_broker": (0.0, 3.0),
    "kill_cameras": (1.0, 5.0),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """`calm_s` after the recovery from the one before, `kind` happens, and lasts `for_s` where it lasts."""

    number: int
    kind: Kind
    calm_s: float
    for_s: float


def faults(seed: int, kinds: Sequence[Kind], count: int) -> list[Fault]:
    """The first `count` faults of a seed. Every kind comes once before one comes twice."""
    chance = random.Random(seed)  # noqa: S311 - a schedule is no secret
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
