"""What is really to be seen: the boxes of each frame, the defects of each part, and the file they are kept in."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sample_streams.flaws import bounds
from sample_streams.line import Part, in_view, plan, pose
from sample_streams.spec import CLASSES, LineSpec

FORMAT = "andon.truth.v1"
MIN_VISIBLE = 0.5
"""A defect of which less than this share of its box lies in the picture is not in the labels."""


@dataclass(frozen=True, slots=True)
class Label:
    """One visible defect: its box in pixels (x1, y1, x2, y2), cut at the picture's edge."""

    box: tuple[float, float, float, float]
    defect_class: str
    part_id: str
    defect_id: str
    visible: float
    """Share of the whole defect's box that lies in the picture, 0.5 to 1."""

    @property
    def class_number(self) -> int:
        """The class's number in datasets and in the model."""
        return CLASSES.index(self.defect_class)


@dataclass(frozen=True, slots=True)
class FrameTruth:
    """The labels of one frame."""

    index: int
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class DefectTruth:
    """One real defect, and the first and last frame that has it in its labels (None: none has)."""

    defect_id: str
    defect_class: str
    first_frame: int | None
    last_frame: int | None


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

    @property
    def defects(self) -> tuple[DefectTruth, ...]:
        """All defects of all parts, in the order of their parts."""
        return tuple(defect for part in self.parts for defect in part.defects)


def frame_truth(spec: LineSpec, parts: tuple[Part, ...], index: int) -> FrameTruth:
    """The labels of frame `index` of the line."""
    labels = [_label(spec, part, number, index) for part in in_view(parts, index) for number in range(len(part.flaws))]
    return FrameTruth(index, tuple(label for label in labels if label.visible >= MIN_VISIBLE))


def clip_truth(spec: LineSpec) -> ClipTruth:
    """The truth of the whole line, without drawing a pixel of it."""
    parts = plan(spec)
    frames = tuple(frame_truth(spec, parts, index) for index in range(spec.n_frames))
    told = tuple(_part_truth(part, frames) for part in parts)
    return ClipTruth(spec.seed, spec.fps, spec.width_px, spec.height_px, spec.n_frames, told, frames)


def save(truth: ClipTruth, path: Path) -> None:
    """Write the truth as JSON (see the README for the format)."""
    document = {"format": FORMAT, "classes": CLASSES, **asdict(truth)}
    path.write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")


def load(path: Path) -> ClipTruth:
    """Read a `*.truth.json`. Raises ValueError where the file is of another format."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if document.pop("format", None) != FORMAT or tuple(document.pop("classes")) != CLASSES:
        raise ValueError(f"{path} is not a truth of format {FORMAT} with the classes {', '.join(CLASSES)}")
    parts = tuple(
        PartTruth(**{**part, "defects": tuple(DefectTruth(**defect) for defect in part["defects"])})
        for part in document.pop("parts")
    )
    frames = tuple(
        FrameTruth(frame["index"], tuple(Label(**{**one, "box": tuple(one["box"])}) for one in frame["labels"]))
        for frame in document.pop("frames")
    )
    return ClipTruth(**document, parts=parts, frames=frames)


def defect_id(part: Part, number: int) -> str:
    """The id of the part's defect of that number, unique in its clip."""
    return f"{part.part_id}.{number}"


def _label(spec: LineSpec, part: Part, number: int, index: int) -> Label:
    flaw = part.flaws[number]
    points = np.array([point for stroke in flaw.strokes for point in stroke])
    x1, y1, x2, y2 = bounds(pose(spec, part, index).place(points), flaw.width_px / 2)
    left, right = max(x1, 0.0), min(x2, float(spec.width_px))
    top, bottom = max(y1, 0.0), min(y2, float(spec.height_px))
    seen = max(right - left, 0.0) * max(bottom - top, 0.0) / ((x2 - x1) * (y2 - y1))
    box = (round(left, 2), round(top, 2), round(right, 2), round(bottom, 2))
    return Label(box, flaw.name, part.part_id, defect_id(part, number), round(seen, 3))


def _part_truth(part: Part, frames: tuple[FrameTruth, ...]) -> PartTruth:
    defects = []
    for number, flaw in enumerate(part.flaws):
        name = defect_id(part, number)
        seen = [frame.index for frame in frames for label in frame.labels if label.defect_id == name]
        defects.append(DefectTruth(name, flaw.name, min(seen, default=None), max(seen, default=None)))
    return PartTruth(part.part_id, part.kind.name, part.entry_frame, part.exit_frame, tuple(defects))
