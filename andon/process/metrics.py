"""The metrics of a process: counters and histograms subscribe to events, gauges are read at each scrape."""

from collections.abc import Callable
from functools import singledispatchmethod
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from andon import events
from andon.process.catalogue import METRICS, Metric

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
    def _(self, event: events.GapFound) -> None:
        self._count("andon_ingest_frames_with_gap_total", camera=event.camera)

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
    def _(self, event: events.TraceSpansSent) -> None:
        self._count("andon_traces_spans_sent_total", event.count)

    @_on.register
    def _(self, event: events.TraceSpansDropped) -> None:
        self._count("andon_traces_spans_dropped_total", event.count)

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
    def _(self, event: events.GpuEnergyUsed) -> None:
        self._count("andon_workers_gpu_energy_joules_total", event.joules, gpu=event.gpu)

    @_on.register
    def _(self, event: events.RecordQuarantined) -> None:
        self._count("andon_stage_records_quarantined_total", camera=event.camera, reason=event.reason)

    @_on.register
    def _(self, event: events.BatchAccounted) -> None:
        self._count("andon_sinks_records_accounted_total", event.records - event.redelivered)
        self._count("andon_sinks_records_redelivered_total", event.redelivered)
        self._observe("andon_sinks_transaction_seconds", event.seconds)

    @_on.register
    def _(self, event: events.CapturedTwice) -> None:
        self._count("andon_sinks_captured_twice_total", event.frames, camera=event.camera)

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
    def _(self, event: events.AlarmChanged) -> None:
        camera = event.alarm.partition("/")[0]
        self._count("andon_sinks_alarms_total", camera=camera, kind=event.kind, change=event.change)

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
    def _(self, event: events.PageServed) -> None:
        self._observe("andon_board_page_seconds", event.seconds, page=event.page)

    @_on.register
    def _(self, event: events.BoardFailed) -> None:
        self._count("andon_board_failures_total", page=event.page)

    @_on.register
    def _(self, event: events.LoginRefused) -> None:
        self._count("andon_board_logins_refused_total")

    @_on.register
    def _(self, event: events.NewsPublished) -> None:
        self._count("andon_board_news_total", topic=event.topic)

    @_on.register
    def _(self, event: events.ViewerCutOff) -> None:
        self._count("andon_board_viewers_cut_off_total")

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
