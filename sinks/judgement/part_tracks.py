"""Where parts are: boxes of one class, large against their way from frame to frame, followed edge by edge. Pure.

An edge that the picture cuts off says nothing of where the part is: it is told from the other one, so that a part's
place, and that of a defect on it, is known from its first corner in view to its last. What tells two parts apart is
where they ought to be, their height on the belt, and their size. Positions are in pixels of the published frame,
speeds in px/s.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from andon.messages import Box, Detection
from sinks.judgement.tracker import FAR, LONGEST_S, SHORTEST_S

CUT = 0.04
"""A box that ends so close to the picture's side, as a fraction of it, is taken for cut off by it: a detector draws the
edge of what is cut off some pixels within the picture, and an edge that seems to stand still tears a part apart."""
GATE = 0.6
"""A part is looked for so far from where it is expected, in its own lengths: a belt that stops or starts between two
frames is within it, the next part is not."""
FIRST_GATE = 1.0
"""The same of a part that was seen once, from where that was: whatever is known of the belt may not be so any more."""
UNMOVED = 1.0
"""What it costs not to be where the belt should have carried it."""
ACROSS_WEIGHT = 9.0
"""To be beside the way costs more than to be behind or ahead on it: parts keep their place across the belt."""
SIZE_WEIGHT = 4.0
WORST_SIZE = 0.35
"""Two boxes whose sides differ by more, in the part's length, are not one part: they may be two that touch."""
SPEED_GAIN = 0.3
"""How much of a deviation goes into the speed; all of it where it is as large as SPEED_CHANGE of the part's length,
for then the belt has stopped, or started."""
SPEED_CHANGE = 0.3
SIZE_GAIN = 0.3
BELT_GAIN = 0.5
LEFT_PART = 0.1
"""With less than this of its length in the picture a part that is not seen is taken to have left it."""
FAR_OUT = -0.5
"""The same, whether it was looked for twice or once."""


@dataclass(slots=True)
class Axis:
    """A part along x or y: a point `at` that moves with it, and where its two edges lie from there."""

    at: float
    low: float
    high: float
    speed: float
    low_seen: bool
    high_seen: bool
    """Whether that edge was ever seen within the picture; else it is a guess."""

    @property
    def length(self) -> float:
        return self.high - self.low

    @property
    def centre(self) -> float:
        return self.at + (self.low + self.high) / 2


@dataclass(slots=True)
class PartTrack:
    """One part, as it stands after the last frame."""

    part_id: str
    x: Axis
    y: Axis
    hits: int = 1
    unseen: int = 0
    """Frames since it was seen last, and below the seconds."""
    unseen_s: float = 0.0


@dataclass(slots=True)
class PartTracks:
    """A camera's parts."""

    alive: list[PartTrack] = field(default_factory=list)
    belt: tuple[float, float] | None = None
    """The velocity of what was seen last; outlives a session, since the belt does."""
    size: tuple[float, float] | None = None
    """Of the last part that was seen whole: what one is taken to have of which only an edge is seen."""


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
class View:
    """One frame. `step_s` is the time since the one before."""

    frame_id: str
    step_s: float
    width: int
    height: int
    detections: Sequence[Detection]


@dataclass(frozen=True, slots=True)
class PartMatch:
    """A part and how this frame shows it, or None where it does not. `gone`: it has left, or was unseen for long."""

    track: PartTrack
    shape: Shape | None
    gone: bool = False
    new: bool = False


def advance_parts(tracks: PartTracks, view: View, forget_after: int) -> list[PartMatch]:
    """Carry `tracks` (in place) on to this frame and say which detection belongs to which.

    A part is forgotten when it is unseen for `forget_after` frames, or when it must have left the picture.
    """
    for track in tracks.alive:
        track.x.at += track.x.speed * view.step_s
        track.y.at += track.y.speed * view.step_s
        track.unseen += 1
        track.unseen_s = min(track.unseen_s + view.step_s, LONGEST_S)
    shapes = [_shape(item.box, view) for item in view.detections]
    found = _assigned(tracks, shapes)
    for row, number in found.items():
        _correct(tracks, tracks.alive[row], shapes[number])
    matches = [
        PartMatch(track, shapes[found[row]] if row in found else None, _gone(track, view, forget_after))
        for row, track in enumerate(tracks.alive)
    ]
    taken = set(found.values())
    new = [shape for number, shape in enumerate(shapes) if number not in taken]
    matches += [_begun(tracks, shape, f"{view.frame_id}/part-{number}") for number, shape in enumerate(new, start=1)]
    tracks.alive = [match.track for match in matches if not match.gone]
    return matches


def _shape(box: Box, view: View) -> Shape:
    return Shape(_side(box.x1, box.x2, view.width), _side(box.y1, box.y2, view.height))


def _side(low: float, high: float, length: int) -> Side:
    return Side(low, high, low <= CUT * length, high >= (1 - CUT) * length)


