"""What consumers saw of a line under one load: every inspection and every alert, and when it was in their hands."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from andon.messages import CameraStatus, Defect, Inspection, Message
from sample_streams.observer import percentile

_NEVER = datetime.max.replace(tzinfo=UTC)
Alerts = list[tuple[Defect, datetime]]


@dataclass(slots=True, eq=False)
class Seen:
    """Of cameras whose ids begin with `prefix`. `begin` says of which span it shall tell."""

    prefix: str
    inspections: list[tuple[Inspection, datetime]] = field(default_factory=list)
    by_redis: Alerts = field(default_factory=list)
    by_kafka: Alerts = field(default_factory=list)
    captured: dict[str, int] = field(default_factory=dict)
    """Of cameras whose last word has come: all their frames stand before it."""
    first_at: datetime = _NEVER
    last_at: datetime = _NEVER

    def begin(self, at: datetime, span_s: float) -> None:
        self.first_at, self.last_at = at, at + timedelta(seconds=span_s)

    def see(self, message: Message, at: datetime) -> None:
        """Take one record of the inspections topic."""
        if isinstance(message, CameraStatus) and message.final and message.camera_id.startswith(self.prefix):
            self.captured[message.camera_id] = message.captured
        if isinstance(message, Inspection) and message.camera_id.startswith(self.prefix):
            self.inspections.append((message, at))

    def hear(self, message: Message, at: datetime) -> None:
        """Take one record of the defects topic."""
        if isinstance(message, Defect):
            self.by_kafka.append((message, at))

    @property
    def spanned(self) -> list[tuple[Inspection, datetime]]:
        """Those of the frames captured in the span."""
        return [
            (each, at) for each, at in self.inspections if each.outcome == "inspected" and self._in(each.captured_at)
        ]

    @property
    def inspected_per_s(self) -> float:
        """Frames a second of those inspected within the span, whenever they were captured."""
        done = sum(each.outcome == "inspected" and self._in(each.inspected_at) for each, _ in self.inspections)
        return done / (self.last_at - self.first_at).total_seconds()

    @property
    def lost(self) -> int:
        """Captured and never inspected."""
        frames = {(each.camera_id, each.seq) for each, _ in self.inspections if each.outcome == "inspected"}
        return sum(self.captured.values()) - len(frames)

    @property
    def to_inspection_ms(self) -> list[float]:
        return [_ms(each.inspected_at - each.captured_at) for each, _ in self.spanned]

    @property
    def to_consumer_ms(self) -> list[float]:
        return [_ms(at - each.captured_at) for each, at in self.spanned]

    @property
    def wait_ms(self) -> list[float]:
        """In the batcher: for the batch to close and for the detector to be free."""
        return [1000 * each.timings.wait_s for each, _ in self.spanned]

    @property
    def inference_ms(self) -> float:
        """The median batch's. No two batches take the same time to the nanosecond: each counts once."""
        return 1000 * statistics.median({each.timings.infer_s for each, _ in self.spanned})

    @property
    def batch_mean(self) -> float:
        """Frames in the batch of a frame, on average."""
        return statistics.fmean(each.timings.batch_size for each, _ in self.spanned)

    def to_alert_ms(self, alerts: Alerts) -> list[float]:
        """Capture of the frame that confirmed a defect, to its alert in a consumer's hands."""
        mine = [(each, at) for each, at in alerts if each.camera_id.startswith(self.prefix)]
        return [_ms(at - each.at) for each, at in mine if each.transition == "opened" and self._in(each.at)]

    def _in(self, at: datetime) -> bool:
        return self.first_at <= at < self.last_at


def percentiles(
    name: str, values_ms: Sequence[float], percents: Sequence[int] = (50, 95, 99)
) -> dict[str, float | None]:
    """`NAME_p50_ms` and so on; None of none."""
    return {f"{name}_p{percent}_ms": percentile(values_ms, percent) for percent in percents}


def _ms(span: timedelta) -> float:
    return 1000 * span.total_seconds()
