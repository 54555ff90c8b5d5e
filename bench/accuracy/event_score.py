"""Precision and recall of the raised defects, by class (pure)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from andon.messages import Defect, Inspection
from sample_streams.score import InspectedSession, score
from sample_streams.truth import ClipTruth


@dataclass(frozen=True, slots=True)
class Events:
    """Counts of real defects, of real defects with an event, and of events without a real defect."""

    real: int
    reported: int
    false: int

    @property
    def recall(self) -> float:
        return self.reported / self.real if self.real else 1.0

    @property
    def precision(self) -> float:
        return self.reported / (self.reported + self.false) if self.reported + self.false else 1.0

    def __add__(self, other: "Events") -> "Events":
        return Events(self.real + other.real, self.reported + other.reported, self.false + other.false)


def by_class(
    truths: Mapping[str, ClipTruth], inspections: Sequence[Inspection], raised: Sequence[Defect]
) -> dict[str, Events]:
    """For the cameras in `truths`. `raised` has each defect once, in its last state, and at most one for a real one."""
    last: dict[tuple[str, str], int] = {}
    for one in inspections:
        if one.camera_id in truths:
            key = (one.camera_id, one.session)
            last[key] = max(one.seq, last.get(key, 0))
    ours = [defect for defect in raised if defect.camera_id in truths]
    found = score(truths, [InspectedSession(camera, session, seq) for (camera, session), seq in last.items()], ours)
    labels = {defect.defect_id: defect.label for defect in ours}
    real = Counter(
        defect.defect_class for truth in truths.values() for defect in truth.defects if defect.first_frame is not None
    )
    missed = Counter(name.split()[1] for name in found.missed)
    false = Counter(labels[name] for name in found.false)
    return {name: Events(real[name], real[name] - missed[name], false[name]) for name in sorted(real | false)}