def _assigned(tracks: PartTracks, shapes: Sequence[Shape]) -> dict[int, int]:
    """By the track's number the shape's."""
    if not tracks.alive or not shapes:
        return {}
    costs = [[_cost(track, shape, tracks.belt) for shape in shapes] for track in tracks.alive]
    pairs = [(row, column) for row, line in enumerate(costs) for column, cost in enumerate(line) if cost < FAR]
    if len({row for row, _ in pairs}) == len(pairs) == len({column for _, column in pairs}):
        return dict(pairs)  # the usual frame: nothing to choose from
    chosen = zip(*linear_sum_assignment(np.array(costs)), strict=True)
    return {int(row): int(column) for row, column in chosen if costs[row][column] < FAR}


def _cost(track: PartTrack, shape: Shape, belt: tuple[float, float] | None) -> float:
    x, y = track.x, track.y
    size = max(x.high - x.low, y.high - y.low, shape.x.high - shape.x.low, shape.y.high - shape.y.low)
    off = _off(x, shape.x), _off(y, shape.y)
    cost = FAR if belt is None and track.hits == 1 else _far(off, (x.speed, y.speed), GATE * size)
    if track.hits == 1:  # the belt may have another speed by now, or had it when it was seen last
        from_there = off[0] + x.speed * track.unseen_s, off[1] + y.speed * track.unseen_s
        cost = min(cost, UNMOVED + _far(from_there, (x.speed, y.speed), FIRST_GATE * size))
    if cost >= FAR:
        return FAR
    misfit = max(_misfit(x, shape.x), _misfit(y, shape.y)) / size
    return cost + SIZE_WEIGHT * misfit**2 if misfit <= WORST_SIZE else FAR


def _far(off: tuple[float, float], way: tuple[float, float], gate_px: float) -> float:
    """What it costs to be so far off, on the way or beside it."""
    x, y = off
    if x * x + y * y > gate_px * gate_px:
        return FAR
    speed = math.hypot(*way)
    across = (x * way[1] - y * way[0]) / speed if speed > 1.0 else min(x, y, key=abs)
    return (x * x + y * y + (ACROSS_WEIGHT - 1) * across**2) / gate_px**2


def _off(axis: Axis, side: Side) -> float:
    """How far it is from where it was expected: by the edges that are known of both, else by a guessed one."""
    low, high = side.low - axis.at - axis.low, side.high - axis.at - axis.high
    by_low, by_high = not side.low_cut, not side.high_cut
    if (by_low and axis.low_seen) or (by_high and axis.high_seen):
        by_low, by_high = by_low and axis.low_seen, by_high and axis.high_seen
    if by_low and by_high:
        return (low + high) / 2
    if by_low:
        return low
    return high if by_high else 0.0  # longer than the picture


def _misfit(axis: Axis, side: Side) -> float:
    """By how much their lengths differ; a box that is cut off may be shorter."""
    more = side.high - side.low - axis.length
    if not (axis.low_seen and axis.high_seen):
        return 0.0
    return max(0.0, more) if side.low_cut or side.high_cut else abs(more)


def _correct(tracks: PartTracks, track: PartTrack, shape: Shape) -> None:
    size = max(track.x.length, track.y.length)
    first = track.hits == 1 and tracks.belt is None
    for axis, side in ((track.x, shape.x), (track.y, shape.y)):
        off = _off(axis, side)
        axis.at += off
        if track.unseen_s > SHORTEST_S:
            gain = 1.0 if first else min(1.0, max(SPEED_GAIN, abs(off) / (SPEED_CHANGE * size)))
            axis.speed += gain * off / track.unseen_s
        _fit(axis, side)
    track.hits += 1
    track.unseen, track.unseen_s = 0, 0.0
    tracks.belt = _blend(tracks.belt, (track.x.speed, track.y.speed))
    _learn_size(tracks, shape)


def _fit(axis: Axis, side: Side) -> None:
    """The edges, from what is seen of them; what is only guessed can't lie within what is seen."""
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


def _blend(belt: tuple[float, float] | None, seen: tuple[float, float]) -> tuple[float, float]:
    if belt is None:
        return seen
    return belt[0] + BELT_GAIN * (seen[0] - belt[0]), belt[1] + BELT_GAIN * (seen[1] - belt[1])


def _begun(tracks: PartTracks, shape: Shape, part_id: str) -> PartMatch:
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


def _gone(track: PartTrack, view: View, forget_after: int) -> bool:
    if track.unseen == 0:
        return False
    left = min(_inside(track.x, view.width), _inside(track.y, view.height))
    return track.unseen >= forget_after or left < FAR_OUT or (left < LEFT_PART and track.unseen >= 2)


def _inside(axis: Axis, length: int) -> float:
    """How much of it lies in the picture, in its own length; below 0: how far it is from it."""
    return (min(axis.at + axis.high, length) - max(axis.at + axis.low, 0.0)) / max(1.0, axis.length)
