"""Where parts are: boxes of one class, large against their way from frame to frame, tracked edge by edge.

An edge that the picture cuts off does not show where the part is. The other edge does: so the position of a part, and
of a defect on it, is known from its first corner in view to its last. Position, height on the belt and size tell two
parts apart. Positions are in pixels of the published frame, speeds in px/s.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from andon.messages import Box
from sinks.judgement.geometry import LONGEST_S, blend
from sinks.judgement.rules import FrameView
from sinks.judgement.tracker import FAR, SHORTEST_S

CUT = 0.04
"""A box that ends within this fraction of the picture from its side counts as cut off by it. A detector draws the edge
of a cut-off thing some pixels inside the picture, and an edge that seems to stand still would split the part in two."""
GATE = 0.6
"""A part may lie this far from where it is expected, in its own lengths. That covers a belt that stops or starts
between two frames, and is too short to reach the next part."""
FIRST_GATE = 1.0
"""The same for a part that was seen once, from where it was then: the belt's known speed may be out of date."""
UNMOVED = 1.0
"""Cost of a part that is not where the belt should have carried it."""
ACROSS_WEIGHT = 9.0
"""Weight of a deviation across the way against one along it: parts keep their place across the belt."""
SIZE_WEIGHT = 4.0
WORST_SIZE = 0.35
"""Two boxes whose sides differ by more, in the part's length, are not one part: they may be two that touch."""
SPEED_GAIN = 0.3
"""Share of a deviation that goes into the speed. All of it does if it reaches SPEED_CHANGE of the part's length: then
the belt has stopped or started."""
SPEED_CHANGE = 0.3
SIZE_GAIN = 0.3
BELT_GAIN = 0.5
LEFT_PART = 0.1
"""A part that is not seen for two frames has left the picture if less than this share of its length is inside."""
FAR_OUT = -0.5
"""The same for a part that is not seen for one frame; below 0: its distance from the picture, in its own lengths."""


@dataclass(slots=True)
class Axis:
    """A part along x or y: a point `at` that moves with it, and its two edges relative to that point."""

    at: float
    low: float
    high: float
    speed: float
    low_seen: bool
    high_seen: bool
    """Whether that edge was ever seen inside the picture; else it is an estimate."""

    @property
    def length(self) -> float:
        return self.high - self.low

    @property
    def centre(self) -> float:
        return self.at + (self.low + self.high) / 2


@dataclass(slots=True)
class PartTrack:
    """One part after the last frame."""

    part_id: str
    x: Axis
    y: Axis
    hits: int = 1
    unseen: int = 0
    """Frames since the last one that showed it; below, the same in seconds."""
    unseen_s: float = 0.0


@dataclass(slots=True)
class PartTracks:
    """A camera's parts."""

    alive: list[PartTrack] = field(default_factory=list)
    belt: tuple[float, float] | None = None
    """The velocity that parts showed last. It outlives a session, as the belt does."""
    size: tuple[float, float] | None = None
    """Of the last part that was seen whole: the estimate for a part of which only an edge is seen."""


class Side(NamedTuple):
    """A box along x or y, and which of its ends the picture cuts off."""

    low: float
    high: float
    low_cut: bool
    high_cut: bool

    @property
    def whole(self) -> bool:
        """Seen from end to end, or longer than the picture."""
        return self.low_cut == self.high_cut


class Shape(NamedTuple):
    """One detection of a part."""

    x: Side
    y: Side


@dataclass(frozen=True, slots=True)
class PartMatch:
    """A part, and its box on this frame, if any. `gone`: it has left the picture, or was not seen for too long."""

    track: PartTrack
    shape: Shape | None
    gone: bool = False
    new: bool = False


