"""Scores alerts: matches the raised defects with the truth of the clips. Pure.

A camera that plays a clip in a loop shows frame `seq mod n_frames` of it. So each defect of the clip passes once a
loop: an occurrence. An occurrence counts if it passed wholly within the inspected frames. A raised defect matches an
occurrence if it has its label and, on its best frame, its place; each occurrence matches once. Every other raised
defect is false: a wrong label (its occurrence is missed, too), a second alert for the same defect, an alert without a
defect. An occurrence that was still passing at the end counts neither as found nor as missed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import hypot

from andon.messages import Defect
from sample_streams.truth import ClipTruth

Rect = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels of the camera's picture."""

MIN_IOU = 0.2
MAX_OFF = 0.5
"""Largest distance of the centres, in diagonals of the true box: boxes of a thin crack hardly overlap at 3 px."""
EDGE_FRAMES = 3
"""Frames beyond its labels in which a defect may still be recognised: less than half of it is in the picture there."""


@dataclass(frozen=True, slots=True)
class InspectedSession:
    """One camera session, inspected from seq 0 to `last_seq`."""

    camera_id: str
    session: str
    last_seq: int


@dataclass(frozen=True, slots=True)
class Score:
    """`truth` = `found` + `missed`; `false`: alerts that matched no occurrence."""

    truth: int
    found: int
    missed: tuple[str, ...]
    """`camera/session/first-seq label truth-id` of each occurrence without an alert."""
    false: tuple[str, ...]
    """The ids of the false defects."""


@dataclass(frozen=True, slots=True)
class _Occurrence:
    name: str
    camera_id: str
    session: str
    label: str
    boxes: Mapping[int, Rect]
    """By seq; only frames that show at least half of it."""
    whole: bool

    def box_at(self, seq: int) -> Rect | None:
        near = min(self.boxes, key=lambda other: abs(other - seq))
        return self.boxes[near] if abs(near - seq) <= EDGE_FRAMES else None


def score(truths: Mapping[str, ClipTruth], sessions: Iterable[InspectedSession], raised: Sequence[Defect]) -> Score:
    """Compare the raised defects with the truth of each camera's clip. `raised`: the last event of each defect."""
    passed = [item for session in sessions for item in _occurrences(session, truths[session.camera_id])]
    matched: dict[str, _Occurrence] = {}
    pairs = [(off, defect, item) for defect in raised for item in passed if (off := _off(defect, item)) is not None]
    found: set[str] = set()
    for _, defect, item in sorted(pairs, key=lambda pair: pair[0]):
        if defect.defect_id not in matched and item.name not in found:
            matched[defect.defect_id] = item
            found.add(item.name)
    whole = [item.name for item in passed if item.whole]
    return Score(
        truth=len(whole),
        found=len(found.intersection(whole)),
        missed=tuple(name for name in whole if name not in found),
        false=tuple(defect.defect_id for defect in raised if defect.defect_id not in matched),
    )


def _occurrences(session: InspectedSession, truth: ClipTruth) -> list[_Occurrence]:
    loops = range(session.last_seq // truth.n_frames + 1)
    return [item for loop in loops for item in _one_loop(session, truth, loop * truth.n_frames)]


def _one_loop(session: InspectedSession, truth: ClipTruth, start: int) -> list[_Occurrence]:
    boxes: dict[str, dict[int, Rect]] = {}
    labels = {defect.defect_id: defect.defect_class for defect in truth.defects}
    for frame in truth.frames:
        for label in frame.labels:
            boxes.setdefault(label.defect_id, {})[start + frame.index] = label.box
    return [
        _Occurrence(
            name=f"{session.camera_id}/{session.session}/{min(where)} {labels[name]} {name}",
            camera_id=session.camera_id,
            session=session.session,
            label=labels[name],
            boxes=where,
            whole=max(where) <= session.last_seq,
        )
        for name, where in boxes.items()
        if min(where) <= session.last_seq
    ]


def _off(defect: Defect, item: _Occurrence) -> float | None:
    """Distance of the defect from the occurrence, in its diagonals; None if they can't be the same."""
    if (defect.camera_id, defect.session, defect.label) != (item.camera_id, item.session, item.label):
        return None
    true = item.box_at(int(defect.best_frame.rsplit("/", 1)[1]))
    if true is None:
        return None
    box = (defect.box.x1, defect.box.y1, defect.box.x2, defect.box.y2)
    off = _distance(box, true) / hypot(true[2] - true[0], true[3] - true[1])
    return off if off <= MAX_OFF or _iou(box, true) >= MIN_IOU else None


def _distance(a: Rect, b: Rect) -> float:
    """Between the centres, in pixels."""
    return hypot(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]) / 2


def _iou(a: Rect, b: Rect) -> float:
    """Intersection over union."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)
