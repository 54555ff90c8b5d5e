"""A simulated belt, for tests: detections of parts and their flaws, at any speed."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

from andon.messages import Box, Detection, Inspection, RecordRef
from andon.settings import CameraPartSettings, DefectSettings, PartSettings
from sinks.judgement.rules import DefectRules, JudgementRules, PartRules
from tests.fakes import START

WIDTH, HEIGHT = 640, 480


@dataclass(frozen=True, slots=True)
class Flaw:
    """A square that the model detects on a part; x, y is its centre as a fraction of the part."""

    x: float = 0.5
    y: float = 0.5
    side_px: float = 15.0
    label: str = "scratch"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part. `at_px` is its centre's x at the time 0."""

    at_px: float
    flaws: tuple[Flaw, ...] = ()
    y_px: float = 240.0
    width_px: float = 180.0
    height_px: float = 160.0


@dataclass(frozen=True, slots=True)
class Belt:
    """Parts that move to the right by `step_px` a frame, and a detector that is not perfect."""

    pieces: tuple[Piece, ...]
    step_px: float
    frames: int
    fps: float = 15.0
    miss: float = 0.0
    """Probability that the detector misses a defect in a frame; below, the same for a part."""
    miss_part: float = 0.0
    jitter_px: float = 0.0
    edge_px: float = 0.0
    """About how far inside the picture the box of a part ends that its left or right side cuts off."""
    seed: int = 1
    way: Callable[[int], float] | None = None
    """The belt's way up to a frame, in pixels; None: it moves evenly."""
    turned: Callable[[Box], Box] = field(default=lambda box: box)
    """Maps each box to another direction of travel."""

    def inspections(self, camera: str = "press-1", session: str = "s1") -> Iterator[Inspection]:
        draw = random.Random(self.seed)
        for seq in range(self.frames):
            yield self.inspection(seq, draw, camera, session)

    def inspection(self, seq: int, draw: random.Random, camera: str = "press-1", session: str = "s1") -> Inspection:
        return Inspection(
            camera_id=camera,
            session=session,
            seq=seq,
            captured_at=START + timedelta(seconds=seq / self.fps),
            media_time_s=seq / self.fps,
            outcome="inspected",
            detections=tuple(self._detections(seq, draw)),
            width=WIDTH,
            height=HEIGHT,
            frame=RecordRef(topic="andon.frames", partition=0, offset=seq),
            inspected_at=START + timedelta(seconds=seq / self.fps),
        )

    def _detections(self, seq: int, draw: random.Random) -> Iterator[Detection]:
        gone_px = self.step_px * seq if self.way is None else self.way(seq)
        for piece in self.pieces:
            left, top = piece.at_px + gone_px - piece.width_px / 2, piece.y_px - piece.height_px / 2
            detection = self._shown("part", (left, top, piece.width_px, piece.height_px), draw)
            if detection and draw.random() >= self.miss_part:
                yield detection
            for flaw in piece.flaws:
                x, y = left + flaw.x * piece.width_px, top + flaw.y * piece.height_px
                half, side = flaw.side_px / 2, flaw.side_px
                detection = self._shown(flaw.label, (x - half, y - half, side, side), draw)
                if detection and draw.random() >= self.miss:
                    yield detection

    def _shown(self, label: str, place: tuple[float, float, float, float], draw: random.Random) -> Detection | None:
        """The part of the box inside the picture; None if it is less than a fifth."""
        x, y, width, height = place
        whole = self.turned(Box(x1=x, y1=y, x2=x + width, y2=y + height))
        edges = [edge + draw.gauss(0, self.jitter_px) for edge in (whole.x1, whole.y1, whole.x2, whole.y2)]
        x1, x2 = (min(max(edge, 0.0), float(WIDTH)) for edge in edges[0::2])
        y1, y2 = (min(max(edge, 0.0), float(HEIGHT)) for edge in edges[1::2])
        if (x2 - x1) * (y2 - y1) < 0.2 * width * height:
            return None
        x1 += abs(draw.gauss(0, self.edge_px)) if x1 == 0 else 0
        x2 -= abs(draw.gauss(0, self.edge_px)) if x2 == WIDTH else 0
        return Detection(label=label, confidence=0.7 + 0.2 * draw.random(), box=Box(x1=x1, y1=y1, x2=x2, y2=y2))


def a_row(number: int, per_minute: float, belt: Belt, flaw_share: float = 0.35) -> Belt:
    """`number` parts at this rate, some of them with a flaw or two. The picture is empty before and after."""
    draw = random.Random(belt.seed)
    pitch_px = belt.step_px * belt.fps * 60 / per_minute
    pieces = []
    for n in range(number):
        count = 0 if draw.random() >= flaw_share else draw.choice((1, 1, 2))
        flaws = tuple(
            Flaw(draw.uniform(0.1, 0.9), draw.uniform(0.1, 0.9), draw.choice((12, 20, 34)), draw.choice(LABELS))
            for _ in range(count)
        )
        width, height = draw.choice(((160.0, 150.0), (195.0, 140.0)))
        y_px = 240 + draw.uniform(-45, 45)
        pieces.append(Piece(-150 - (n + draw.uniform(-0.03, 0.03)) * pitch_px, flaws, y_px, width, height))
    frames = int((640 + 400 + number * pitch_px) / belt.step_px) + 5
    return replace(belt, pieces=tuple(pieces), frames=frames)


LABELS = ("scratch", "dent", "stain", "crack", "missing_hole")


def part_rules(
    defects: DefectSettings | None = None, own: CameraPartSettings | None = None, **parts: object
) -> JudgementRules:
    defects = defects or DefectSettings()
    settings = PartSettings.model_validate({"class": "part", **parts})
    cameras = {} if own is None else {"press-1": own}
    return JudgementRules(DefectRules(defects, "evidence", "part"), 3.0, PartRules(settings, defects, cameras))
