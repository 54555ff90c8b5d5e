"""The parts' drawings: outline and holes of each kind of part, in pixels about the part's centre (pure geometry)."""

import math
from dataclasses import dataclass
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Hole:
    """A round hole; only a `drilled` one can be forgotten."""

    x: float
    y: float
    radius: float
    drilled: bool = True


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
        """Radius of the circle about the centre that holds the part at any rotation."""
        dx, dy = self.half_width - self.corner, self.half_height - self.corner
        return math.hypot(dx, dy) + self.corner

    @property
    def is_round(self) -> bool:
        """Whether the part may lie at any angle without its outline showing it."""
        return self.corner >= min(self.half_width, self.half_height)

    def depth(self, point: Point) -> float:
        """Distance from the point to the nearest edge, of the outline or of a hole; negative outside the metal."""
        qx = abs(point[0]) - (self.half_width - self.corner)
        qy = abs(point[1]) - (self.half_height - self.corner)
        outside = math.hypot(max(qx, 0.0), max(qy, 0.0)) + min(max(qx, qy), 0.0) - self.corner
        to_holes = (math.hypot(point[0] - hole.x, point[1] - hole.y) - hole.radius for hole in self.holes)
        return min(-outside, *to_holes)


def _ring(count: int, at_radius: float, radius: float) -> tuple[Hole, ...]:
    angles = (2 * math.pi * i / count for i in range(count))
    return tuple(Hole(at_radius * math.cos(a), at_radius * math.sin(a), radius) for a in angles)


BRACKET = Kind(
    "bracket", 98.0, 70.0, 16.0,
    (*(Hole(x, y, 12.0) for x in (-72.0, 72.0) for y in (-45.0, 45.0)), Hole(0.0, 0.0, 18.0, drilled=False)),
)  # fmt: skip
FLANGE = Kind("flange", 92.0, 92.0, 92.0, (*_ring(6, 66.0, 11.0), Hole(0.0, 0.0, 26.0, drilled=False)))
KINDS = {kind.name: kind for kind in (BRACKET, FLANGE)}
