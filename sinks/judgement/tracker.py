"""Detections -> tracks: which of this frame's boxes is which of the defects seen before. Pure; its state is data.

Constant velocity suits a belt: everything on it moves alike, so a new track starts with the belt's own velocity, and a
small fast box (a 20 px scratch that moves 16 px a frame) is looked for where the belt has carried it. Each class is
assigned for itself by the Hungarian method on squared distances, which prefers that all move alike over one that stands
still. Positions and sizes are in pixels of the published frame, velocities in px/s.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from andon.messages import Box, Detection

GAIN = 0.7
"""How much of the distance between where a box was expected and where it is goes into the position, and below into the
velocity: an alpha-beta filter's two gains, high because a detector's boxes are good to a few pixels."""
VELOCITY_GAIN = 0.3
FIRST_VELOCITY_GAIN = 0.5
"""On a track's second sighting, where the belt gave a first guess."""
SPEED_CHANGE = 1.5
"""All of the distance goes into the velocity where it is so many of the box's own lengths: that is no jitter, the belt
has another speed."""
SHORTEST_PX = 12.0
"""A box is taken to be so long at least: a detector's jitter does not get smaller with it."""
BELT_GAIN = 0.3
SETTLED_HITS = 3
"""From so many sightings on a track tells the belt's velocity."""
SAME_THING = 0.7
"""Two boxes of one class are one thing detected twice if so much of the smaller one lies in the other."""
OVERLAP_WEIGHT = 0.02
"""What no overlap with the expected box costs, beside a squared distance of 0 to 1: it decides between equals."""
SHORTEST_S = 1e-3
"""A velocity is told from no shorter time: two frames with one time stamp would make it endless."""
LONGEST_S = 60.0
"""What moved for longer has left the picture."""
FAR = 1e6
"""The cost of a pair that may not be matched."""


@dataclass(slots=True)
class Track:
    """One thing seen on one frame or more. `x`, `y` is its centre, carried on to the last inspected frame."""

    track_id: str
    label: str
    x: float
    y: float
    width: float
    height: float
    vx: float
    vy: float
    hits: int = 1
    unseen: int = 0
    """Inspected frames since it was seen last, and below the seconds."""
    unseen_s: float = 0.0
    window: int = 1
    """The last inspected frames, newest in bit 0: 1 where it was seen."""


@dataclass(slots=True)
class Tracks:
    """A camera's tracks, as they stand after the last inspected frame."""

    alive: list[Track] = field(default_factory=list)
    belt: tuple[float, float] | None = None
    """The velocity of what settled tracks showed last; outlives a session, since the belt does."""
    captured_at: datetime | None = None
    media_time_s: float | None = None


class _Expected(NamedTuple):
    """A track's box on the next frame; no message, so that nothing is validated for each pair."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Sight:
    """One inspected frame."""

    frame_id: str
    captured_at: datetime
    media_time_s: float | None
    diagonal_px: float
    detections: Sequence[Detection]


class Anchor(NamedTuple):
    """Where a track is known to be on this frame, how fast, and how far off its box may lie."""

    x: float
    y: float
    vx: float
    vy: float
    gate_px: float


Anchors = Mapping[str, Anchor]
"""By track."""
NO_ANCHORS: Anchors = {}


class _Sought(NamedTuple):
    """A track, how far its box may lie from where it is expected, and whether that is known by an anchor."""

    track: Track
    gate_px: float
    anchored: bool


@dataclass(frozen=True, slots=True)
class Match:
    """A track and where this frame shows it, or None where it does not. `gone`: it has been forgotten just now."""

    track: Track
    detection: Detection | None
    gone: bool = False


def advance(
    tracks: Tracks, sight: Sight, max_move: float, forget_after: int, window: int, anchors: Anchors = NO_ANCHORS
) -> list[Match]:
    """Carry `tracks` (in place) on to this frame and say which detection belongs to which.

    `max_move` is the farthest that a box may lie from where it is expected, as a fraction of the diagonal; a track is
    forgotten when unseen for `forget_after` inspected frames; `window` is how many frames `Track.window` remembers.
    What has an anchor is not carried on: it is there.
    """
    step_s = elapsed_s(tracks.captured_at, tracks.media_time_s, sight)
    tracks.captured_at, tracks.media_time_s = sight.captured_at, sight.media_time_s
    gate_px = max_move * sight.diagonal_px
    sought = [_carried_on(track, step_s, anchors.get(track.track_id), gate_px) for track in tracks.alive]
    for track in tracks.alive:
        track.window = (track.window << 1) & ((1 << window) - 1)
    detections = distinct(sight.detections)
    matches: list[Match] = []
    for label in sorted({track.label for track in tracks.alive} | {item.label for item in detections}):
        old = [item for item in sought if item.track.label == label]
        seen = [item for item in detections if item.label == label]
        matches += _match(tracks, old, seen)
        taken = {id(match.detection) for match in matches}
        new = [item for item in seen if id(item) not in taken]
        matches += _begin(tracks, new, f"{sight.frame_id}/{label}")
    matches = [_judged(match, forget_after) for match in matches]
    tracks.alive = [match.track for match in matches if not match.gone]
    return matches


def forget(tracks: Tracks) -> None:
    """The session is over: nothing that comes is what was there, but the belt stays."""
    tracks.alive = []
    tracks.captured_at = tracks.media_time_s = None


def drop(tracks: Tracks, names: Collection[str]) -> list[Match]:
    """Forget these: they have left the picture with what they were on."""
    dropped = [Match(track, None, gone=True) for track in tracks.alive if track.track_id in names]
    tracks.alive = [track for track in tracks.alive if track.track_id not in names]
    return dropped


def elapsed_s(captured_at: datetime | None, media_time_s: float | None, sight: Sight) -> float:
    """Time since an earlier frame: the stream's own where it has one, never negative, never endless."""
    if captured_at is None:
        return 0.0
    if media_time_s is not None and sight.media_time_s is not None:
        step_s = sight.media_time_s - media_time_s
    else:
        step_s = (sight.captured_at - captured_at).total_seconds()
    return min(max(0.0, step_s), LONGEST_S)