def advance_parts(tracks: PartTracks, frame: FrameView, step_s: float, forget_after: int) -> list[PartMatch]:
    """Take `tracks` (in place) on by one frame, `step_s` after the one before. Returns every part with its box.

    A part is forgotten when it is unseen for `forget_after` frames, or when it must have left the picture.
    """
    inspection = frame.inspection
    size = inspection.width, inspection.height
    for track in tracks.alive:
        track.x.at += track.x.speed * step_s
        track.y.at += track.y.speed * step_s
        track.unseen += 1
        track.unseen_s = min(track.unseen_s + step_s, LONGEST_S)
    shapes = [_shape(item.box, size) for item in frame.parts]
    pairs = _assign(tracks, shapes)
    for row, number in pairs.items():
        _correct(tracks, tracks.alive[row], shapes[number])
    matches = [
        PartMatch(track, shapes[pairs[row]] if row in pairs else None, _gone(track, size, forget_after))
        for row, track in enumerate(tracks.alive)
    ]
    taken = set(pairs.values())
    new = [shape for number, shape in enumerate(shapes) if number not in taken]
    matches += [
        _begin(tracks, shape, f"{inspection.frame_id}/part-{number}") for number, shape in enumerate(new, start=1)
    ]
    tracks.alive = [match.track for match in matches if not match.gone]
    return matches


def _shape(box: Box, size: tuple[int, int]) -> Shape:
    width, height = size
    return Shape(_side(box.x1, box.x2, width), _side(box.y1, box.y2, height))


def _side(low: float, high: float, length: int) -> Side:
    return Side(low, high, low <= CUT * length, high >= (1 - CUT) * length)


def _assign(tracks: PartTracks, shapes: Sequence[Shape]) -> dict[int, int]:
    """The shape's number by the track's."""
    if not tracks.alive or not shapes:
        return {}
    costs = [[_cost(track, shape, tracks.belt) for shape in shapes] for track in tracks.alive]
    pairs = [(row, column) for row, line in enumerate(costs) for column, cost in enumerate(line) if cost < FAR]
    if len({row for row, _ in pairs}) == len(pairs) == len({column for _, column in pairs}):
        return dict(pairs)  # the usual frame has nothing to choose from
    chosen = zip(*linear_sum_assignment(np.array(costs)), strict=True)
    return {int(row): int(column) for row, column in chosen if costs[row][column] < FAR}


def _cost(track: PartTrack, shape: Shape, belt: tuple[float, float] | None) -> float:
    x, y = track.x, track.y
    size = max(x.high - x.low, y.high - y.low, shape.x.high - shape.x.low, shape.y.high - shape.y.low)
    off = _deviation(x, shape.x), _deviation(y, shape.y)
    cost = FAR if belt is None and track.hits == 1 else _distance_cost(off, (x.speed, y.speed), GATE * size)
    if track.hits == 1:  # the belt may have changed its speed since then, or just before
        from_there = off[0] + x.speed * track.unseen_s, off[1] + y.speed * track.unseen_s
        cost = min(cost, UNMOVED + _distance_cost(from_there, (x.speed, y.speed), FIRST_GATE * size))
    if cost >= FAR:
        return FAR
    difference = max(_size_difference(x, shape.x), _size_difference(y, shape.y)) / size
    return cost + SIZE_WEIGHT * difference**2 if difference <= WORST_SIZE else FAR


def _distance_cost(off: tuple[float, float], way: tuple[float, float], gate_px: float) -> float:
    """The cost of a deviation `off`, along the way or across it."""
    x, y = off
    if x * x + y * y > gate_px * gate_px:
        return FAR
    speed = math.hypot(*way)
    across = (x * way[1] - y * way[0]) / speed if speed > 1.0 else min(x, y, key=abs)
    return (x * x + y * y + (ACROSS_WEIGHT - 1) * across**2) / gate_px**2


