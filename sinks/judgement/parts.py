"""The parts in one camera's picture: their history, and the line at which they are judged."""

from dataclasses import dataclass, field
from datetime import datetime
from math import hypot
from typing import Annotated

from pydantic import Field

from andon.messages import Inspection, PartDefect, PartOutcome
from sinks.judgement.geometry import advance_time
from sinks.judgement.part_tracks import PartMatch, PartTrack, PartTracks, Shape, advance_parts
from sinks.judgement.rules import CameraPartRules, FrameView

MOVED = 0.1
"""A part has moved if it went this far, in its own lengths."""


@dataclass(slots=True)
class PartHistory:
    """One part from its first frame on, beside where it is. Distances are from the line, in pixels, with a sign."""

    first_frame: str
    last_frame: str
    last_at: datetime
    first_px: float
    last_px: float
    late: bool = False
    """It came into view some time after the session began."""
    gap: bool = False
    """Frames are missing that may have shown it."""
    whole: bool = False
    """Some frame showed it whole."""
    frames: int = 0
    """Healthy frames that showed it whole."""
    crossed_at: datetime | None = None
    judged: bool = False
    """Its verdict was given."""
    unconfirmed_frames: Annotated[int, Field(alias="doubted")] = 0
    """The most frames of a window that showed the same candidate on it, which was never confirmed."""
    defects: dict[str, PartDefect] = field(default_factory=dict)

    def only_moved_away(self, track: PartTrack) -> bool:
        """Whether the part was first seen beyond the line, and has gone further away since."""
        way_px = MOVED * max(track.x.length, track.y.length)
        return self.crossed_at is None and abs(self.last_px) > abs(self.first_px) + way_px


@dataclass(slots=True)
class PartPosition:
    """Where on its part a defect's track lies, in pixels from the point that moves with the part."""

    part_id: str
    x: float
    y: float
    window_hits: Annotated[int, Field(alias="most")] = 0
    """The most frames of a window that showed it."""


@dataclass(slots=True)
class Parts:
    """A camera's parts after the last frame that showed anything."""

    tracks: PartTracks = field(default_factory=PartTracks)
    histories: Annotated[dict[str, PartHistory], Field(alias="about")] = field(default_factory=dict)
    """By part id."""
    places: dict[str, PartPosition] = field(default_factory=dict)
    """By the defect's track."""
    seq: int | None = None
    frames: int = 0
    """Of this session."""
    captured_at: datetime | None = None
    media_time_s: float | None = None
    passed: int = 0
    rejected: int = 0
    unknown: int = 0

    def count(self, verdict: PartOutcome) -> None:
        match verdict:
            case "pass":
                self.passed += 1
            case "reject":
                self.rejected += 1
            case "unknown":
                self.unknown += 1


@dataclass(frozen=True, slots=True)
class CrossingLine:
    """The line in a picture's pixels: a point on it, and the direction across it, of length 1."""

    x: float
    y: float
    across_x: float
    across_y: float

    @classmethod
    def within(cls, line: tuple[tuple[float, float], tuple[float, float]], frame: Inspection) -> "CrossingLine":
        (x1, y1), (x2, y2) = ((x * frame.width, y * frame.height) for x, y in line)
        length = hypot(x2 - x1, y2 - y1)
        return cls(x1, y1, (y2 - y1) / length, (x1 - x2) / length)

    @property
    def along_x(self) -> bool:
        """Whether parts cross it along x rather than along y."""
        return abs(self.across_x) >= abs(self.across_y)

    def distance_px(self, track: PartTrack) -> float:
        return (track.x.centre - self.x) * self.across_x + (track.y.centre - self.y) * self.across_y


def follow(parts: Parts, frame: FrameView, rules: CameraPartRules) -> list[PartTrack]:
    """Take `parts` (in place) on by one frame. Returns the parts that have left, or were not seen for too long.

    The histories of these are still in `parts`, for their verdicts; the caller forgets them.
    """
    inspection = frame.inspection
    step_s = advance_time(parts, inspection)
    gap = inspection.seq != (0 if parts.seq is None else parts.seq + 1)
    parts.seq = inspection.seq
    parts.frames += 1
    line = CrossingLine.within(rules.line, inspection)
    left = []
    for match in advance_parts(parts.tracks, frame, step_s, rules.forget_after):
        if match.shape is not None:
            _extend(parts, match, match.shape, inspection, line)
        history = parts.histories[match.track.part_id]
        history.gap |= gap
        if match.new:
            history.late = parts.frames > rules.start
        if match.gone:
            left.append(match.track)
    return left


def forget_parts(parts: Parts) -> None:
    """The session is over: its parts end, and the belt's velocity stays."""
    parts.tracks.alive = []
    parts.histories, parts.places = {}, {}
    parts.seq = parts.captured_at = parts.media_time_s = None
    parts.frames = 0


def _extend(parts: Parts, match: PartMatch, shape: Shape, frame: Inspection, line: CrossingLine) -> None:
    distance_px = line.distance_px(match.track)
    history = parts.histories.get(match.track.part_id)
    if history is None:
        name = frame.frame_id
        history = PartHistory(name, name, frame.captured_at, distance_px, distance_px)
        parts.histories[match.track.part_id] = history
    elif history.crossed_at is None and (distance_px < 0) != (history.first_px < 0):
        history.crossed_at = _crossing(history, distance_px, frame.captured_at)
    history.last_frame, history.last_at, history.last_px = frame.frame_id, frame.captured_at, distance_px
    if (shape.x if line.along_x else shape.y).whole:
        history.whole = True
        history.frames += frame.health is None


def _crossing(history: PartHistory, distance_px: float, at: datetime) -> datetime:
    """The time on the line, if the part moved evenly since it was seen last."""
    way_px = abs(history.last_px - distance_px)
    share = min(1.0, abs(history.last_px) / way_px) if way_px else 1.0
    return history.last_at + share * (at - history.last_at)
