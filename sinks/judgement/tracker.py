"""Detections -> tracks: which of this frame's boxes is which of the defects seen before. The tracks are data.

Constant velocity suits a belt: everything on it moves alike. So a new track starts with the belt's own velocity, and a
small fast box (a 20 px scratch that moves 16 px a frame) is searched for where the belt has carried it. Each class is
assigned separately by the Hungarian method on squared distances: it prefers that all boxes move alike over one that
stands still. Positions and sizes are in pixels of the published frame, velocities in px/s.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from andon.messages import Box, Detection
from andon.settings import DefectSettings
from sinks.judgement.geometry import Rect, advance_time, blend, centre, iou
from sinks.judgement.rules import FrameView

GAIN = 0.7
"""Share of the deviation (measured minus expected position) that goes into the position. With VELOCITY_GAIN, the two
gains of an alpha-beta filter; high, because a detector's boxes are good to a few pixels."""
VELOCITY_GAIN = 0.3
"""Share of the deviation that goes into the velocity."""
FIRST_VELOCITY_GAIN = 0.5
"""The same on a track's second detection, if the belt gave the first estimate."""
SPEED_CHANGE = 1.5
"""A deviation of this multiple of the box's own length goes into the velocity whole: it is no jitter, the belt has
another speed."""
SHORTEST_PX = 12.0
"""Least length of a box in that comparison: a detector's jitter does not shrink with the box."""
BELT_GAIN = 0.3
SETTLED_HITS = 3
"""A track measures the belt's velocity from this number of detections on."""
OVERLAP_WEIGHT = 0.02
"""Cost of no overlap with the expected box, beside a squared distance of 0 to 1: it decides between equals."""
SHORTEST_S = 1e-3
"""Least time over which a velocity is measured: two frames with one time stamp would make it infinite."""
FAR = 1e6
"""The cost of a pair that may not be matched."""


@dataclass(slots=True)
class Track:
    """One thing in one frame or more. `x`, `y` is its centre, predicted for the last inspected frame."""

    track_id: str
    label: str
    x: float
    y: float
    width: float
    height: float
    vx: float
    vy: float
    hits: int = 1
    """Frames that showed it."""
    unseen: int = 0
    """Inspected frames since the last one that showed it; below, the same in seconds."""
    unseen_s: float = 0.0
    window: int = 1
    """A bit for each of the last inspected frames, the newest in bit 0: 1 where it was seen."""


@dataclass(slots=True)
class Tracks:
    """A camera's tracks after its last inspected frame."""

    alive: list[Track] = field(default_factory=list)
    belt: tuple[float, float] | None = None
    """The velocity that settled tracks showed last. It outlives a session, as the belt does."""
    captured_at: datetime | None = None
    media_time_s: float | None = None


class Anchor(NamedTuple):
    """Where a track is known to be on this frame, its velocity, and how far away its box may lie."""

    x: float
    y: float
    vx: float
    vy: float
    gate_px: float


Anchors = Mapping[str, Anchor]
"""By track."""
NO_ANCHORS: Anchors = {}


class _Search(NamedTuple):
    """A track, how far from its expected position its box may lie, and whether an anchor gives that position."""

    track: Track
    gate_px: float
    anchored: bool


@dataclass(slots=True)
class Match:
    """A track, and the detection that shows it on this frame, if any. `gone`: this frame made the tracker forget it."""

    track: Track
    detection: Detection | None
    gone: bool = False


def advance(tracks: Tracks, frame: FrameView, settings: DefectSettings, anchors: Anchors = NO_ANCHORS) -> list[Match]:
    """Take `tracks` (in place) on by one frame. Returns every track with its detection.

    A box may lie `settings.max_move` of the picture's diagonal from where its track is expected. A track is forgotten
    after `settings.close_after_frames` inspected frames without it. A track with an anchor is expected there.
    """
    step_s = advance_time(tracks, frame.inspection)
    detections = frame.defects
    if not tracks.alive and not detections:
        return []
    searches = _predict(tracks, frame, step_s, settings, anchors)
    matches: list[Match] = []
    for label in sorted({track.label for track in tracks.alive} | {item.label for item in detections}):
        old = [item for item in searches if item.track.label == label]
        boxes = [item for item in detections if item.label == label]
        matches += _assign(tracks, old, boxes)
        taken = {id(match.detection) for match in matches}
        new = [item for item in boxes if id(item) not in taken]
        if new:
            matches += _begin(tracks, new, f"{frame.inspection.frame_id}/{label}")
    for match in matches:
        match.gone = match.track.unseen >= settings.close_after_frames
    tracks.alive = [match.track for match in matches if not match.gone]
    return matches


