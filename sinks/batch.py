"""Records of one partition -> the content of one transaction. No I/O."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from andon.alarms import Alarm, AlarmRequest
from andon.errors import DecodeError
from andon.events import Emit, RecordQuarantined
from andon.messages import CameraStatus, Defect, ExpiredRange, Inspection, PartVerdict, ShedRange
from andon.process.tracing import Trace, Tracing
from andon.stream.offsets import Partition
from andon.stream.step import Delivery
from andon.wire import Record, appended_at, decode
from sinks.channels.clip_paths import CLIP, clip_beside, clip_of
from sinks.clip_order import ClipOrder
from sinks.judgement.consequences import EvidenceOrder, Judgement
from sinks.judgement.moments import plausible
from sinks.judgement.quarters import FrameSums, counts_of
from sinks.judgement.rules import JudgementRules
from sinks.judgement.sessions import cut_log, expire
from sinks.judgement.spans import Span
from sinks.judgement.state import CameraAccount
from sinks.judgement.step import AccountMessage, step
from sinks.quarantine_order import quarantine_order
from sinks.store.stored import Batch, Leaving, Position

EVIDENCE = "evidence"
"""The channel of evidence orders."""
CLIPS = "clips"
"""The channel of orders for clips."""
QUARANTINE = "quarantine"
"""The channel of records that can't be read."""
ALARMS = "alarms"
"""The channel of alarms."""


@dataclass(slots=True, eq=False)
class OpenBatch:
    """A batch in the making. `deliveries` includes records that were accounted for before."""

    deliveries: Sequence[Delivery]
    messages: Sequence[AccountMessage]
    batch: Batch
    touched: list[CameraAccount] = field(default_factory=list)
    inspections: list[Inspection] = field(default_factory=list)
    """The inspections among the messages that were not accounted for before."""
    redelivered: int = 0
    traces: list[Trace] = field(default_factory=list)
    """Of the inspections among the messages that are traced."""
    captured_twice: Counter[str] = field(default_factory=Counter)
    """Frames by camera that an ingester captured although another one had the camera."""

    @property
    def after(self) -> Position:
        return replace(self.batch.expected, next_offset=self.batch.next_offset)

    def unknown_sessions(self, cameras: Mapping[str, CameraAccount]) -> list[tuple[str, str]]:
        """(camera, session) of known cameras that a record names, if its ledger is not in memory; it may be stored."""
        sessionless = ExpiredRange | AlarmRequest
        named = {(item.camera_id, item.session) for item in self.messages if not isinstance(item, sessionless)}
        return sorted(
            (name, session)
            for name, session in named
            if session is not None and name in cameras and session not in cameras[name].sessions
        )

    def trace(self, tracing: Tracing, since_s: float) -> None:
        """Begin the sink's part in the traces of its messages; what leaves because of them leaves as a part of it."""
        messages: list[AccountMessage] = []
        for message in self.messages:
            trace = tracing.accounting(message, since_s) if isinstance(message, Inspection) else None
            if trace is None or not isinstance(message, Inspection):
                messages.append(message)
            else:
                messages.append(trace.carried_by(message))
                self.traces.append(trace)
        self.messages = messages

    def step(
        self, cameras: dict[str, CameraAccount], rules: JudgementRules, alerts: Sequence[str], *, clips: bool = False
    ) -> None:
        """Take `cameras` (in place) on by the messages, and fill the batch.

        `alerts`: the channels of each event. `clips`: whether opened defects and rejected parts get clips.
        """
        touched: dict[str, CameraAccount] = {}
        events: list[Defect] = []
        verdicts: list[PartVerdict] = []
        leaving: list[Leaving] = list(self.batch.leaving)
        spans: list[Span] = []
        frames = FrameSums()
        alarms: list[Alarm] = []
        for message in self.messages:
            if isinstance(message, AlarmRequest) and message.camera_id not in cameras:
                continue  # a request can't make a camera
            camera = cameras.setdefault(message.camera_id, CameraAccount(message.camera_id))
            touched[message.camera_id] = camera
            before = counts_of(camera.state.totals)
            consequences = step(camera, message, rules)
            frames.add(camera.camera_id, _time_of(message), before, counts_of(camera.state.totals))
            if isinstance(message, ExpiredRange):
                touched |= _expire_others(message, cameras, frames)
            elif isinstance(message, Inspection) and consequences.fresh:
                frame = message.frame
                camera.state.heard = (frame.topic, frame.partition, frame.offset)
            self._count(message, fresh=consequences.fresh)
            if consequences.captured_twice:
                self.captured_twice[message.camera_id] += 1
            events += consequences.judgement.events
            verdicts += consequences.judgement.verdicts
            leaving += _leaving(consequences.judgement, alerts, _context(message))
            if clips:
                leaving += [_clip(order, _context(message)) for order in clip_orders(consequences.judgement, message)]
            leaving += [_alarm(alarm, _context(message)) for alarm in consequences.alarms]
            alarms += consequences.alarms
            spans += consequences.spans
        self.touched = list(touched.values())
        self.batch = replace(
            self.batch,
            states=tuple(self.touched),
            events=tuple(events),
            verdicts=tuple(verdicts),
            leaving=tuple(leaving),
            spans=tuple(spans),
            frames=tuple(frames),
            alarms=tuple(alarms),
        )

    def _count(self, message: AccountMessage, *, fresh: bool) -> None:
        if isinstance(message, Inspection) and fresh:
            self.inspections.append(message)
        if not isinstance(message, CameraStatus | ExpiredRange | AlarmRequest) and not fresh:
            self.redelivered += 1


