"""Which events a consumer asks for; the client acknowledges the others by itself."""

from collections.abc import Collection
from dataclasses import dataclass

from andon.messages import Defect, PartOutcome, PartVerdict, Severity, Transition

_SEVERITIES: tuple[Severity, ...] = ("minor", "major", "critical")


@dataclass(frozen=True, slots=True)
class DefectFilter:
    """Passes a defect's event that meets every condition. None: no condition."""

    cameras: Collection[str] | None = None
    labels: Collection[str] | None = None
    transitions: Collection[Transition] | None = None
    min_severity: Severity = "minor"

    def __call__(self, defect: Defect) -> bool:
        return (
            (self.cameras is None or defect.camera_id in self.cameras)
            and (self.labels is None or defect.label in self.labels)
            and (self.transitions is None or defect.transition in self.transitions)
            and _SEVERITIES.index(defect.severity) >= _SEVERITIES.index(self.min_severity)
        )


@dataclass(frozen=True, slots=True)
class PartFilter:
    """Passes a verdict on a part that meets every condition. None: no condition."""

    cameras: Collection[str] | None = None
    verdicts: Collection[PartOutcome] | None = None

    def __call__(self, part: PartVerdict) -> bool:
        return (self.cameras is None or part.camera_id in self.cameras) and (
            self.verdicts is None or part.verdict in self.verdicts
        )