def forget(tracks: Tracks) -> None:
    """The session is over: its tracks end, and the belt's velocity stays."""
    tracks.alive = []
    tracks.captured_at = tracks.media_time_s = None


def drop(tracks: Tracks, names: Collection[str]) -> list[Match]:
    """Forget these tracks: they left the picture with their part."""
    if not names:
        return []
    dropped = [Match(track, None, gone=True) for track in tracks.alive if track.track_id in names]
    tracks.alive = [track for track in tracks.alive if track.track_id not in names]
    return dropped


def _predict(
    tracks: Tracks, frame: FrameView, step_s: float, settings: DefectSettings, anchors: Anchors
) -> list[_Search]:
    gate_px = settings.max_move * math.hypot(frame.inspection.width, frame.inspection.height)
    mask = (1 << settings.confirm_window) - 1
    searches = []
    for track in tracks.alive:
        track.window = (track.window << 1) & mask
        track.unseen += 1
        track.unseen_s += step_s
        anchor = anchors.get(track.track_id)
        if anchor is None:
            track.x += track.vx * step_s
            track.y += track.vy * step_s
            searches.append(_Search(track, gate_px, anchored=False))
        else:
            track.x, track.y, track.vx, track.vy = anchor.x, anchor.y, anchor.vx, anchor.vy
            searches.append(_Search(track, anchor.gate_px, anchored=True))
    return searches


def _assign(tracks: Tracks, old: Sequence[_Search], boxes: Sequence[Detection]) -> list[Match]:
    """Every old track with its detection or without."""
    pairs: dict[int, Detection] = {}
    if len(old) == len(boxes) == 1:  # the usual frame has nothing to choose from
        if _cost(old[0], boxes[0].box) < FAR:
            pairs[0] = boxes[0]
    elif old and boxes:
        costs = np.array([[_cost(item, detection.box) for detection in boxes] for item in old])
        for row, column in zip(*linear_sum_assignment(costs), strict=True):
            if costs[row, column] < FAR:
                pairs[int(row)] = boxes[int(column)]
    for row, detection in pairs.items():
        _correct(tracks, old[row], detection.box)
    return [Match(item.track, pairs.get(row)) for row, item in enumerate(old)]


def _cost(search: _Search, box: Box) -> float:
    track = search.track
    x, y = centre(box)
    distance = math.hypot(x - track.x, y - track.y) / search.gate_px
    if distance > 1:
        return FAR
    half_width, half_height = track.width / 2, track.height / 2
    expected = Rect(track.x - half_width, track.y - half_height, track.x + half_width, track.y + half_height)
    return distance**2 + OVERLAP_WEIGHT * (1 - iou(expected, box))


def _correct(tracks: Tracks, search: _Search, box: Box) -> None:
    track = search.track
    x, y = centre(box)
    off_x, off_y = x - track.x, y - track.y
    track.x += GAIN * off_x
    track.y += GAIN * off_y
    track.width, track.height = box.x2 - box.x1, box.y2 - box.y1
    first = track.hits == 1
    if first:
        track.x, track.y = x, y
    if track.unseen_s > SHORTEST_S and not search.anchored:
        gain = VELOCITY_GAIN if not first else FIRST_VELOCITY_GAIN if tracks.belt is not None else 1.0
        gain = min(
            1.0, max(gain, math.hypot(off_x, off_y) / (SPEED_CHANGE * max(track.width, track.height, SHORTEST_PX)))
        )
        track.vx += gain * off_x / track.unseen_s
        track.vy += gain * off_y / track.unseen_s
    track.hits += 1
    track.unseen, track.unseen_s = 0, 0.0
    track.window |= 1
    if track.hits >= SETTLED_HITS and not search.anchored:
        tracks.belt = blend(tracks.belt, (track.vx, track.vy), BELT_GAIN)


def _begin(tracks: Tracks, new: Sequence[Detection], stem: str) -> list[Match]:
    vx, vy = tracks.belt or (0.0, 0.0)
    matches = []
    for number, detection in enumerate(new, start=1):
        box = detection.box
        x, y = centre(box)
        track = Track(f"{stem}-{number}", detection.label, x, y, box.x2 - box.x1, box.y2 - box.y1, vx, vy)
        matches.append(Match(track, detection))
    return matches
