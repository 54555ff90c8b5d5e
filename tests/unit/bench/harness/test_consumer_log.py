"""What consumers received from a line under one load."""

from datetime import datetime, timedelta

from andon.messages import CameraStatus, Inspection, RecordRef, Timings
from bench.harness.consumer_log import ConsumerLog, percentiles
from tests.fakes import START


def inspection(camera_id: str, seq: int, captured_s: float, took_s: float = 0.05) -> Inspection:
    captured_at = START + timedelta(seconds=captured_s)
    return Inspection(
        camera_id=camera_id,
        session="s",
        seq=seq,
        captured_at=captured_at,
        outcome="inspected",
        width=640,
        height=480,
        frame=RecordRef(topic="frames", partition=0, offset=seq),
        timings=Timings(wait_s=0.01, infer_s=0.02 + seq // 2, batch_size=2),
        inspected_at=captured_at + timedelta(seconds=took_s),
    )


def final(camera_id: str, captured: int) -> CameraStatus:
    return CameraStatus(camera_id=camera_id, session="s", state="stopped", captured=captured, final=True, at=START)


def log_of(*inspections: Inspection) -> ConsumerLog:
    log = ConsumerLog("load70-")
    log.set_span(START + timedelta(seconds=1), 2)
    for each in inspections:
        log.add_inspection(each, each.inspected_at + timedelta(seconds=0.01))
    return log


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_latencies_are_of_the_frames_captured_in_the_span() -> None:
    log = log_of(inspection("load70-0", 0, 0.5, 9), inspection("load70-0", 1, 1.5), inspection("load70-0", 2, 3.0, 9))
    assert log.to_inspection_ms == [50]
    assert log.to_consumer_ms == [60]


def test_cameras_of_another_load_are_ignored() -> None:
    assert not log_of(inspection("load30-0", 0, 1.5)).inspections


def test_the_rate_counts_inspections_in_the_span_whenever_the_frame_was_captured() -> None:
    late = [inspection("load70-0", seq, 0.0, 1.0 + seq / 10) for seq in range(10)]
    assert log_of(*late).inspected_per_s == 5


def test_a_batch_counts_once_in_the_median_inference() -> None:
    log = log_of(*[inspection("load70-0", seq, 1.5) for seq in (0, 1, 2, 3, 4)])
    assert log.inference_ms == 1020  # batches of 20, 1020 and 2020 ms


def test_a_frame_that_was_captured_and_not_inspected_is_lost() -> None:
    log = log_of(inspection("load70-0", 0, 1.5), inspection("load70-0", 0, 1.5))
    log.add_inspection(final("load70-0", 3), START)
    log.add_inspection(final("load30-0", 7), START)
    assert log.lost == 2


def test_percentiles_without_values_are_none() -> None:
    assert percentiles("alert", []) == {"alert_p50_ms": None, "alert_p95_ms": None, "alert_p99_ms": None}
