"""Where defects lie on a part: their outlines, drawn by chance within the metal (pure geometry)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sample_streams.shapes import Hole, Kind, Point
from sample_streams.spec import SIZES

_TRIES = 300
_EDGE_PX = 4.0
_MARGIN_PX = 2.0
_LEAST_SIDE_PX = 16.0

Stroke: TypeAlias = tuple[Point, ...]
Rect: TypeAlias = tuple[float, float, float, float]
_Drawn: TypeAlias = tuple[tuple[Stroke, ...], float]

_EXTENT_PX: dict[str, tuple[tuple[float, float], ...]] = {
    "scratch": ((36, 48), (54, 74), (80, 112)),
    "crack": ((34, 46), (50, 70), (74, 104)),
    "dent": ((9.5, 11.5), (13, 16), (17.5, 21)),
    "stain": ((9.5, 11.5), (13, 16), (18, 22)),
}
"""Range for each size: the length of lines, the radius of blots. The kind of a part gives the sizes of holes."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """A defect's geometry in its part's pixels: open strokes with a width, or (width 0) one closed outline."""

    name: str
    size: str
    strokes: tuple[Stroke, ...]
    width_px: float

    @property
    def points(self) -> NDArray[np.float64]:
        """All points of all strokes (N, 2)."""
        return np.array([point for stroke in self.strokes for point in stroke])

    @property
    def bounds(self) -> Rect:
        """(x1, y1, x2, y2) in the part's own coordinates."""
        return bounds(self.points, self.width_px / 2)


def bounds(points: NDArray[np.float64], pad: float) -> Rect:
    """Bounding box (x1, y1, x2, y2) of points (N, 2), widened by `pad` on each side."""
    low, high = points.min(axis=0) - pad, points.max(axis=0) + pad
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def annotated(points: NDArray[np.float64], width_px: float) -> Rect:
    """The box that a person would draw around strokes: with a small margin, and at least 16 pixels wide."""
    x1, y1, x2, y2 = bounds(points, width_px / 2 + _MARGIN_PX)
    across, down = max(_LEAST_SIDE_PX - (x2 - x1), 0.0) / 2, max(_LEAST_SIDE_PX - (y2 - y1), 0.0) / 2
    return x1 - across, y1 - down, x2 + across, y2 + down


def draw_flaw(name: str, size: str, kind: Kind, taken: tuple[Flaw, ...], rng: np.random.Generator) -> Flaw | None:
    """Draw a defect of the class that lies on the metal, clear of the `taken` ones; None if it finds no place."""
    for _ in range(_TRIES):
        strokes, width = _missing_hole(size, kind, rng) if name == "missing_hole" else _drawn(name, size, kind, rng)
        flaw = Flaw(name, size, strokes, width)
        on_metal = name == "missing_hole" or _lies_on_metal(flaw, kind)
        if on_metal and all(_apart(flaw, other) for other in taken):
            return flaw
    return None


def missing_holes(kind: Kind, flaws: tuple[Flaw, ...]) -> frozenset[Hole]:
    """The holes of the kind that are missing as defects."""
    centres = [np.mean(flaw.strokes[0], axis=0) for flaw in flaws if flaw.name == "missing_hole"]
    return frozenset(h for h in kind.holes for c in centres if math.hypot(h.x - c[0], h.y - c[1]) < h.radius / 2)


def _drawn(name: str, size: str, kind: Kind, rng: np.random.Generator) -> _Drawn:
    x, y = rng.uniform(-1, 1, 2)
    extent = float(rng.uniform(*_EXTENT_PX[name][SIZES.index(size)]))
    return _PAINTERS[name]((float(x * kind.half_width), float(y * kind.half_height)), extent, rng)


def _lies_on_metal(flaw: Flaw, kind: Kind) -> bool:
    needed = _EDGE_PX + flaw.width_px / 2
    return all(kind.depth(point) > needed for stroke in flaw.strokes for point in stroke)


def _apart(flaw: Flaw, other: Flaw, gap: float = 10.0) -> bool:
    a, b = flaw.bounds, other.bounds
    return a[2] + gap < b[0] or b[2] + gap < a[0] or a[3] + gap < b[1] or b[3] + gap < a[1]


def _scratch(at: Point, length: float, rng: np.random.Generator) -> _Drawn:
    heading, bend = rng.uniform(0, 2 * math.pi), rng.uniform(-0.6, 0.6)
    line = _walk(at, heading, np.full(10, bend / 10), length)
    width = float(rng.uniform(2.3, 3.4))
    strokes: tuple[Stroke, ...] = (line,)
    if rng.random() < 0.5:  # the object that scratches has more than one edge
        off, cut = width + rng.uniform(2.0, 5.0), int(rng.integers(1, 4))
        dx, dy = -off * math.sin(heading), off * math.cos(heading)
        strokes = (line, tuple((x + dx, y + dy) for x, y in line[cut : len(line) - cut + 1]))
    return strokes, width


def _crack(at: Point, length: float, rng: np.random.Generator) -> _Drawn:
    heading = float(rng.uniform(0, 2 * math.pi))
    # turns alternate, so a crack zigzags around its heading; a scratch runs smoothly
    turns = rng.uniform(0.5, 1.2, 11) * np.where(np.arange(11) % 2 == 0, 1, -1)
    trunk = _walk(at, heading - 0.4, turns, length)
    fork = trunk[int(rng.integers(3, 8))]
    side = 0.9 if rng.random() < 0.5 else -0.9
    branch = _walk(fork, heading + side, turns[:4], length * float(rng.uniform(0.2, 0.36)))
    return (trunk, branch), float(rng.uniform(2.2, 3.2))


def _walk(start: Point, heading: float, turns: NDArray[np.float64], length: float) -> Stroke:
    step = length / len(turns)
    headings = heading + np.cumsum(turns)
    xs = start[0] + np.concatenate([[0.0], np.cumsum(np.cos(headings) * step)])
    ys = start[1] + np.concatenate([[0.0], np.cumsum(np.sin(headings) * step)])
    return tuple(zip(xs.tolist(), ys.tolist(), strict=True))


def _dent(at: Point, radius: float, rng: np.random.Generator) -> _Drawn:
    return (_round(at, np.full(24, radius), float(rng.uniform(0.78, 1.0))),), 0.0


def _stain(at: Point, radius: float, rng: np.random.Generator) -> _Drawn:
    angles = np.arange(36) * (2 * math.pi / 36)
    lobes = sum(rng.uniform(0, 0.3 / k) * np.sin(k * angles + rng.uniform(0, 2 * math.pi)) for k in (2, 3, 4, 6))
    return (_round(at, radius * (1 + lobes), float(rng.uniform(0.8, 1.0))),), 0.0


def _missing_hole(size: str, kind: Kind, rng: np.random.Generator) -> _Drawn:
    holes = [hole for hole in kind.holes if hole.size == size]
    hole = holes[int(rng.integers(len(holes)))]
    return (_round((hole.x, hole.y), np.full(24, hole.radius), 1.0),), 0.0


def _round(at: Point, radii: NDArray[np.float64], aspect: float) -> Stroke:
    angles = np.arange(len(radii)) * (2 * math.pi / len(radii))
    xs, ys = at[0] + radii * np.cos(angles), at[1] + aspect * radii * np.sin(angles)
    return tuple(zip(xs.tolist(), ys.tolist(), strict=True))


_PAINTERS: dict[str, Callable[[Point, float, np.random.Generator], _Drawn]] = {
    "scratch": _scratch,
    "dent": _dent,
    "stain": _stain,
    "crack": _crack,
}