def gather(
    partition: Partition, position: Position, deliveries: Sequence[Delivery], at: datetime, emit: Emit
) -> OpenBatch:
    """Begin a batch of these records. Records before `position` were accounted for.

    A record that can't be read goes to the quarantine topic, by the outbox, with this batch.
    """
    new = [item.record for item in deliveries if item.record.offset >= position.next_offset]
    messages: list[AccountMessage] = []
    unreadable: list[Leaving] = []
    for record in new:
        try:
            messages.append(_message(record))
        except DecodeError as error:
            where = f"{record.topic}/{record.partition}@{record.offset}"
            emit(RecordQuarantined("unknown", error.reason, where, str(error)))
            unreadable.append(_quarantine(record, error, position.epoch))
    next_offset = new[-1].offset + 1 if new else position.next_offset
    return OpenBatch(deliveries, messages, Batch(partition, position, next_offset, at, leaving=tuple(unreadable)))


def _message(record: Record) -> AccountMessage:
    message = decode(record)
    if isinstance(message, Inspection | ShedRange | CameraStatus | ExpiredRange | AlarmRequest):
        return plausible(message, appended_at(record))
    raise DecodeError(f"{type(message).__name__} is no message of the inspections topic")


def _quarantine(record: Record, error: DecodeError, epoch: int) -> Leaving:
    """The id names the epoch: two logs may have held different records at the same offset."""
    event_id = f"{record.topic}/{record.partition}@{record.offset}/{epoch}/{QUARANTINE}"
    return Leaving(QUARANTINE, event_id, quarantine_order(record, error).model_dump_json().encode())


def _time_of(message: AccountMessage) -> datetime:
    return message.captured_at if isinstance(message, Inspection) else message.at


def _expire_others(
    hole: ExpiredRange, cameras: Mapping[str, CameraAccount], frames: FrameSums
) -> dict[str, CameraAccount]:
    """Mark all cameras that may have had frames in the hole. Returns them.

    The worker reports a hole before each camera's next record. It may die in between, and its successor sees no hole.
    """
    reached = {name: camera for name, camera in cameras.items() if _reaches(hole, camera.state.heard)}
    for camera in reached.values():
        before = counts_of(camera.state.totals)
        (expire if hole.reason == "expired" else cut_log)(camera)
        frames.add(camera.camera_id, hole.at, before, counts_of(camera.state.totals))
    return reached


def _reaches(hole: ExpiredRange, heard: tuple[str, int, int] | None) -> bool:
    """Whether it may hold frames after the one that was heard of last. A log that lost its end counts anew."""
    if heard is None or heard[:2] != (hole.topic, hole.partition):
        return False
    return hole.reason == "log_lost" or heard[2] < hole.first_offset


def _context(message: AccountMessage) -> str | None:
    return message.traceparent if isinstance(message, Inspection) else None


def _leaving(judgement: Judgement, alerts: Sequence[str], traceparent: str | None) -> list[Leaving]:
    """Rows of the outbox, in the order in which they must leave."""
    events: list[Defect | PartVerdict] = [*judgement.events, *judgement.verdicts]
    leaving = [_alert(channel, event, traceparent) for event in events for channel in alerts]
    return leaving + [_order(order, traceparent) for order in judgement.orders]


def _alert(channel: str, event: Defect | PartVerdict, traceparent: str | None) -> Leaving:
    return Leaving(channel, event.event_id, event.model_dump_json().encode(), traceparent)


def _alarm(alarm: Alarm, traceparent: str | None) -> Leaving:
    return Leaving(ALARMS, alarm.event_id, alarm.model_dump_json().encode(), traceparent)


def _order(order: EvidenceOrder, traceparent: str | None) -> Leaving:
    event_id = f"{order.defect.defect_id}/{EVIDENCE}"
    return Leaving(EVIDENCE, event_id, order.model_dump_json().encode(), traceparent)


def clip_orders(judgement: Judgement, message: AccountMessage) -> list[ClipOrder]:
    """The clips of the defects that opened, and of the parts that were rejected on the frame of `message`.

    A part that is rejected without a frame, because its session is over, has the clips of its defects only.
    """
    orders = [
        ClipOrder(
            subject=order.defect.defect_id,
            frame_id=order.defect.best_frame,
            frame=order.frame,
            path=clip_beside(order.path, CLIP),
        )
        for order in judgement.orders
    ]
    if isinstance(message, Inspection):
        orders += [
            ClipOrder(subject=verdict.part_id, frame_id=message.frame_id, frame=message.frame, path=_below(address))
            for verdict in judgement.verdicts
            if verdict.session == message.session and (address := clip_of(verdict)) is not None
        ]
    return orders


def _below(address: str) -> str:
    """camera/date/name, below the evidence URL."""
    return "/".join(address.split("/")[-3:])


def _clip(order: ClipOrder, traceparent: str | None) -> Leaving:
    return Leaving(CLIPS, f"{order.subject}/clip", order.model_dump_json().encode(), traceparent)
