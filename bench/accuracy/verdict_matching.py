"""Which verdict is on which part, and the confusion matrix (pure).

A verdict says from which frame to which its part was followed: from where it came into view to the line. It belongs to
the part that was on that way at that time; all are matched at once, for the greatest overlap in total.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from andon.messages import PartOutcome, PartVerdict
from sample_streams.truth import ClipTruth, PartTruth

Given = Literal[PartOutcome, "none"]
GIVEN: tuple[Given, ...] = ("reject", "pass", "unknown", "none")
LEAST_OVERLAP = 0.5
"""Of intersection over union in time. A part's neighbour has about 0.3."""
LINE = 0.75
"""Of the picture's width: where `parts` of line.yaml has its line if nothing else is said."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One real part, and what Andon said of it; `none`: nothing."""

    camera_id: str
    part_id: str
    classes: tuple[str, ...]
    """Of its defects; none: a good part."""
    given: Given
    named: tuple[str, ...]
    """The classes of the defects that the verdict names."""

    @property
    def bad(self) -> bool:
        return bool(self.classes)


@dataclass(frozen=True, slots=True)
class Matched:
    """All real parts of a clip, and the verdicts that are on none of them."""

    parts: tuple[Judged, ...]
    ghosts: tuple[PartVerdict, ...]


@dataclass(frozen=True, slots=True)
class Confusion:
    """How many good and how many bad parts were given what."""

    good: dict[Given, int]
    bad: dict[Given, int]

    @property
    def parts(self) -> int:
        return sum(self.good.values()) + sum(self.bad.values())

    @property
    def caught(self) -> float:
        """Share of the bad parts that were rejected: neither `unknown` nor silence counts."""
        return self.bad["reject"] / max(1, sum(self.bad.values()))

    @property
    def false_rejects(self) -> float:
        """Share of the good parts that were rejected."""
        return self.good["reject"] / max(1, sum(self.good.values()))

    @property
    def undecided(self) -> float:
        """Share of all parts that someone has to look at: `unknown`, or no verdict."""
        left = sum(group[given] for group in (self.good, self.bad) for given in ("unknown", "none"))
        return left / max(1, self.parts)


def confusion(parts: Sequence[Judged]) -> Confusion:
    """Count them."""
    return Confusion(
        good={given: sum(not part.bad and part.given == given for part in parts) for given in GIVEN},
        bad={given: sum(part.bad and part.given == given for part in parts) for given in GIVEN},
    )


def match(camera_id: str, truth: ClipTruth, verdicts: Sequence[PartVerdict]) -> Matched:
    """The verdicts are those of one session of this camera, which began with the clip."""
    spans = [_way(truth, part) for part in truth.parts]
    followed = [(_seq(verdict.first_frame), _seq(verdict.last_frame)) for verdict in verdicts]
    overlaps = np.array([[_overlap(span, other) for other in followed] for span in spans]).reshape(len(spans), -1)
    rows, columns = linear_sum_assignment(overlaps, maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    told = {row: verdicts[column] for row, column in pairs if overlaps[row, column] >= LEAST_OVERLAP}
    matched = {verdict.part_id for verdict in told.values()}
    return Matched(
        tuple(_judged(camera_id, part, told.get(row)) for row, part in enumerate(truth.parts)),
        tuple(verdict for verdict in verdicts if verdict.part_id not in matched),
    )


def _judged(camera_id: str, part: PartTruth, verdict: PartVerdict | None) -> Judged:
    return Judged(
        camera_id=camera_id,
        part_id=part.part_id,
        classes=tuple(defect.defect_class for defect in part.defects),
        given="none" if verdict is None else verdict.verdict,
        named=() if verdict is None else tuple(defect.label for defect in verdict.defects),
    )


def _way(truth: ClipTruth, part: PartTruth) -> tuple[int, int]:
    """The first frame that shows it, and the first that has its centre beyond the line."""
    seen = range(part.entry_frame, part.exit_frame + 1)
    boxes = {index: box.box for index in seen for box in truth.frames[index].parts if box.part_id == part.part_id}
    beyond = [index for index, (x1, _, x2, _) in boxes.items() if (x1 + x2) / 2 >= LINE * truth.width_px]
    return min(boxes), min(beyond)


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Intersection over union of two spans of frames, both ends included."""
    shared = min(a[1], b[1]) - max(a[0], b[0]) + 1
    return max(0, shared) / (max(a[1], b[1]) - min(a[0], b[0]) + 1)


def _seq(frame_id: str) -> int:
    return int(frame_id.rsplit("/", 1)[1])
