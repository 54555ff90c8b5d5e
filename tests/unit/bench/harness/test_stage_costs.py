"""Time and CPU of a line by stage."""

import pytest

from bench.harness.roles import samples
from bench.harness.stage_costs import RoleSpan, stage_rows

METRICS = """# HELP andon_ingest_encode_seconds Encoding
# TYPE andon_ingest_encode_seconds histogram
andon_ingest_encode_seconds_bucket{le="+Inf"} 10.0
andon_ingest_encode_seconds_count 10.0
andon_ingest_encode_seconds_sum 0.05
# HELP andon_workers_inference_seconds Inference
# TYPE andon_workers_inference_seconds histogram
andon_workers_inference_seconds_bucket{le="+Inf",runtime="openvino"} 5.0
andon_workers_inference_seconds_count{runtime="openvino"} 5.0
andon_workers_inference_seconds_sum{runtime="openvino"} 0.2
# HELP andon_ingest_frames_captured_total Frames
# TYPE andon_ingest_frames_captured_total counter
andon_ingest_frames_captured_total{camera="a"} 4.0
andon_ingest_frames_captured_total{camera="b"} 6.0
"""


def span(frames: float = 10.0) -> RoleSpan:
    return RoleSpan({}, samples(METRICS), frames, loop_cpu_s=0.01, cpu_s=0.05)


def test_samples_have_values_by_label_and_their_sum() -> None:
    read = samples(METRICS)
    assert read["andon_ingest_frames_captured_total"] == 10.0
    assert read["andon_ingest_frames_captured_total{camera=b}"] == 6.0
    assert read["andon_workers_inference_seconds_sum"] == 0.2


def test_the_time_of_a_batch_is_divided_among_its_frames() -> None:
    assert span(20.0).sum_ms_a_frame("andon_workers_inference_seconds") == pytest.approx(10.0)
    assert span().mean_ms("andon_workers_inference_seconds") == pytest.approx(40.0)


def test_a_histogram_without_observations_has_no_mean() -> None:
    assert span().mean_ms("andon_sinks_write_seconds") is None


def test_only_the_increase_between_the_marks_counts() -> None:
    twice = samples(METRICS)
    assert RoleSpan(twice, twice, 10.0, 0.0, 0.0).sum_ms_a_frame("andon_ingest_encode_seconds") == 0.0


def test_cpu_is_split_into_the_loops_and_the_threads() -> None:
    assert span().loop_ms() == pytest.approx(1.0)
    assert span().threads_ms() == pytest.approx(4.0)


def test_the_rows_are_in_the_order_of_a_frames_way() -> None:
    rows = {row["stage"]: row for row in stage_rows(span(), span(), span())}
    names = list(rows)
    assert names.index("encode") < names.index("decode") < names.index("infer") < names.index("transactions")
    assert rows["encode"]["wall_ms"] == pytest.approx(5.0)
    assert rows["decode and infer"]["cpu_ms_a_frame"] == pytest.approx(4.0)
    assert rows["decode and infer"]["wall_ms"] is None
