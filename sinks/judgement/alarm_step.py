"""The consequences of one record for its camera's alarms. Pure; comes after everything else in `step`.

Each alarm that has changed gives one event, however much happened to it with this record. Alarms that people have put
aside are followed in silence.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from andon.alarms import Alarm, AlarmChange, AlarmKind, AlarmRequest, alarm_id
from andon.alarms.messages import MAX_ALARMS, kind_of
from andon.messages import CameraStatus, Inspection, PartVerdict, Severity, ShedRange
from sinks.judgement import blindness
from sinks.judgement.alarms import OTHERS, SEVERITIES, CameraAlarms, StandingAlarm
from sinks.judgement.consequences import Consequences, Judgement
from sinks.judgement.rules import JudgementRules
from sinks.judgement.state import CameraAccount

AlarmMessage = Inspection | ShedRange | CameraStatus | AlarmRequest
DETAIL = 300
"""Characters of an alarm's detail."""


def advance(
    camera: CameraAccount, message: AlarmMessage, consequences: Consequences, rules: JudgementRules
) -> tuple[Alarm, ...]:
    """Take the alarms on by a record with which the rest of the account was taken on; `consequences` followed."""
    now, judgement = moment_of(message), consequences.judgement
    if not _concerns(camera, message, judgement, now):
        return ()
    scene = _Scene(camera, rules, now, before={name: replace(alarm) for name, alarm in _standing(camera).items()})
    scene.expire()
    scene.follow_defects(judgement)
    for verdict in judgement.verdicts:
        scene.follow_part(verdict)
    if consequences.fresh:
        scene.follow_sight(message)
    if isinstance(message, AlarmRequest) and camera.state.alarms.take(message):
        scene.act(message)
    return scene.events()


def moment_of(message: AlarmMessage) -> datetime:
    """When it happened, by the line's time: a camera's own clock may be wrong."""
    return message.inspected_at if isinstance(message, Inspection) else message.at


def time_is_due(camera: CameraAccount, now: datetime, rules: JudgementRules) -> bool:
    """Whether time alone has changed the camera's alarms, though no record of it has said so yet."""
    alarm = camera.state.alarms.get(camera.camera_id, "blind")
    blind = alarm is not None and alarm.active
    return _shelf_over(camera, now) or (not blind and blindness.silent_unheard(camera, now, rules))


def _standing(camera: CameraAccount) -> dict[str, StandingAlarm]:
    return camera.state.alarms.standing


def _shelf_over(camera: CameraAccount, now: datetime) -> bool:
    until = (alarm.shelved_until for alarm in _standing(camera).values())
    return any(moment is not None and moment <= now for moment in until)


def _concerns(camera: CameraAccount, message: AlarmMessage, judgement: Judgement, now: datetime) -> bool:
    """Nearly every frame concerns no alarm; it must cost nothing."""
    if not isinstance(message, Inspection | ShedRange) or judgement.events or judgement.verdicts:
        return True
    standing = _standing(camera)
    return bool(standing) and (alarm_id(camera.camera_id, "blind") in standing or _shelf_over(camera, now))


