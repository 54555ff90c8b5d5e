"""Labels -> a data set in YOLO's format: pictures, the boxes that people stand behind, and those that the model drew.

A picture is exported once all of the defects that are shown on it were judged: a box that nobody has looked at would be
learned as background. What shows the same part goes into the same split, or a model would be measured on parts that it
was trained on. Without parts, pictures of one camera that follow each other within NEAR_S stay together.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby

from andon.messages import Box
from sinks.channels.evidence_files import EvidenceFacts
from sinks.store.labels import OPINIONS, StoredLabel

NEAR_S = 10.0


@dataclass(frozen=True, slots=True)
class LabelledDefect:
    """One defect with the facts of its picture and the labels that hold."""

    facts: EvidenceFacts
    path: str
    """Of its marked picture, below the evidence URL."""
    labels: Sequence[StoredLabel]

    @property
    def opinion(self) -> str | None:
        return next((label.content.kind for label in self.labels if label.content.kind in OPINIONS), None)


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """One picture with all defects on it."""

    defects: Sequence[LabelledDefect]
    boxes: Sequence[tuple[str, Box]]
    """(class, box) that people stand behind; empty: the picture shows background only."""
    drawn: Sequence[tuple[str, Box]]
    """What the model drew."""

    @property
    def facts(self) -> EvidenceFacts:
        return self.defects[0].facts

    @property
    def name(self) -> str:
        return self.facts.frame.replace("/", "-")


@dataclass(frozen=True, slots=True)
class DataSet:
    classes: Sequence[str]
    train: Sequence[LabelledPicture]
    val: Sequence[LabelledPicture]
    groups: int
    """Parts, or stretches of time, that a split may not tear apart."""
    unjudged: int = 0
    """Pictures left out because nobody has judged a defect on them."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Labels by kind."""


def data_set(
    labelled: Sequence[LabelledDefect], unseen: Mapping[str, int], classes: Sequence[str], val_share: float
) -> DataSet:
    """`unseen`: by frame, defects on it that nobody has labelled. `classes`: of line.yaml; others come behind them."""
    by_frame: dict[str, list[LabelledDefect]] = {}
    for defect in sorted(labelled, key=lambda item: (item.facts.captured_at, item.facts.defect.defect_id)):
        by_frame.setdefault(defect.facts.frame, []).append(defect)
    with_labels = [
        defects
        for frame, defects in by_frame.items()
        if not unseen.get(frame) and all(item.opinion is not None for item in defects)
    ]
    pictures = [_picture(defects) for defects in with_labels]
    groups = list(_groups(pictures))
    chosen = _validation(list(groups), val_share)
    kinds = [label.content.kind for defects in with_labels for item in defects for label in item.labels]
    return DataSet(
        classes=_classes(pictures, classes),
        train=[picture for name, members in groups if name not in chosen for picture in members],
        val=[picture for name, members in groups if name in chosen for picture in members],
        groups=len(groups),
        unjudged=len(by_frame) - len(with_labels),
        counts={kind: kinds.count(kind) for kind in ("real", "false_alarm", "missed")},
    )


def yolo_lines(boxes: Sequence[tuple[str, Box]], facts: EvidenceFacts, classes: Sequence[str]) -> str:
    """A line for each box: class, centre and size as shares of the picture."""
    lines = []
    for label, box in boxes:
        x1, x2 = (min(max(value, 0.0), facts.width) / facts.width for value in (box.x1, box.x2))
        y1, y2 = (min(max(value, 0.0), facts.height) / facts.height for value in (box.y1, box.y2))
        numbers = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
        lines.append(" ".join([str(classes.index(label)), *(f"{value:.6f}" for value in numbers)]))
    return "".join(f"{line}\n" for line in lines)


def _picture(defects: Sequence[LabelledDefect]) -> LabelledPicture:
    drawn = [(item.facts.defect.label, item.facts.defect.box) for item in defects]
    held = [box for item, box in zip(defects, drawn, strict=True) if item.opinion == "real"]
    given = [label.content for item in defects for label in item.labels]
    missed = [(new.label, new.box) for new in given if new.kind == "missed"]
    return LabelledPicture(defects, held + [(name, box) for name, box in missed if name and box], drawn)


def _groups(pictures: Sequence[LabelledPicture]) -> Iterator[tuple[str, list[LabelledPicture]]]:
    """(name, pictures) that belong together."""
    parts: dict[str, list[LabelledPicture]] = {}
    for name, members in groupby(_named(pictures), key=lambda item: item[0]):
        parts.setdefault(name, []).extend(picture for _, picture in members)
    yield from parts.items()


def _named(pictures: Sequence[LabelledPicture]) -> Iterator[tuple[str, LabelledPicture]]:
    """Each picture with the name of its group: a part, or the first picture of a stretch of time."""
    begun: dict[str, LabelledPicture] = {}
    last: dict[str, LabelledPicture] = {}
    for picture in pictures:
        camera = picture.facts.defect.camera_id
        part = next((item.facts.defect.part_id for item in picture.defects if item.facts.defect.part_id), None)
        before, last[camera] = last.get(camera), picture
        near = timedelta(seconds=NEAR_S)
        if before is None or picture.facts.captured_at - before.facts.captured_at > near:
            begun[camera] = picture
        yield part or begun[camera].name, picture


def _validation(groups: Sequence[tuple[str, list[LabelledPicture]]], share: float) -> set[str]:
    """The names of the groups for validation: by their digests, so the next export puts nearly all into the same split.

    At least one where there are two, so that the data set can be used at once.
    """
    names = sorted((name for name, _ in groups), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    count = round(share * len(names))
    return set(names[: min(max(count, 1), len(names) - 1)]) if share > 0 and len(names) > 1 else set()


def _classes(pictures: Sequence[LabelledPicture], known: Sequence[str]) -> list[str]:
    used = {label for picture in pictures for label, _ in (*picture.boxes, *picture.drawn)}
    return [*known, *sorted(used - set(known))]
