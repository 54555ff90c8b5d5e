"""Every metric of the line: name, unit, labels and meaning, once.

Counters and histograms are a subscriber of events; gauges are read at each scrape.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from andon import events

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LATENCY = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = _FAST


METRICS: tuple[Metric, ...] = (
    # ingest
    Metric("andon_ingest_frames_captured_total", "counter", "Frames that the camera delivered", ("camera",)),
    Metric("andon_ingest_frames_published_total", "counter", "Frames that the broker acknowledged", ("camera",)),
    Metric("andon_ingest_frames_shed_total", "counter", "Frames given up before the broker", ("camera", "reason")),
    Metric("andon_ingest_frames_corrupt_total", "counter", "Frames that the decoder called corrupt", ("camera",)),
    Metric(
        "andon_ingest_frames_too_large_total",
        "counter",
        "Frames that went on without their picture because their topic takes none of its size",
        ("camera",),
    ),
    Metric("andon_ingest_encode_seconds", "histogram", "Crop, resize and JPEG encoding of one frame"),
    Metric("andon_ingest_publish_seconds", "histogram", "From the mailbox to the broker's acknowledgement"),
    Metric(
        "andon_ingest_capture_failures_total",
        "counter",
        "Errors in the capture of this camera that nobody foresaw",
        ("camera",),
    ),
    Metric("andon_ingest_mailbox_depth_frames", "gauge", "Encoded frames that wait for the broker", ("camera",)),
    Metric("andon_ingest_mailbox_capacity_frames", "gauge", "The mailbox's bound", ("camera",)),
    Metric("andon_ingest_camera_online", "gauge", "1 while the camera delivers frames", ("camera",)),
    Metric(
        "andon_ingest_camera_unhealthy",
        "gauge",
        "1 while the camera's pictures are no basis for a verdict",
        ("camera", "reason"),
    ),
    Metric("andon_ingest_camera_fps_hertz", "gauge", "Frames a second over the last seconds", ("camera",)),
    Metric("andon_ingest_spool_depth_records", "gauge", "Records on disk that wait for the broker", ("camera",)),
    Metric("andon_ingest_spool_size_bytes", "gauge", "Size of the spool on disk", ("camera",)),
    Metric("andon_ingest_spool_capacity_bytes", "gauge", "The spool's bound", ("camera",)),
    Metric("andon_ingest_spool_age_seconds", "gauge", "Approximate age of the oldest frame on disk", ("camera",)),
    Metric("andon_ingest_spool_full", "gauge", "1 while the spool is full or its disk takes no writes", ("camera",)),
    Metric("andon_ingest_spool_failures_total", "counter", "Times that the spool became full or failed", ("camera",)),
    Metric("andon_ingest_spool_damages_total", "counter", "Parts of the spool that could not be read", ("camera",)),
    # every role
    Metric(
        "andon_clock_offset_seconds",
        "gauge",
        "How far this host's clock is ahead of a broker's, as far as it is proven; below 0: behind",
        ("peer",),
    ),
    # stage: workers and sinks
    Metric("andon_stage_records_total", "counter", "Records taken from Kafka", ("stage",)),
    Metric("andon_stage_records_done_total", "counter", "Records whose results are durable", ("stage",)),
    Metric("andon_stage_in_flight_records", "gauge", "Records that are taken and not yet done", ("stage",)),
    Metric("andon_stage_in_flight_capacity_records", "gauge", "The bound of the records in flight", ("stage",)),
    Metric("andon_stage_lag_records", "gauge", "Records behind the end of the partition", ("stage", "partition")),
    Metric("andon_stage_lag_seconds", "gauge", "Age of the record read last, while behind", ("stage", "partition")),
    Metric("andon_stage_paused_seconds_total", "counter", "Time that partitions were held back", ("stage",)),
    Metric(
        "andon_stage_service_to_arrival_ratio",
        "gauge",
        "Records done per record arrived; below 1 the lag grows",
        ("stage",),
    ),
    Metric(
        "andon_stage_commits_refused_total",
        "counter",
        "Commits refused because another member owns the partition",
        ("stage",),
    ),
    Metric("andon_stage_records_expired_total", "counter", "Records that retention removed unread", ("stage",)),
    Metric(
        "andon_kafka_records_cut_total",
        "counter",
        "Records that this process had sent or read, and that went when the broker lost the end of a log",
        ("stage",),
    ),
    Metric(
        "andon_kafka_producers_replaced_total",
        "counter",
        "Producers that the broker refused for good, and that were replaced",
    ),
    # workers
    Metric("andon_workers_frames_inspected_total", "counter", "Frames that went through the model", ("camera",)),
    Metric("andon_workers_frames_shed_total", "counter", "Frames given up as stale", ("camera", "reason")),
    Metric("andon_stage_records_quarantined_total", "counter", "Records put into quarantine", ("camera", "reason")),
    Metric(
        "andon_workers_camera_refused",
        "gauge",
        "1 while more of the camera's records go to quarantine than worker.quarantine_limit",
        ("camera",),
    ),
    Metric("andon_workers_decode_seconds", "histogram", "Decoding of one picture"),
    Metric("andon_workers_batch_size_frames", "histogram", "Frames in a batch", (), _BATCH),
    Metric("andon_workers_batch_wait_seconds", "histogram", "From a batch's first frame to its closing"),
    Metric("andon_workers_inference_seconds", "histogram", "Inference of one batch", ("runtime",)),
    Metric(
        "andon_workers_capture_to_inspection_seconds",
        "histogram",
        "Capture to the broker's acknowledgement of the inspection",
        (),
        _LATENCY,
    ),
    # sinks
    Metric("andon_sinks_records_accounted_total", "counter", "Records that stand in the ledger"),
    Metric("andon_sinks_records_redelivered_total", "counter", "Records delivered again; they changed nothing"),
    Metric("andon_sinks_transaction_seconds", "histogram", "One batch's SQL transaction"),
    Metric(
        "andon_sinks_writes_refused_total", "counter", "Transactions refused because another sink owns the partition"
    ),
    Metric("andon_sinks_write_seconds", "histogram", "One write to Redis, evidence or an alert channel", ("channel",)),
    Metric("andon_sinks_write_failures_total", "counter", "Writes that failed and are retried", ("channel",)),
    Metric("andon_sinks_defects_total", "counter", "Defect events", ("camera", "transition")),
    Metric("andon_sinks_parts_total", "counter", "Verdicts on parts", ("camera", "verdict")),
    Metric("andon_sinks_outbox_depth_records", "gauge", "Events that wait for their channel", ("channel",)),
    Metric("andon_sinks_outbox_given_up_total", "counter", "Events given up instead of sent", ("channel",)),
    Metric("andon_sinks_outbox_age_seconds", "gauge", "Age of the oldest waiting event", ("channel",)),
    Metric(
        "andon_sinks_capture_to_alert_seconds",
        "histogram",
        "Capture of the frame that caused an alert to its channel's acknowledgement",
        (),
        _LATENCY,
    ),
)

_Any = Counter | Gauge | Histogram
Reading = tuple[tuple[str, ...], float]
"""(label values, value)"""


class Metrics:
    """The process's metrics. Subscribe it to events; give it functions to read gauges from."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._metrics: dict[str, _Any] = {metric.name: _build(metric, registry) for metric in _counted()}
        self._children: dict[tuple[str, ...], Any] = {}
        """By name and label values: looking a child up costs more than counting."""

    def watch(self, name: str, read: Callable[[], list[Reading]]) -> None:
        """Let a gauge of `METRICS` be read by `read` at each scrape, from the scraping thread."""
        metric = next(metric for metric in METRICS if metric.name == name and metric.kind == "gauge")
        self._registry.register(_Live(metric, read))

    def __call__(self, event: events.Event) -> None:
        _handler(type(event))(self, event)

    def _count(self, name: str, amount: float = 1, **labels: str) -> None:
        self._child(name, labels).inc(amount)

    def _observe(self, name: str, value: float, **labels: str) -> None:
        self._child(name, labels).observe(max(0.0, value))

    def _child(self, name: str, labels: dict[str, str]) -> Any:
        key = (name, *labels.values())
        child = self._children.get(key)
        if child is None:
            metric = self._metrics[name]
            child = self._children[key] = metric.labels(**labels) if labels else metric
        return child

    @singledispatchmethod
    def _on(self, event: events.Event) -> None:
        """Most events are for the log alone."""

    @_on.register
    def _(self, event: events.FrameCaptured) -> None:
        self._count("andon_ingest_frames_captured_total", camera=event.camera)
        self._observe("andon_ingest_encode_seconds", event.encode_s)

    @_on.register
    def _(self, event: events.CaptureFailed) -> None:
        self._count("andon_ingest_capture_failures_total", camera=event.camera)

    @_on.register
    def _(self, event: events.SpoolFailed) -> None:
        self._count("andon_ingest_spool_failures_total", camera=event.camera)

    @_on.register
    def _(self, event: events.SpoolDamaged) -> None:
        self._count("andon_ingest_spool_damages_total", camera=event.camera)

    @_on.register
    def _(self, event: events.FramePublished) -> None:
        self._count("andon_ingest_frames_published_total", camera=event.camera)
        self._observe("andon_ingest_publish_seconds", event.publish_s)

    @_on.register
    def _(self, event: events.FrameCorrupt) -> None:
        self._count("andon_ingest_frames_corrupt_total", camera=event.camera)

    @_on.register
    def _(self, event: events.FrameTooLarge) -> None:
        self._count("andon_ingest_frames_too_large_total", camera=event.camera)

    @_on.register
    def _(self, event: events.FramesShed) -> None:
        where = "workers" if event.by_worker else "ingest"
        self._count(f"andon_{where}_frames_shed_total", event.count, camera=event.camera, reason=event.reason)

    @_on.register
    def _(self, event: events.RecordsReceived) -> None:
        self._count("andon_stage_records_total", event.count, stage=event.stage)

    @_on.register
    def _(self, event: events.RecordsDone) -> None:
        self._count("andon_stage_records_done_total", event.count, stage=event.stage)

    @_on.register
    def _(self, event: events.Paused) -> None:
        self._count("andon_stage_paused_seconds_total", event.seconds, stage=event.stage)

    @_on.register
    def _(self, event: events.LogCut) -> None:
        self._count("andon_kafka_records_cut_total", event.last_offset - event.first_offset + 1, stage=event.who)

    @_on.register
    def _(self, event: events.ProducerReplaced) -> None:
        self._count("andon_kafka_producers_replaced_total")

    @_on.register
    def _(self, event: events.CommitRefused) -> None:
        self._count("andon_stage_commits_refused_total", stage=event.stage)

    @_on.register
    def _(self, event: events.RecordsExpired) -> None:
        count = event.last_offset - event.first_offset + 1
        self._count("andon_stage_records_expired_total", count, stage=event.stage)

    @_on.register
    def _(self, event: events.FrameInspected) -> None:
        self._count("andon_workers_frames_inspected_total", camera=event.camera)
        self._observe("andon_workers_decode_seconds", event.decode_s)
        self._observe("andon_workers_capture_to_inspection_seconds", event.latency_s)

    @_on.register
    def _(self, event: events.BatchInferred) -> None:
        self._observe("andon_workers_batch_size_frames", event.size)
        self._observe("andon_workers_batch_wait_seconds", event.wait_s)
        self._observe("andon_workers_inference_seconds", event.infer_s, runtime=event.runtime)

    @_on.register
    def _(self, event: events.RecordQuarantined) -> None:
        self._count("andon_stage_records_quarantined_total", camera=event.camera, reason=event.reason)

    @_on.register
    def _(self, event: events.BatchAccounted) -> None:
        self._count("andon_sinks_records_accounted_total", event.records - event.redelivered)
        self._count("andon_sinks_records_redelivered_total", event.redelivered)
        self._observe("andon_sinks_transaction_seconds", event.seconds)

    @_on.register
    def _(self, event: events.WriteRefused) -> None:
        self._count("andon_sinks_writes_refused_total")

    @_on.register
    def _(self, event: events.DefectChanged) -> None:
        self._count("andon_sinks_defects_total", camera=event.camera, transition=event.transition)

    @_on.register
    def _(self, event: events.PartJudged) -> None:
        self._count("andon_sinks_parts_total", camera=event.camera, verdict=event.verdict)

    @_on.register
    def _(self, event: events.SinkWrote) -> None:
        self._observe("andon_sinks_write_seconds", event.seconds, channel=event.sink)

    @_on.register
    def _(self, event: events.SinkFailed) -> None:
        self._count("andon_sinks_write_failures_total", channel=event.sink)

    @_on.register
    def _(self, event: events.SinkRefused) -> None:
        self._count("andon_sinks_write_failures_total", channel=event.sink)

    @_on.register
    def _(self, event: events.OutboxGivenUp) -> None:
        self._count("andon_sinks_outbox_given_up_total", event.count, channel=event.channel)

    @_on.register
    def _(self, event: events.AlertSent) -> None:
        self._observe("andon_sinks_capture_to_alert_seconds", event.latency_s)


def _handler(kind: type[events.Event]) -> Callable[[Metrics, events.Event], None]:
    """What `Metrics._on` does with events of this kind. Binding it for each event would cost as much as it does."""
    handler: Callable[[Metrics, events.Event], None] = vars(Metrics)["_on"].dispatcher.dispatch(kind)
    return handler


class _Live(Collector):
    """A gauge whose values are read at each scrape."""

    def __init__(self, metric: Metric, read: Callable[[], list[Reading]]) -> None:
        self._metric = metric
        self._read = read

    def collect(self) -> list[GaugeMetricFamily]:
        family = GaugeMetricFamily(self._metric.name, self._metric.help, labels=self._metric.labels)
        for labels, value in self._read():
            family.add_metric(labels, value)
        return [family]

    def describe(self) -> list[GaugeMetricFamily]:
        return []


def _counted() -> list[Metric]:
    return [metric for metric in METRICS if metric.kind != "gauge"]


def _build(metric: Metric, registry: CollectorRegistry) -> _Any:
    if metric.kind == "histogram":
        return Histogram(metric.name, metric.help, metric.labels, registry=registry, buckets=metric.buckets)
    return Counter(metric.name, metric.help, metric.labels, registry=registry)
