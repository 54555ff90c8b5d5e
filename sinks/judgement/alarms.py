"""The state machine of one alarm, by ISA-18.2 (IEC 62682), and all alarms of one camera. Pure.

                 raise                    acknowledge
    normal ───────────► unacknowledged ───────────────► acknowledged
       ▲                  │        ▲                      │       │ raise: unacknowledged again
       │ acknowledge      │ clear  │ raise                │ clear
       └────────────── returned ───┘                      └──► normal

`shelved` (until a time) and `out of service` (until somebody returns it) lie over these: the cause is still followed,
and nobody is bothered. What comes back from there begins anew: unacknowledged if its cause is there, else normal.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from andon.alarms import AlarmChange, AlarmKind, AlarmRequest, AlarmState, alarm_id
from andon.alarms.messages import MAX_ALARMS
from andon.messages import Severity

SEVERITIES: tuple[Severity, ...] = ("minor", "major", "critical")
REMEMBERED = 64
"""Requests of a camera by which one that comes again is recognised."""
OTHERS = "*"
"""Stands for the classes that have no alarm of their own because the camera has too many alarms."""


@dataclass(slots=True)
class StandingAlarm:
    """One alarm that is not normal. It is part of its camera's account, and changes in place."""

    alarm_id: str
    kind: AlarmKind
    label: str
    severity: Severity
    raised_at: datetime
    active: bool = False
    acknowledged: bool = True
    count: int = 0
    source: str = ""
    detail: str = ""
    shelved_until: datetime | None = None
    out_of_service: bool = False
    by: str = ""
    note: str = ""

    @property
    def state(self) -> AlarmState:
        if self.out_of_service:
            return "out_of_service"
        if self.shelved_until is not None:
            return "shelved"
        if self.acknowledged:
            return "acknowledged" if self.active else "normal"
        return "unacknowledged" if self.active else "returned"

    @property
    def put_aside(self) -> bool:
        return self.out_of_service or self.shelved_until is not None

    def raise_(self, severity: Severity, at: datetime, source: str, detail: str = "") -> AlarmChange:
        """The cause is there, or is there once more."""
        changed: AlarmChange = "changed" if self.state == "unacknowledged" else "raised"
        if self.state == "normal":
            self.raised_at, self.severity = at, severity
        self.severity = max(self.severity, severity, key=SEVERITIES.index)
        self.active, self.source, self.detail = True, source, detail
        self.count += 1
        if not self.put_aside:
            if self.acknowledged:
                self.by = self.note = ""
            self.acknowledged = False
        return changed

    def clear(self) -> AlarmChange:
        """The cause has gone."""
        self.active = False
        return "returned"

    def act(self, request: AlarmRequest) -> AlarmChange | None:
        """What a person asks for. None: it changes nothing in this state."""
        match request.action:
            case "acknowledge" if not self.put_aside and not self.acknowledged:
                self.acknowledged = True
            case "shelve" if not self.out_of_service and request.for_s is not None:
                self.shelved_until = request.at + timedelta(seconds=request.for_s)
            case "out_of_service" if not self.out_of_service:
                self.out_of_service, self.shelved_until = True, None
            case "unshelve" if self.shelved_until is not None:
                self._come_back(request.at)
            case "return_to_service" if self.out_of_service:
                self._come_back(request.at)
            case _:
                return None
        self.by, self.note = request.by, request.note
        return _DONE[request.action]

    def expire(self, now: datetime) -> AlarmChange | None:
        """End the shelf, if it is over by now."""
        if self.shelved_until is None or self.shelved_until > now:
            return None
        self._come_back(self.shelved_until)
        self.by = self.note = ""
        return "shelf_expired"

    def _come_back(self, at: datetime) -> None:
        self.out_of_service, self.shelved_until = False, None
        self.acknowledged = not self.active
        self.raised_at, self.count = at, int(self.active)


_DONE: dict[str, AlarmChange] = {
    "acknowledge": "acknowledged",
    "shelve": "shelved",
    "unshelve": "unshelved",
    "out_of_service": "out_of_service",
    "return_to_service": "returned_to_service",
}


@dataclass(slots=True)
class CameraAlarms:
    """All alarms of one camera that are not normal."""

    standing: dict[str, StandingAlarm] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    """The last requests, by their ids."""
    events: int = 0
    """Events of these alarms so far: each has a number of its own."""

    def get(self, camera_id: str, kind: AlarmKind, label: str = "") -> StandingAlarm | None:
        return self.standing.get(alarm_id(camera_id, kind, label))

    def take(self, request: AlarmRequest) -> bool:
        """Whether the request is new. It is remembered then."""
        if request.request_id in self.taken:
            return False
        self.taken = [*self.taken[1 - REMEMBERED :], request.request_id]
        return True

    def label_of(self, camera_id: str, label: str) -> str:
        """Under which label the alarm of this class stands: with too many alarms, classes share one."""
        known = alarm_id(camera_id, "defect", label) in self.standing
        return label if known or len(self.standing) < MAX_ALARMS - 2 else OTHERS

    def put_aside(self) -> Iterator[StandingAlarm]:
        return (alarm for alarm in self.standing.values() if alarm.put_aside)
