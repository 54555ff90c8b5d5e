"""The line's kinematics: its parts, their defects, and their poses in each frame. Pure."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sample_streams.flaws import Flaw, draw_flaw
from sample_streams.shapes import KINDS, Kind
from sample_streams.spec import DEFECTS, SIZES, LineSpec

SHADOW_PX = 14.0
"""Reach of a part's shadow beyond the part: a part has left when its shadow has, too."""
_WIDEST = max(kind.reach for kind in KINDS.values()) + SHADOW_PX


@dataclass(frozen=True, slots=True)
class Part:
    """One part on its way through the picture; frames count from 0, `exit_frame` is the last one with it in view."""

    part_id: str
    kind: Kind
    entry_frame: int
    exit_frame: int
    belt_px: float
    """The belt's way when the part's centre lies on the picture's left edge."""
    y_px: float
    angle_rad: float
    flaws: tuple[Flaw, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Pose:
    """A part's pose in a frame: its centre in pixels, and its rotation (clockwise in the picture)."""

    x_px: float
    y_px: float
    angle_rad: float

    def place(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transform points (N, 2) from the part's coordinates to the picture's."""
        c, s = math.cos(self.angle_rad), math.sin(self.angle_rad)
        return np.asarray(points @ np.array([[c, s], [-s, c]]) + np.array([self.x_px, self.y_px]), np.float64)


def plan(spec: LineSpec) -> tuple[Part, ...]:
    """All parts of the line, in order of entry; each passes wholly between the margins."""
    rng = np.random.default_rng([spec.seed, 1])
    parts = list[Part]()
    while True:
        place = spec.pitch_px * (len(parts) + (1 + rng.uniform(-1, 1)) * spec.position_jitter)
        part = _draw_part(spec, len(parts), spec.margin_frames * spec.step_px + _WIDEST + place, rng)
        if part.exit_frame >= spec.n_frames - spec.margin_frames:
            return tuple(parts)
        parts.append(part)


def pose(spec: LineSpec, part: Part, frame: int) -> Pose:
    """The part's pose in the frame; outside the picture before it enters and after it has left."""
    return Pose(spec.step_px * frame - part.belt_px, part.y_px, part.angle_rad)


def in_view(parts: Sequence[Part], frame: int) -> tuple[Part, ...]:
    """The parts (in order of entry) that the frame may show."""
    entered = bisect_right(parts, frame, key=lambda part: part.entry_frame)
    first = entered
    while first and parts[first - 1].exit_frame >= frame:
        first -= 1
    return tuple(parts[first:entered])


def _draw_part(spec: LineSpec, number: int, belt_px: float, rng: np.random.Generator) -> Part:
    kind = list(KINDS.values())[int(rng.integers(len(KINDS)))]
    angle = rng.uniform(0, 2 * math.pi) if kind.is_round else rng.uniform(-1, 1) * spec.tilt_jitter_rad
    reach = kind.reach + SHADOW_PX
    return Part(
        part_id=f"p{number:03d}",
        kind=kind,
        entry_frame=math.ceil((belt_px - reach) / spec.step_px),
        exit_frame=math.floor((belt_px + spec.width_px + reach) / spec.step_px),
        belt_px=float(belt_px),
        y_px=float(spec.height_px / 2 + rng.uniform(-1, 1) * spec.lateral_jitter_px),
        angle_rad=float(angle),
        flaws=_draw_flaws(spec, kind, rng),
        seed=int(rng.integers(2**31)),
    )


def _draw_flaws(spec: LineSpec, kind: Kind, rng: np.random.Generator) -> tuple[Flaw, ...]:
    flaws: tuple[Flaw, ...] = ()
    chance = spec.defect_rate
    while len(flaws) < spec.most_defects and rng.random() < chance:
        name, size = DEFECTS[int(rng.integers(len(DEFECTS)))], int(rng.integers(len(SIZES)))
        drawn = (draw_flaw(name, smaller, kind, flaws, rng) for smaller in SIZES[size::-1])
        flaw = next((flaw for flaw in drawn if flaw), None)
        if flaw is None:  # no room is left for it
            break
        flaws, chance = (*flaws, flaw), spec.second_defect_rate
    return flaws
