"""Each part that crosses the picture has one verdict: reject, pass, or unknown. Pure; its state is data.

The verdict is given when the part's centre is seen beyond the line. While something on it may yet turn out to be a
defect it waits, at most until that has left the picture. What is not looked at well enough, or not seen to cross, is
`unknown`; what shows up in a frame or two and nowhere else is no part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import hypot

from andon.messages import Detection, Inspection, PartDefect
from andon.settings import CameraPartSettings, DefectSettings, PartSettings
from sinks.judgement.part_tracks import PartMatch, PartTrack, PartTracks, Shape, View, advance_parts
from sinks.judgement.tracker import Sight, distinct, elapsed_s

PATIENCE = 2
"""A part is forgotten when unseen for so many times the frames after which a defect is: one that stands on the line
must not become another one because the model looks away."""


@dataclass(slots=True)
class Part:
    """What is known of one part beside where it is. Distances are from the line, in pixels, below 0 on one side."""

    first_frame: str
    last_frame: str
    last_at: datetime
    first_px: float
    last_px: float
    late: bool = False
    """The session had begun long before: it has come into view since."""
    gap: bool = False
    """Frames are missing that may have shown it."""
    whole: bool = False
    """Some frame showed it whole."""
    frames: int = 0
    """Healthy frames that showed it whole."""
    crossed_at: datetime | None = None
    judged: bool = False
    doubted: int = 0
    """In how many frames of a window something was seen on it, at most, that came to nothing."""
    defects: dict[str, PartDefect] = field(default_factory=dict)


@dataclass(slots=True)
class Place:
    """Where on its part a defect's track lies, in pixels from the point that moves with the part."""

    part_id: str
    x: float
    y: float
    most: int = 0
    """In how many frames of a window it was seen, at most."""


@dataclass(slots=True)
class Parts:
    """A camera's parts, as they stand after the last frame that told something."""

    tracks: PartTracks = field(default_factory=PartTracks)
    about: dict[str, Part] = field(default_factory=dict)
    """By part id."""
    places: dict[str, Place] = field(default_factory=dict)
    """By the defect's track."""
    seq: int | None = None
    frames: int = 0
    """Of this session."""
    captured_at: datetime | None = None
    media_time_s: float | None = None
    passed: int = 0
    rejected: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class CameraRules:
    """One camera's part in it. `line`: two points in fractions of the picture."""

    line: tuple[tuple[float, float], tuple[float, float]]
    min_frames: int
    patience: int
    """Unseen in so many frames a part is gone."""
    start: int
    """What is first seen in so many frames of a session may have been there before."""


@dataclass(frozen=True, slots=True)
class PartRules:
    """What `parts` of line.yaml says, and what its cameras say of their own."""

    settings: PartSettings
    defects: DefectSettings
    cameras: Mapping[str, CameraPartSettings]

    def of(self, camera_id: str) -> CameraRules:
        own = self.cameras.get(camera_id, CameraPartSettings())
        return CameraRules(
            line=self.settings.line if own.line is None else own.line,
            min_frames=self.settings.min_frames if own.min_frames is None else own.min_frames,
            patience=PATIENCE * self.defects.close_after_frames,
            start=self.defects.confirm_window,
        )


@dataclass(frozen=True, slots=True)
class Line:
    """The line in a picture's pixels: a point on it, and the direction across it, of length 1."""

    x: float
    y: float
    across_x: float
    across_y: float

    @classmethod
    def within(cls, line: tuple[tuple[float, float], tuple[float, float]], width: int, height: int) -> "Line":
        (x1, y1), (x2, y2) = ((x * width, y * height) for x, y in line)
        length = hypot(x2 - x1, y2 - y1)
        return cls(x1, y1, (y2 - y1) / length, (x1 - x2) / length)

    @property
    def along_x(self) -> bool:
        """Whether what crosses it goes rather along x than along y."""
        return abs(self.across_x) >= abs(self.across_y)

    def distance_px(self, track: PartTrack) -> float:
        return (track.x.centre - self.x) * self.across_x + (track.y.centre - self.y) * self.across_y


def follow(parts: Parts, seen: Inspection, detections: Sequence[Detection], rules: CameraRules) -> list[PartTrack]:
    """Carry `parts` (in place) on to this frame, whose parts these detections are.

    Returns those that have left, or were not seen for long. Their stories are still in `parts.about`: the caller tells
    how they end and forgets them.
    """
    sight = Sight(seen.frame_id, seen.captured_at, seen.media_time_s, 0.0, ())
    step_s = elapsed_s(parts.captured_at, parts.media_time_s, sight)
    gap = seen.seq != (0 if parts.seq is None else parts.seq + 1)
    parts.seq, parts.captured_at, parts.media_time_s = seen.seq, seen.captured_at, seen.media_time_s
    parts.frames += 1
    view = View(seen.frame_id, step_s, seen.width, seen.height, distinct(detections))
    line = Line.within(rules.line, seen.width, seen.height)
    left = []
    for match in advance_parts(parts.tracks, view, rules.patience):
        if match.shape is not None:
            _note(parts, match, match.shape, seen, line)
        part = parts.about[match.track.part_id]
        part.gap |= gap
        if match.new:
            part.late = parts.frames > rules.start
        if match.gone:
            left.append(match.track)
    return left


def forget_parts(parts: Parts) -> None:
    """The session is over: nothing that comes is what was there, but the belt stays."""
    parts.tracks.alive = []
    parts.about, parts.places = {}, {}
    parts.seq = parts.captured_at = parts.media_time_s = None
    parts.frames = 0


def _note(parts: Parts, match: PartMatch, shape: Shape, seen: Inspection, line: Line) -> None:
    """What this frame says of a part that it shows."""
    distance_px = line.distance_px(match.track)
    part = parts.about.get(match.track.part_id)
    if part is None:
        frame = seen.frame_id
        part = Part(frame, frame, seen.captured_at, distance_px, distance_px)
        parts.about[match.track.part_id] = part
    elif part.crossed_at is None and (distance_px < 0) != (part.first_px < 0):
        part.crossed_at = _crossing(part, distance_px, seen.captured_at)
    part.last_frame, part.last_at, part.last_px = seen.frame_id, seen.captured_at, distance_px
    if (shape.x if line.along_x else shape.y).whole:
        part.whole = True
        part.frames += seen.health is None


def _crossing(part: Part, distance_px: float, at: datetime) -> datetime:
    """When it was on the line, had it moved evenly since it was seen last."""
    way_px = abs(part.last_px - distance_px)
    share = min(1.0, abs(part.last_px) / way_px) if way_px else 1.0
    return part.last_at + share * (at - part.last_at)