def distinct(detections: Sequence[Detection]) -> list[Detection]:
    """The surest first, without the weaker of two boxes of one class on the same thing."""
    kept: list[Detection] = []
    for item in sorted(detections, key=lambda item: -item.confidence):
        if all(item.label != other.label or not _same_thing(item.box, other.box) for other in kept):
            kept.append(item)
    return kept


def _carried_on(track: Track, step_s: float, anchor: Anchor | None, gate_px: float) -> _Sought:
    track.unseen += 1
    track.unseen_s += step_s
    if anchor is None:
        track.x += track.vx * step_s
        track.y += track.vy * step_s
        return _Sought(track, gate_px, anchored=False)
    track.x, track.y, track.vx, track.vy = anchor.x, anchor.y, anchor.vx, anchor.vy
    return _Sought(track, anchor.gate_px, anchored=True)


def _match(tracks: Tracks, old: list[_Sought], seen: list[Detection]) -> list[Match]:
    """Every old track with its detection or without."""
    found: dict[int, Detection] = {}
    if len(old) == len(seen) == 1:  # the usual frame: nothing to choose from
        if _cost(old[0], seen[0].box) < FAR:
            found[0] = seen[0]
    elif old and seen:
        costs = np.array([[_cost(item, detection.box) for detection in seen] for item in old])
        for row, column in zip(*linear_sum_assignment(costs), strict=True):
            if costs[row, column] < FAR:
                found[int(row)] = seen[int(column)]
    for row, detection in found.items():
        _correct(tracks, old[row], detection.box)
    return [Match(item.track, found.get(row)) for row, item in enumerate(old)]


def _cost(sought: _Sought, box: Box) -> float:
    track = sought.track
    x, y = _centre(box)
    distance = math.hypot(x - track.x, y - track.y) / sought.gate_px
    if distance > 1:
        return FAR
    half_width, half_height = track.width / 2, track.height / 2
    expected = _Expected(track.x - half_width, track.y - half_height, track.x + half_width, track.y + half_height)
    return distance**2 + OVERLAP_WEIGHT * (1 - _iou(expected, box))


def _correct(tracks: Tracks, sought: _Sought, box: Box) -> None:
    track = sought.track
    x, y = _centre(box)
    off_x, off_y = x - track.x, y - track.y
    track.x += GAIN * off_x
    track.y += GAIN * off_y
    track.width, track.height = box.x2 - box.x1, box.y2 - box.y1
    first = track.hits == 1
    if first:
        track.x, track.y = x, y
    if track.unseen_s > SHORTEST_S and not sought.anchored:
        gain = VELOCITY_GAIN if not first else FIRST_VELOCITY_GAIN if tracks.belt is not None else 1.0
        gain = min(
            1.0, max(gain, math.hypot(off_x, off_y) / (SPEED_CHANGE * max(track.width, track.height, SHORTEST_PX)))
        )
        track.vx += gain * off_x / track.unseen_s
        track.vy += gain * off_y / track.unseen_s
    track.hits += 1
    track.unseen, track.unseen_s = 0, 0.0
    track.window |= 1
    if track.hits >= SETTLED_HITS and not sought.anchored:
        tracks.belt = _blend(tracks.belt, (track.vx, track.vy))


def _blend(belt: tuple[float, float] | None, seen: tuple[float, float]) -> tuple[float, float]:
    if belt is None:
        return seen
    return belt[0] + BELT_GAIN * (seen[0] - belt[0]), belt[1] + BELT_GAIN * (seen[1] - belt[1])


def _begin(tracks: Tracks, new: list[Detection], stem: str) -> list[Match]:
    vx, vy = tracks.belt or (0.0, 0.0)
    matches = []
    for number, detection in enumerate(new, start=1):
        box = detection.box
        x, y = _centre(box)
        track = Track(f"{stem}-{number}", detection.label, x, y, box.x2 - box.x1, box.y2 - box.y1, vx, vy)
        matches.append(Match(track, detection))
    return matches


def _judged(match: Match, forget_after: int) -> Match:
    return Match(match.track, match.detection, gone=match.track.unseen >= forget_after)


def _same_thing(one: Box, other: Box) -> bool:
    shared = _shared(one, other)
    return shared > 0 and shared >= SAME_THING * min(_area(one), _area(other))


def _centre(box: Box) -> tuple[float, float]:
    return (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2


def _iou(one: Box | _Expected, other: Box | _Expected) -> float:
    """Intersection over union, 0 to 1."""
    shared = _shared(one, other)
    return shared / (_area(one) + _area(other) - shared) if shared else 0.0


def _shared(one: Box | _Expected, other: Box | _Expected) -> float:
    """The area of both boxes' intersection, in square pixels."""
    width = min(one.x2, other.x2) - max(one.x1, other.x1)
    height = min(one.y2, other.y2) - max(one.y1, other.y1)
    return max(0.0, width) * max(0.0, height)


def _area(box: Box | _Expected) -> float:
    return (box.x2 - box.x1) * (box.y2 - box.y1)
