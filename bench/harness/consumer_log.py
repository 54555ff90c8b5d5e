"""What consumers received from a line under one load: every inspection and every alert, with its time of arrival."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from andon.messages import CameraStatus, Defect, Inspection, Message
from sample_streams.observer import percentile

_NEVER = datetime.max.replace(tzinfo=UTC)
Alerts = list[tuple[Defect, datetime]]


@dataclass(slots=True, eq=False)
class ConsumerLog:
    """Of the cameras whose ids begin with `prefix`. The figures are of the span that `set_span` names."""

    prefix: str
    inspections: list[tuple[Inspection, datetime]] = field(default_factory=list)
    redis_alerts: Alerts = field(default_factory=list)
    kafka_alerts: Alerts = field(default_factory=list)
    captured: dict[str, int] = field(default_factory=dict)
    """Frames of each camera whose final status has arrived; it comes after all of its frames."""
    first_at: datetime = _NEVER
    last_at: datetime = _NEVER
    cores: dict[str, float] = field(default_factory=dict)
    """Kept busy in the span, by process: see `busy_cores`."""

    def set_span(self, at: datetime, span_s: float) -> None:
        self.first_at, self.last_at = at, at + timedelta(seconds=span_s)

    def add_inspection(self, message: Message, at: datetime) -> None:
        """Add a record of the inspections topic."""
        if isinstance(message, CameraStatus) and message.final and message.camera_id.startswith(self.prefix):
            self.captured[message.camera_id] = message.captured
        if isinstance(message, Inspection) and message.camera_id.startswith(self.prefix):
            self.inspections.append((message, at))

    def add_defect(self, message: Message, at: datetime) -> None:
        """Add a record of the defects topic."""
        if isinstance(message, Defect):
            self.kafka_alerts.append((message, at))

    @property
    def in_span(self) -> list[tuple[Inspection, datetime]]:
        """The inspections of the frames that were captured in the span."""
        return [
            (each, at)
            for each, at in self.inspections
            if each.outcome == "inspected" and self._covers(each.captured_at)
        ]

    @property
    def inspected_per_s(self) -> float:
        """Frames inspected a second within the span, whenever they were captured."""
        done = sum(each.outcome == "inspected" and self._covers(each.inspected_at) for each, _ in self.inspections)
        return done / (self.last_at - self.first_at).total_seconds()

    @property
    def lost(self) -> int:
        """Frames that were captured and never inspected."""
        frames = {(each.camera_id, each.seq) for each, _ in self.inspections if each.outcome == "inspected"}
        return sum(self.captured.values()) - len(frames)

    @property
    def to_inspection_ms(self) -> list[float]:
        return [_ms(each.inspected_at - each.captured_at) for each, _ in self.in_span]

    @property
    def to_consumer_ms(self) -> list[float]:
        return [_ms(at - each.captured_at) for each, at in self.in_span]

    @property
    def wait_ms(self) -> list[float]:
        """Time in the batcher: until the batch closes and the detector is free."""
        return [1000 * each.timings.wait_s for each, _ in self.in_span]

    @property
    def inference_ms(self) -> float:
        """The median of the batches. No two take the same time to the nanosecond, so that each counts once."""
        return 1000 * statistics.median({each.timings.infer_s for each, _ in self.in_span})

    @property
    def batch_mean(self) -> float:
        """The mean batch size, over frames."""
        return statistics.fmean(each.timings.batch_size for each, _ in self.in_span)

    def to_alert_ms(self, alerts: Alerts) -> list[float]:
        """From the capture of the frame that confirmed a defect until a consumer received its alert."""
        mine = [(each, at) for each, at in alerts if each.camera_id.startswith(self.prefix)]
        return [_ms(at - each.at) for each, at in mine if each.transition == "opened" and self._covers(each.at)]

    def _covers(self, at: datetime) -> bool:
        return self.first_at <= at < self.last_at


def percentiles(
    name: str, values_ms: Sequence[float], percents: Sequence[int] = (50, 95, 99)
) -> dict[str, float | None]:
    """`NAME_p50_ms` and so on; None if there are no values."""
    return {f"{name}_p{percent}_ms": percentile(values_ms, percent) for percent in percents}


def _ms(span: timedelta) -> float:
    return 1000 * span.total_seconds()