@dataclass(slots=True)
class _Scene:
    """One camera's alarms during one record."""

    camera: CameraAccount
    rules: JudgementRules
    now: datetime
    before: dict[str, StandingAlarm]
    changes: dict[str, AlarmChange] = field(default_factory=dict)
    """By alarm: the last thing that happened to it."""
    asked_for: set[str] = field(default_factory=set)
    """Alarms that a request names although they are normal."""

    @property
    def alarms(self) -> CameraAlarms:
        return self.camera.state.alarms

    def expire(self) -> None:
        self._each(list(self.alarms.standing.values()), lambda alarm: alarm.expire(self.now))

    def follow_defects(self, judgement: Judgement) -> None:
        for event in judgement.events:
            if event.transition != "opened":
                continue
            label = self.alarms.label_of(self.camera.camera_id, event.label)
            self._raise("defect", label, event.severity, event.defect_id)
        if judgement.events:
            labels_in_view = self._classes_in_view()
            for alarm in list(self.alarms.standing.values()):
                if alarm.kind == "defect" and alarm.active and alarm.label not in labels_in_view:
                    self._note(alarm, alarm.clear())

    def _classes_in_view(self) -> set[str]:
        defects = self.camera.state.defects.values()
        labels = {defect.label for defect in defects if defect.opened_at is not None}
        own = {alarm.label for alarm in self.alarms.standing.values() if alarm.kind == "defect"}
        return labels | ({OTHERS} if labels - own else set())

    def follow_part(self, verdict: PartVerdict) -> None:
        alarm = self.alarms.get(self.camera.camera_id, "reject")
        if verdict.verdict == "reject":
            worst: Severity = max(
                (defect.severity for defect in verdict.defects), key=SEVERITIES.index, default="major"
            )
            classes = ", ".join(sorted({defect.label for defect in verdict.defects}))
            self._raise("reject", verdict.label, worst, verdict.part_id, classes)
        elif verdict.verdict == "pass" and alarm is not None and alarm.active:
            self._note(alarm, alarm.clear())

    def follow_sight(self, message: AlarmMessage) -> None:
        """Raise or clear the alarm of a blind camera."""
        alarm = self.alarms.get(self.camera.camera_id, "blind")
        reason = blindness.reason_after(self.camera, message, self.rules)
        if reason is None:
            if alarm is not None and alarm.active:
                self._note(alarm, alarm.clear())
            return
        severity, detail = blindness.severity(reason), self.camera.state.display.detail
        if alarm is None or not alarm.active:
            self._raise("blind", reason, severity, "", detail)
        elif alarm.label != reason:
            alarm.label, alarm.severity, alarm.detail = reason, severity, _plain(detail)
            self._note(alarm, "changed")

    def act(self, request: AlarmRequest) -> None:
        named = request.alarms or tuple(self.alarms.standing)
        found = [self._named(name) for name in dict.fromkeys(named)]
        self._each([alarm for alarm in found if alarm is not None], lambda alarm: alarm.act(request))
        if request.alarms:  # whoever names an alarm that is normal here has an old picture of it: publish it anew
            self.asked_for = set(request.alarms)

    def events(self) -> tuple[Alarm, ...]:
        """The events of this record; then only what is not normal stands."""
        standing = self.alarms.standing
        found = [
            self._event(standing[name], self.changes.get(name, "changed")) for name in standing if self._is_news(name)
        ]
        self.alarms.standing = {name: alarm for name, alarm in standing.items() if alarm.state != "normal"}
        return tuple(found)

    def _is_news(self, name: str) -> bool:
        alarm, before = self.alarms.standing[name], self.before.get(name)
        if alarm.state == "normal" and before is None:
            return name in self.asked_for
        if before is not None and alarm.put_aside and before.state == alarm.state:
            return (alarm.by, alarm.note, alarm.shelved_until) != (before.by, before.note, before.shelved_until)
        return alarm != before

    def _named(self, name: str) -> StandingAlarm | None:
        """The alarm of this name; a normal one comes to stand here, until this record is done."""
        kind, standing = kind_of(name, self.camera.camera_id), self.alarms.standing
        if kind is None or (name not in standing and len(standing) >= MAX_ALARMS):
            return None
        label = name.split("/", 2)[2] if kind == "defect" else ""
        severity = self.rules.defects.severity(label) if kind == "defect" else "major"
        return standing.setdefault(name, StandingAlarm(name, kind, label, severity, self.now))

    def _raise(self, kind: AlarmKind, label: str, severity: Severity, source: str, detail: str = "") -> None:
        name = alarm_id(self.camera.camera_id, kind, label)
        alarm = self.alarms.standing.setdefault(name, StandingAlarm(name, kind, label, severity, self.now))
        alarm.label = label
        self._note(alarm, alarm.raise_(severity, self.now, source, _plain(detail)))

    def _each(self, alarms: Iterable[StandingAlarm], happen: Callable[[StandingAlarm], AlarmChange | None]) -> None:
        for alarm in alarms:
            change = happen(alarm)
            if change is not None:
                self._note(alarm, change)

    def _note(self, alarm: StandingAlarm, change: AlarmChange) -> None:
        self.changes[alarm.alarm_id] = change

    def _event(self, alarm: StandingAlarm, change: AlarmChange) -> Alarm:
        self.alarms.events += 1
        return Alarm(
            event_id=f"{alarm.alarm_id}/{self.now:%Y%m%dT%H%M%S.%fZ}/{self.alarms.events}",
            alarm_id=alarm.alarm_id,
            camera_id=self.camera.camera_id,
            kind=alarm.kind,
            label=alarm.label,
            severity=alarm.severity,
            state=alarm.state,
            active=alarm.active,
            count=alarm.count,
            change=change,
            raised_at=alarm.raised_at,
            at=self.now,
            source=alarm.source,
            detail=alarm.detail,
            by=alarm.by,
            note=alarm.note,
            shelved_until=alarm.shelved_until,
        )


def _plain(text: str) -> str:
    """PostgreSQL stores no zero bytes."""
    return text.replace("\0", "")[:DETAIL]
