"""Matches verdicts with real parts, and makes the confusion matrix (pure).

A verdict names the first and the last frame of its part's track, from the edge of the picture to the line. It belongs
to the real part that was on that way at that time. All are matched at once, for the greatest total overlap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from andon.messages import PartOutcome, PartVerdict
from sample_streams.truth import ClipTruth, PartTruth

Decision = Literal[PartOutcome, "none"]
DECISIONS: tuple[Decision, ...] = ("reject", "pass", "unknown", "none")
LEAST_OVERLAP = 0.5
"""Least intersection over union in time for a match. A part's neighbour has about 0.3."""
LINE = 0.75
"""The line's place as a fraction of the picture's width: the default of `parts` in line.yaml."""


@dataclass(frozen=True, slots=True)
class ScoredPart:
    """One real part and Andon's decision on it; `none` means that there was no verdict."""

    camera_id: str
    part_id: str
    classes: tuple[str, ...]
    """Of its defects. A good part has none."""
    decision: Decision
    named_classes: tuple[str, ...]
    """The classes of the defects that the verdict names."""

    @property
    def bad(self) -> bool:
        return bool(self.classes)


@dataclass(frozen=True, slots=True)
class MatchedParts:
    """All real parts of a clip, and the verdicts that belong to none of them."""

    parts: tuple[ScoredPart, ...]
    ghosts: tuple[PartVerdict, ...]


@dataclass(frozen=True, slots=True)
class Confusion:
    """The number of good and of bad parts by decision."""

    good: dict[Decision, int]
    bad: dict[Decision, int]

    @property
    def parts(self) -> int:
        return sum(self.good.values()) + sum(self.bad.values())

    @property
    def caught(self) -> float:
        """Share of the bad parts that were rejected. Neither `unknown` nor a missing verdict counts."""
        return self.bad["reject"] / max(1, sum(self.bad.values()))

    @property
    def false_rejects(self) -> float:
        """Share of the good parts that were rejected."""
        return self.good["reject"] / max(1, sum(self.good.values()))

    @property
    def undecided(self) -> float:
        """Share of all parts that a person has to check: `unknown`, or no verdict."""
        left = sum(group[decision] for group in (self.good, self.bad) for decision in ("unknown", "none"))
        return left / max(1, self.parts)


def confusion(parts: Sequence[ScoredPart]) -> Confusion:
    """Count parts by truth and decision."""
    return Confusion(
        good={decision: sum(not part.bad and part.decision == decision for part in parts) for decision in DECISIONS},
        bad={decision: sum(part.bad and part.decision == decision for part in parts) for decision in DECISIONS},
    )


def match(camera_id: str, truth: ClipTruth, verdicts: Sequence[PartVerdict]) -> MatchedParts:
    """Match the verdicts of one session of this camera, which began with its clip."""
    spans = [_way(truth, part) for part in truth.parts]
    tracks = [(_seq(verdict.first_frame), _seq(verdict.last_frame)) for verdict in verdicts]
    overlaps = np.array([[_overlap(span, other) for other in tracks] for span in spans]).reshape(len(spans), -1)
    rows, columns = linear_sum_assignment(overlaps, maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    by_part = {row: verdicts[column] for row, column in pairs if overlaps[row, column] >= LEAST_OVERLAP}
    matched = {verdict.part_id for verdict in by_part.values()}
    return MatchedParts(
        tuple(_score(camera_id, part, by_part.get(row)) for row, part in enumerate(truth.parts)),
        tuple(verdict for verdict in verdicts if verdict.part_id not in matched),
    )


def _score(camera_id: str, part: PartTruth, verdict: PartVerdict | None) -> ScoredPart:
    return ScoredPart(
        camera_id=camera_id,
        part_id=part.part_id,
        classes=tuple(defect.defect_class for defect in part.defects),
        decision="none" if verdict is None else verdict.verdict,
        named_classes=() if verdict is None else tuple(defect.label for defect in verdict.defects),
    )


def _way(truth: ClipTruth, part: PartTruth) -> tuple[int, int]:
    """The first frame that shows the part, and the first in which its centre is beyond the line."""
    visible = range(part.entry_frame, part.exit_frame + 1)
    boxes = {index: box.box for index in visible for box in truth.frames[index].parts if box.part_id == part.part_id}
    beyond = [index for index, (x1, _, x2, _) in boxes.items() if (x1 + x2) / 2 >= LINE * truth.width_px]
    return min(boxes), min(beyond)


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Intersection over union of two spans of frames, both ends included."""
    shared = min(a[1], b[1]) - max(a[0], b[0]) + 1
    return max(0, shared) / (max(a[1], b[1]) - min(a[0], b[0]) + 1)


def _seq(frame_id: str) -> int:
    return int(frame_id.rsplit("/", 1)[1])
