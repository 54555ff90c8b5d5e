import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from andon.events import (
    BatchInferred,
    DefectChanged,
    FramesShed,
    OutboxGivenUp,
    PartJudged,
    SinkFailed,
    SinkWrote,
)
from andon.process.catalogue import METRICS
from andon.process.metrics import Metrics
from andon.process.metrics_table import table

LABELS = {
    "camera",
    "change",
    "channel",
    "gpu",
    "kind",
    "page",
    "partition",
    "peer",
    "reason",
    "role",
    "runtime",
    "severity",
    "source",
    "stage",
    "state",
    "topic",
    "transition",
    "verdict",
    "version",
}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_name_says_package_what_and_unit(metric: object) -> None:
    name, kind = metric.name, metric.kind  # type: ignore[attr-defined]
    assert re.fullmatch(r"andon_(ingest|stage|workers|sinks|board|clock|kafka|process|traces)_[a-z_]+", name)
    assert name.endswith("_total") == (kind == "counter")
    assert set(metric.labels) <= LABELS  # type: ignore[attr-defined]


def test_events_are_counted_and_observed() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics(FramesShed("press-3", "stale", 12))
    metrics(FramesShed("press-3", "stale", 2, by_worker=True))
    metrics(BatchInferred(4, 0.01, 0.02, "openvino"))
    text = generate_latest(registry).decode()
    assert 'andon_ingest_frames_shed_total{camera="press-3",reason="stale"} 12.0' in text
    assert 'andon_workers_frames_shed_total{camera="press-3",reason="stale"} 2.0' in text
    assert 'andon_workers_batch_size_frames_bucket{le="4.0"} 1.0' in text


def test_a_label_says_what_it_holds() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics(DefectChanged("press-3", "d", "opened", "scratch", "major"))
    metrics(SinkWrote("redis", 0.1))
    metrics(SinkFailed("kafka", "away", 1.0))
    metrics(OutboxGivenUp("redis", "e1", "no event"))
    metrics(OutboxGivenUp("redis", "", "switched off", count=7))
    text = generate_latest(registry).decode()
    assert 'andon_sinks_defects_total{camera="press-3",transition="opened"} 1.0' in text
    assert 'andon_sinks_write_seconds_count{channel="redis"} 1.0' in text
    assert 'andon_sinks_write_failures_total{channel="kafka"} 1.0' in text
    assert 'andon_sinks_outbox_given_up_total{channel="redis"} 8.0' in text


def test_parts_are_counted_by_camera_and_verdict() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for verdict in ("pass", "pass", "reject"):
        metrics(PartJudged("press-3", "p", verdict, ""))
    text = generate_latest(registry).decode()
    assert 'andon_sinks_parts_total{camera="press-3",verdict="pass"} 2.0' in text
    assert 'andon_sinks_parts_total{camera="press-3",verdict="reject"} 1.0' in text


def test_a_gauge_is_read_when_it_is_scraped() -> None:
    registry = CollectorRegistry()
    depths = [3.0]
    Metrics(registry).watch("andon_ingest_mailbox_depth_frames", lambda: [(("press-3",), depths[0])])
    depths[0] = 5.0
    assert 'andon_ingest_mailbox_depth_frames{camera="press-3"} 5.0' in generate_latest(registry).decode()


def test_the_page_of_metrics_is_up_to_date() -> None:
    page = Path(__file__).parents[4] / "docs" / "metrics.md"
    assert page.read_text() == table(), "run: python -m andon.process.metrics_table > docs/metrics.md"
