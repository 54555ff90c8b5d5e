"""The parts' drawings: outline and holes of each kind, in pixels around the part's centre. Pure geometry."""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Point: TypeAlias = tuple[float, float]

_ARC = np.linspace(0, math.pi / 2, 24)
_FULL = np.linspace(0, 2 * math.pi, 64, endpoint=False)


@dataclass(frozen=True, slots=True)
class Hole:
    """A round hole; if it is missing, the defect has its `size` (see spec.SIZES)."""

    x: float
    y: float
    radius: float
    size: str

    @property
    def rim(self) -> NDArray[np.float64]:
        """Its edge: points (N, 2)."""
        return np.stack([self.x + self.radius * np.cos(_FULL), self.y + self.radius * np.sin(_FULL)], 1)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of part: a rounded rectangle (a disc, where its corner radius is half its side) with holes."""

    name: str
    half_width: float
    half_height: float
    corner: float
    holes: tuple[Hole, ...]

    @property
    def reach(self) -> float:
        """Radius of the circle around the centre that holds the part at any rotation."""
        dx, dy = self.half_width - self.corner, self.half_height - self.corner
        return math.hypot(dx, dy) + self.corner

    @property
    def is_round(self) -> bool:
        """Whether the outline looks the same at any angle."""
        return self.corner >= min(self.half_width, self.half_height)

    @property
    def outline(self) -> NDArray[np.float64]:
        """The part's edge: points (N, 2)."""
        dx, dy = self.half_width - self.corner, self.half_height - self.corner
        corners = ((dx, dy, 0.0), (-dx, dy, 0.5), (-dx, -dy, 1.0), (dx, -dy, 1.5))
        arcs = [
            np.array([x, y]) + self.corner * np.stack([np.cos(_ARC + turn * math.pi), np.sin(_ARC + turn * math.pi)], 1)
            for x, y, turn in corners
        ]
        return np.concatenate(arcs)

    def depth(self, point: Point) -> float:
        """Distance from the point to the nearest edge, of the outline or of a hole; negative outside the metal."""
        qx = abs(point[0]) - (self.half_width - self.corner)
        qy = abs(point[1]) - (self.half_height - self.corner)
        outside = math.hypot(max(qx, 0.0), max(qy, 0.0)) + min(max(qx, qy), 0.0) - self.corner
        to_holes = (math.hypot(point[0] - hole.x, point[1] - hole.y) - hole.radius for hole in self.holes)
        return min(-outside, *to_holes)


def _ring(count: int, at_radius: float, sizes: tuple[tuple[str, float], ...]) -> tuple[Hole, ...]:
    holes = []
    for i in range(count):
        angle, (size, radius) = 2 * math.pi * i / count, sizes[i % len(sizes)]
        holes.append(Hole(at_radius * math.cos(angle), at_radius * math.sin(angle), radius, size))
    return tuple(holes)


BRACKET = Kind(
    "bracket", 116.0, 84.0, 19.0,
    (
        *(Hole(x, y, 13.5, "medium") for x in (-87.0, 87.0) for y in (-55.0, 55.0)),
        *(Hole(0.0, y, 10.0, "small") for y in (-58.0, 58.0)),
        Hole(0.0, 0.0, 20.0, "large"),
    ),
)  # fmt: skip
FLANGE = Kind(
    "flange", 108.0, 108.0, 108.0,
    (*_ring(6, 82.0, (("medium", 13.5), ("small", 10.0))), Hole(0.0, 0.0, 25.0, "large")),
)  # fmt: skip
KINDS = {kind.name: kind for kind in (BRACKET, FLANGE)}