def _deviation(axis: Axis, side: Side) -> float:
    """Measured minus expected position: by the edges that are known of both, else by an estimated one."""
    low, high = side.low - axis.at - axis.low, side.high - axis.at - axis.high
    by_low, by_high = not side.low_cut, not side.high_cut
    if (by_low and axis.low_seen) or (by_high and axis.high_seen):
        by_low, by_high = by_low and axis.low_seen, by_high and axis.high_seen
    if by_low and by_high:
        return (low + high) / 2
    if by_low:
        return low
    return high if by_high else 0.0  # longer than the picture


def _size_difference(axis: Axis, side: Side) -> float:
    """The difference of their lengths; a box that is cut off may be shorter."""
    more = side.high - side.low - axis.length
    if not (axis.low_seen and axis.high_seen):
        return 0.0
    return max(0.0, more) if side.low_cut or side.high_cut else abs(more)


def _correct(tracks: PartTracks, track: PartTrack, shape: Shape) -> None:
    size = max(track.x.length, track.y.length)
    first = track.hits == 1 and tracks.belt is None
    for axis, side in ((track.x, shape.x), (track.y, shape.y)):
        off = _deviation(axis, side)
        axis.at += off
        if track.unseen_s > SHORTEST_S:
            gain = 1.0 if first else min(1.0, max(SPEED_GAIN, abs(off) / (SPEED_CHANGE * size)))
            axis.speed += gain * off / track.unseen_s
        _fit(axis, side)
    track.hits += 1
    track.unseen, track.unseen_s = 0, 0.0
    tracks.belt = blend(tracks.belt, (track.x.speed, track.y.speed), BELT_GAIN)
    _learn_size(tracks, shape)


def _fit(axis: Axis, side: Side) -> None:
    """Correct the edges by the visible ones. An estimated edge can't lie inside the box that is seen."""
    low, high = side.low - axis.at, side.high - axis.at
    if side.low_cut:
        axis.low = min(axis.low, low)
    else:
        axis.low += (SIZE_GAIN if axis.low_seen else 1.0) * (low - axis.low)
        axis.low_seen = True
    if side.high_cut:
        axis.high = max(axis.high, high)
    else:
        axis.high += (SIZE_GAIN if axis.high_seen else 1.0) * (high - axis.high)
        axis.high_seen = True


def _learn_size(tracks: PartTracks, shape: Shape) -> None:
    if not (shape.x.low_cut or shape.x.high_cut or shape.y.low_cut or shape.y.high_cut):
        tracks.size = (shape.x.high - shape.x.low, shape.y.high - shape.y.low)


def _begin(tracks: PartTracks, shape: Shape, part_id: str) -> PartMatch:
    width, height = shape.x.high - shape.x.low, shape.y.high - shape.y.low
    usual = tracks.size or (max(width, height), max(width, height))
    vx, vy = tracks.belt or (0.0, 0.0)
    track = PartTrack(part_id, _axis(shape.x, usual[0], vx), _axis(shape.y, usual[1], vy))
    _learn_size(tracks, shape)
    return PartMatch(track, shape, new=True)


def _axis(side: Side, usual: float, speed: float) -> Axis:
    low, high = side.low, side.high
    if side.low_cut and not side.high_cut:
        low = min(low, high - usual)
    elif side.high_cut and not side.low_cut:
        high = max(high, low + usual)
    at = (low + high) / 2
    return Axis(at, low - at, high - at, speed, not side.low_cut, not side.high_cut)


def _gone(track: PartTrack, size: tuple[int, int], forget_after: int) -> bool:
    if track.unseen == 0:
        return False
    inside = min(_inside(track.x, size[0]), _inside(track.y, size[1]))
    return track.unseen >= forget_after or inside < FAR_OUT or (inside < LEFT_PART and track.unseen >= 2)


def _inside(axis: Axis, length: int) -> float:
    """The share of its length that lies in the picture; below 0: its distance from the picture, in its own lengths."""
    return (min(axis.at + axis.high, length) - max(axis.at + axis.low, 0.0)) / max(1.0, axis.length)
