"""Where defects lie on a part: their outlines, drawn by chance within the metal (pure geometry)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sample_streams.shapes import Hole, Kind, Point

_TRIES = 400
_EDGE_PX = 5.0

Stroke: TypeAlias = tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Flaw:
    """A defect's geometry in its part's pixels: open strokes of a width, or (width 0) one closed outline."""

    name: str
    strokes: tuple[Stroke, ...]
    width_px: float

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(x1, y1, x2, y2) in the part's own coordinates."""
        return bounds(np.array([p for stroke in self.strokes for p in stroke]), self.width_px / 2)


def bounds(points: NDArray[np.float64], pad: float) -> tuple[float, float, float, float]:
    """Bounding box (x1, y1, x2, y2) of points (N, 2), widened by `pad` on each side."""
    low, high = points.min(axis=0) - pad, points.max(axis=0) + pad
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def draw_flaw(name: str, kind: Kind, taken: tuple[Flaw, ...], rng: np.random.Generator) -> Flaw | None:
    """Draw a defect of the class that lies on the metal, clear of the `taken` ones; None where no place was found."""
    for _ in range(_TRIES):
        flaw = _missing_hole(kind, rng) if name == "missing_hole" else _PAINTERS[name](_anywhere(kind, rng), rng)
        on_metal = name == "missing_hole" or _lies_on_metal(flaw, kind)
        if on_metal and all(_apart(flaw, other) for other in taken):
            return flaw
    return None


def missing_holes(kind: Kind, flaws: tuple[Flaw, ...]) -> frozenset[Hole]:
    """The holes of the kind that the defects left undrilled."""
    centres = [np.mean(flaw.strokes[0], axis=0) for flaw in flaws if flaw.name == "missing_hole"]
    return frozenset(h for h in kind.holes for c in centres if math.hypot(h.x - c[0], h.y - c[1]) < h.radius / 2)


def _anywhere(kind: Kind, rng: np.random.Generator) -> Point:
    x, y = rng.uniform(-1, 1, 2)
    return float(x * kind.half_width), float(y * kind.half_height)


def _lies_on_metal(flaw: Flaw, kind: Kind) -> bool:
    needed = _EDGE_PX + flaw.width_px / 2
    return all(kind.depth(point) > needed for stroke in flaw.strokes for point in stroke)


def _apart(flaw: Flaw, other: Flaw, gap: float = 10.0) -> bool:
    a, b = flaw.bounds, other.bounds
    return a[2] + gap < b[0] or b[2] + gap < a[0] or a[3] + gap < b[1] or b[3] + gap < a[1]


def _scratch(at: Point, rng: np.random.Generator) -> Flaw:
    length, heading, bend = rng.uniform(38, 100), rng.uniform(0, math.pi), rng.uniform(-0.5, 0.5)
    return Flaw("scratch", (_walk(at, heading, np.full(10, bend / 10), float(length)),), float(rng.uniform(2.4, 3.8)))


def _crack(at: Point, rng: np.random.Generator) -> Flaw:
    length, heading = float(rng.uniform(40, 95)), float(rng.uniform(0, 2 * math.pi))
    # Turns alternate, so that a crack zigzags about its heading where a scratch runs smoothly.
    turns = rng.uniform(0.5, 1.1, 9) * np.where(np.arange(9) % 2 == 0, 1, -1)
    trunk = _walk(at, heading - 0.4, turns, length)
    fork = trunk[int(rng.integers(3, 7))]
    side = 0.9 if rng.random() < 0.5 else -0.9
    branch = _walk(fork, heading + side, turns[:4], length * 0.3)
    return Flaw("crack", (trunk, branch), float(rng.uniform(2.6, 3.8)))


def _walk(start: Point, heading: float, turns: NDArray[np.float64], length: float) -> Stroke:
    step = length / len(turns)
    headings = heading + np.cumsum(turns)
    xs = start[0] + np.concatenate([[0.0], np.cumsum(np.cos(headings) * step)])
    ys = start[1] + np.concatenate([[0.0], np.cumsum(np.sin(headings) * step)])
    return tuple(zip(xs.tolist(), ys.tolist(), strict=True))


def _dent(at: Point, rng: np.random.Generator) -> Flaw:
    radius, aspect = float(rng.uniform(9, 20)), float(rng.uniform(0.75, 1.0))
    return Flaw("dent", (_round(at, np.full(24, radius), aspect),), 0.0)


def _stain(at: Point, rng: np.random.Generator) -> Flaw:
    angles = np.arange(24) * (2 * math.pi / 24)
    lobes = sum(rng.uniform(0, 0.16) * np.sin(k * angles + rng.uniform(0, 2 * math.pi)) for k in (2, 3, 5))
    return Flaw("stain", (_round(at, rng.uniform(10, 24) * (1 + lobes), 1.0),), 0.0)


def _missing_hole(kind: Kind, rng: np.random.Generator) -> Flaw:
    drilled = [hole for hole in kind.holes if hole.drilled]
    hole = drilled[int(rng.integers(len(drilled)))]
    return Flaw("missing_hole", (_round((hole.x, hole.y), np.full(24, hole.radius), 1.0),), 0.0)


def _round(at: Point, radii: NDArray[np.float64], aspect: float) -> Stroke:
    angles = np.arange(len(radii)) * (2 * math.pi / len(radii))
    xs, ys = at[0] + radii * np.cos(angles), at[1] + aspect * radii * np.sin(angles)
    return tuple(zip(xs.tolist(), ys.tolist(), strict=True))


_PAINTERS: dict[str, Callable[[Point, np.random.Generator], Flaw]] = {
    "scratch": _scratch,
    "dent": _dent,
    "stain": _stain,
    "crack": _crack,
}
