"""The truth: the boxes of each frame, the defects of each part, and the file that holds them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sample_streams.flaws import Rect, annotated, bounds
from sample_streams.line import Part, in_view, plan, pose
from sample_streams.spec import CLASSES, LineSpec

FORMAT = "andon.truth.v2"
MIN_VISIBLE = 0.5
"""Smallest share of a defect's box in the picture for a label."""
PART_MIN_VISIBLE = 0.15
"""The same for a part."""


@dataclass(frozen=True, slots=True)
class PartBox:
    """One visible part: its box in pixels (x1, y1, x2, y2), without its shadow, cut at the picture's edge."""

    box: Rect
    part_id: str
    visible: float
    """Share of the whole part's box that lies in the picture, 0.15 to 1."""


@dataclass(frozen=True, slots=True)
class Label:
    """One visible defect: its box in pixels (x1, y1, x2, y2), cut at the picture's edge."""

    box: Rect
    defect_class: str
    part_id: str
    defect_id: str
    visible: float
    """Share of the whole defect's box that lies in the picture, 0.5 to 1."""


@dataclass(frozen=True, slots=True)
class FrameTruth:
    """One frame: its defects (`labels`) and its parts."""

    index: int
    labels: tuple[Label, ...]
    parts: tuple[PartBox, ...] = ()

    @property
    def boxes(self) -> tuple[tuple[int, Rect], ...]:
        """Every box with its class's number in data sets and in the model, parts first."""
        parts = [(CLASSES.index("part"), part.box) for part in self.parts]
        return (*parts, *((CLASSES.index(label.defect_class), label.box) for label in self.labels))


@dataclass(frozen=True, slots=True)
class DefectTruth:
    """One real defect, and the first and last frame that has it in its labels (None: none has)."""

    defect_id: str
    defect_class: str
    first_frame: int | None
    last_frame: int | None
    size: str
    """small, medium or large."""


@dataclass(frozen=True, slots=True)
class PartTruth:
    """One part: its kind, when it passes, and its defects."""

    part_id: str
    kind: str
    entry_frame: int
    exit_frame: int
    defects: tuple[DefectTruth, ...]


@dataclass(frozen=True, slots=True)
class ClipTruth:
    """Everything that is true of a clip; `frames[i].index == i`."""

    seed: int
    fps: int
    width_px: int
    height_px: int
    n_frames: int
    parts: tuple[PartTruth, ...]
    frames: tuple[FrameTruth, ...]
    parts_per_minute: float
    step_px: float
    """How far the belt moves from one frame to the next."""

    @property
    def defects(self) -> tuple[DefectTruth, ...]:
        """All defects of all parts, in the order of their parts."""
        return tuple(defect for part in self.parts for defect in part.defects)


def frame_truth(spec: LineSpec, parts: tuple[Part, ...], index: int) -> FrameTruth:
    """The labels of frame `index` of the line."""
    visible = in_view(parts, index)
    labels = [_label(spec, part, number, index) for part in visible for number in range(len(part.flaws))]
    boxes = [_part_box(spec, part, index) for part in visible]
    return FrameTruth(
        index,
        tuple(label for label in labels if label.visible >= MIN_VISIBLE),
        tuple(box for box in boxes if box.visible >= PART_MIN_VISIBLE),
    )


def clip_truth(spec: LineSpec) -> ClipTruth:
    """The truth of the whole line, without drawing a pixel of it."""
    parts = plan(spec)
    frames = tuple(frame_truth(spec, parts, index) for index in range(spec.n_frames))
    return ClipTruth(
        seed=spec.seed,
        fps=spec.fps,
        width_px=spec.width_px,
        height_px=spec.height_px,
        n_frames=spec.n_frames,
        parts=tuple(_part_truth(part, frames) for part in parts),
        frames=frames,
        parts_per_minute=spec.parts_per_minute,
        step_px=spec.step_px,
    )


def save(truth: ClipTruth, path: Path) -> None:
    """Write the truth as JSON (see the README for the format)."""
    document = {"format": FORMAT, "classes": CLASSES, **asdict(truth)}
    path.write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")


def load(path: Path) -> ClipTruth:
    """Read a `*.truth.json`. Raises ValueError where the file is of another format."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if document.pop("format", None) != FORMAT or tuple(document.pop("classes", ())) != CLASSES:
        raise ValueError(f"{path} is not a truth of format {FORMAT} with the classes {', '.join(CLASSES)}")
    parts = tuple(
        PartTruth(**{**part, "defects": tuple(DefectTruth(**defect) for defect in part["defects"])})
        for part in document.pop("parts")
    )
    return ClipTruth(**{**document, "parts": parts, "frames": tuple(_frame(one) for one in document["frames"])})


def defect_id(part: Part, number: int) -> str:
    """The id of the part's defect of that number, unique in its clip."""
    return f"{part.part_id}.{number}"


def _frame(document: dict[str, Any]) -> FrameTruth:
    labels = (Label(**{**one, "box": tuple(one["box"])}) for one in document["labels"])
    parts = (PartBox(**{**one, "box": tuple(one["box"])}) for one in document["parts"])
    return FrameTruth(document["index"], tuple(labels), tuple(parts))


def _label(spec: LineSpec, part: Part, number: int, index: int) -> Label:
    flaw = part.flaws[number]
    box, visibility = _cut(spec, annotated(pose(spec, part, index).place(flaw.points), flaw.width_px))
    return Label(box, flaw.name, part.part_id, defect_id(part, number), visibility)


def _part_box(spec: LineSpec, part: Part, index: int) -> PartBox:
    box, visibility = _cut(spec, bounds(pose(spec, part, index).place(part.kind.outline), 0.0))
    return PartBox(box, part.part_id, visibility)


def _cut(spec: LineSpec, whole: Rect) -> tuple[Rect, float]:
    """What of the box lies in the picture, and which share of it that is."""
    x1, y1, x2, y2 = whole
    left, right = max(x1, 0.0), min(x2, float(spec.width_px))
    top, bottom = max(y1, 0.0), min(y2, float(spec.height_px))
    visibility = max(right - left, 0.0) * max(bottom - top, 0.0) / ((x2 - x1) * (y2 - y1))
    return (round(left, 2), round(top, 2), round(right, 2), round(bottom, 2)), round(visibility, 3)


def _part_truth(part: Part, frames: tuple[FrameTruth, ...]) -> PartTruth:
    passing = frames[part.entry_frame : part.exit_frame + 1]
    defects = []
    for number, flaw in enumerate(part.flaws):
        name = defect_id(part, number)
        indices = [frame.index for frame in passing for label in frame.labels if label.defect_id == name]
        first, last = min(indices, default=None), max(indices, default=None)
        defects.append(DefectTruth(name, flaw.name, first, last, flaw.size))
    return PartTruth(part.part_id, part.kind.name, part.entry_frame, part.exit_frame, tuple(defects))
