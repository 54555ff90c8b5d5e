"""Alarms for people: grouped by cause, so that a flood is a few lines, the worst first. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from andon.alarms import Alarm, AlarmKind
from andon.messages import Severity
from sinks.board.i18n import text

SHOWN = 12
"""Alarms of a group that are shown at once; the others unfold."""
SEVERITIES: tuple[Severity, ...] = ("critical", "major", "minor")
STATES = {
    "unacknowledged": (text("unacknowledged"), "act"),
    "returned": (text("gone, not acknowledged"), "act"),
    "acknowledged": (text("acknowledged"), "attention"),
    "shelved": (text("shelved"), "blind"),
    "out_of_service": (text("out of service"), "blind"),
    "normal": (text("normal"), "normal"),
}
"""By state: its word, and the symbol beside it."""
SYMBOLS: dict[Severity, str] = {"critical": "fault", "major": "attention", "minor": "attention"}
CHANGES = {
    "raised": text("raised"),
    "changed": text("changed"),
    "returned": text("cause has gone"),
    "acknowledged": text("acknowledged"),
    "shelved": text("shelved"),
    "unshelved": text("taken from the shelf"),
    "shelf_expired": text("time on the shelf is over"),
    "out_of_service": text("taken out of service"),
    "returned_to_service": text("returned to service"),
}
CAUSES = {"defect": text("Defect"), "reject": text("Rejected parts"), "blind": text("Blind camera")}
REASONS = {
    "offline": text("offline"),
    "silent": text("silent"),
    "frozen": text("frozen"),
    "dark": text("dark"),
    "overexposed": text("overexposed"),
    "blurred": text("blurred"),
}


@dataclass(frozen=True, slots=True)
class AlarmGroup:
    """All standing alarms of one cause, whatever their cameras."""

    kind: AlarmKind
    label: str
    alarms: Sequence[Alarm]
    """Those that wait for the operator first."""

    @property
    def severity(self) -> Severity:
        return min((alarm.severity for alarm in self.alarms), key=SEVERITIES.index)

    @property
    def waiting(self) -> Sequence[Alarm]:
        return [alarm for alarm in self.alarms if alarm.needs_operator]

    @property
    def count(self) -> int:
        return sum(alarm.count for alarm in self.alarms)


def grouped(alarms: Iterable[Alarm]) -> list[AlarmGroup]:
    """What waits for the operator first, then by severity, then the newest."""
    by_cause: dict[tuple[AlarmKind, str], list[Alarm]] = {}
    for alarm in sorted(alarms, key=_urgency):
        by_cause.setdefault((alarm.kind, alarm.label), []).append(alarm)
    return [AlarmGroup(kind, label, found) for (kind, label), found in by_cause.items()]


def _urgency(alarm: Alarm) -> tuple[bool, int, float, str]:
    return (
        not alarm.needs_operator,
        SEVERITIES.index(alarm.severity),
        -alarm.raised_at.timestamp(),
        alarm.alarm_id,
    )
