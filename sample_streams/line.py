"""The line's kinematics: which parts pass, with which defects, and where each lies in each frame (pure)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sample_streams.flaws import Flaw, draw_flaw
from sample_streams.shapes import KINDS, Kind
from sample_streams.spec import CLASSES, LineSpec

SHADOW_PX = 14.0
"""How far a part's shadow reaches beyond the part: out of the picture means out with its shadow."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part on its way through the picture; frames count from 0, `exit_frame` is the last one with it in view."""

    part_id: str
    kind: Kind
    entry_frame: int
    exit_frame: int
    y_px: float
    angle_rad: float
    flaws: tuple[Flaw, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a part lies in a frame: its centre in pixels, and its rotation (clockwise in the picture)."""

    x_px: float
    y_px: float
    angle_rad: float

    def place(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (N, 2) of the part's own coordinates, in the picture's."""
        c, s = math.cos(self.angle_rad), math.sin(self.angle_rad)
        return np.asarray(points @ np.array([[c, s], [-s, c]]) + np.array([self.x_px, self.y_px]), np.float64)


def plan(spec: LineSpec) -> tuple[Part, ...]:
    """All parts of the line, in the order in which they enter; each passes wholly between the margins."""
    rng = np.random.default_rng([spec.seed, 1])
    interval = spec.fps * 60 / spec.parts_per_minute
    entry, parts = float(spec.margin_frames), list[Part]()
    while True:
        part = _draw_part(spec, len(parts), math.ceil(entry), rng)
        if part.exit_frame >= spec.n_frames - spec.margin_frames:
            return tuple(parts)
        parts.append(part)
        entry += interval * (1 + rng.uniform(-1, 1) * spec.spacing_jitter)


def pose(spec: LineSpec, part: Part, frame: int) -> Pose:
    """Where the part lies in the frame; outside the picture before it enters and after it left."""
    start = -part.kind.reach - SHADOW_PX
    return Pose(start + spec.step_px * (frame - part.entry_frame), part.y_px, part.angle_rad)


def in_view(parts: tuple[Part, ...], frame: int) -> tuple[Part, ...]:
    """The parts of which something may be seen in the frame."""
    return tuple(part for part in parts if part.entry_frame <= frame <= part.exit_frame)


def _draw_part(spec: LineSpec, number: int, entry: int, rng: np.random.Generator) -> Part:
    kind = list(KINDS.values())[int(rng.integers(len(KINDS)))]
    way = spec.width_px + 2 * (kind.reach + SHADOW_PX)
    angle = rng.uniform(0, 2 * math.pi) if kind.is_round else rng.uniform(-1, 1) * spec.tilt_jitter_rad
    return Part(
        part_id=f"p{number:03d}",
        kind=kind,
        entry_frame=entry,
        exit_frame=entry + math.ceil(way / spec.step_px),
        y_px=float(spec.height_px / 2 + rng.uniform(-1, 1) * spec.lateral_jitter_px),
        angle_rad=float(angle),
        flaws=_draw_flaws(spec, kind, rng),
        seed=int(rng.integers(2**31)),
    )


def _draw_flaws(spec: LineSpec, kind: Kind, rng: np.random.Generator) -> tuple[Flaw, ...]:
    if rng.random() >= spec.defect_rate:
        return ()
    flaws: tuple[Flaw, ...] = ()
    for _ in range(2 if rng.random() < spec.second_defect_rate else 1):
        flaw = draw_flaw(CLASSES[int(rng.integers(len(CLASSES)))], kind, flaws, rng)
        flaws += () if flaw is None else (flaw,)
    return flaws
