"""Were the alerts right? Matches raised defects with what is really to be seen in the clips (pure).

A camera that plays a clip in a loop shows frame `seq mod n_frames` of it, so each of the clip's defects passes once a
loop: an occurrence. It counts when it passed wholly within the frames that were inspected. A raised defect finds an
occurrence when it has its label and, on its best frame, lies where that defect is; each occurrence is found once.
Everything else that was raised is false: a wrong label (its occurrence is missed, too), a second alert for the same
defect, an alert where there is nothing. What was still passing when the watch ended counts neither way.
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
"""How far the centres may lie apart, in diagonals of the true box: a thin crack's boxes hardly overlap 3 px off."""
EDGE_FRAMES = 3
"""So many frames beyond its labels a defect may still be recognised: less than half of it is in the picture there."""


@dataclass(frozen=True, slots=True)
class InspectedSession:
    """One camera session, inspected from seq 0 to `last_seq`."""

    camera_id: str
    session: str
    last_seq: int


@dataclass(frozen=True, slots=True)
class Score:
    """`truth` = `found` + `missed`; `false` are alerts that found nothing."""

    truth: int
    found: int
    missed: tuple[str, ...]
    """`camera/session/first-seq label truth-id` of each occurrence that no alert told."""
    false: tuple[str, ...]
    """The ids of the false defects."""


@dataclass(frozen=True, slots=True)
class _Occurrence:
    name: str
    camera_id: str
    session: str
    label: str
    boxes: Mapping[int, Rect]
    """By seq; only frames in which at least half of it is to be seen."""
    whole: bool

    def box_at(self, seq: int) -> Rect | None:
        near = min(self.boxes, key=lambda other: abs(other - seq))
        return self.boxes[near] if abs(near - seq) <= EDGE_FRAMES else None


def score(truths: Mapping[str, ClipTruth], watched: Iterable[InspectedSession], raised: Sequence[Defect]) -> Score:
    """Compare what was raised with the truth of each camera's clip. `raised` has each defect once, as it was last."""
    passed = [item for session in watched for item in _occurrences(session, truths[session.camera_id])]
    told: dict[str, _Occurrence] = {}
    pairs = [(off, defect, item) for defect in raised for item in passed if (off := _off(defect, item)) is not None]
    found: set[str] = set()
    for _, defect, item in sorted(pairs, key=lambda pair: pair[0]):
        if defect.defect_id not in told and item.name not in found:
            told[defect.defect_id] = item
            found.add(item.name)
    whole = [item.name for item in passed if item.whole]
    return Score(
        truth=len(whole),
        found=len(found.intersection(whole)),
        missed=tuple(name for name in whole if name not in found),
        false=tuple(defect.defect_id for defect in raised if defect.defect_id not in told),
    )


def _occurrences(watched: InspectedSession, truth: ClipTruth) -> list[_Occurrence]:
    loops = range(watched.last_seq // truth.n_frames + 1)
    return [item for loop in loops for item in _one_loop(watched, truth, loop * truth.n_frames)]


def _one_loop(watched: InspectedSession, truth: ClipTruth, start: int) -> list[_Occurrence]:
    boxes: dict[str, dict[int, Rect]] = {}
    labels = {defect.defect_id: defect.defect_class for defect in truth.defects}
    for frame in truth.frames:
        for label in frame.labels:
            boxes.setdefault(label.defect_id, {})[start + frame.index] = label.box
    return [
        _Occurrence(
            name=f"{watched.camera_id}/{watched.session}/{min(where)} {labels[name]} {name}",
            camera_id=watched.camera_id,
            session=watched.session,
            label=labels[name],
            boxes=where,
            whole=max(where) <= watched.last_seq,
        )
        for name, where in boxes.items()
        if min(where) <= watched.last_seq
    ]


def _off(defect: Defect, item: _Occurrence) -> float | None:
    """How far the defect lies from the occurrence, in its diagonals; None where it can't be the same."""
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
