"""Where a line's time went."""

import pytest

from bench.harness.roles import samples
from bench.harness.stage_costs import RoleSpan, stages

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


def test_samples_are_there_by_label_and_summed() -> None:
    read = samples(METRICS)
    assert read["andon_ingest_frames_captured_total"] == 10.0
    assert read["andon_ingest_frames_captured_total{camera=b}"] == 6.0
    assert read["andon_workers_inference_seconds_sum"] == 0.2


def test_a_batch_is_shared_by_its_frames() -> None:
    assert span(20.0).sum_ms_a_frame("andon_workers_inference_seconds") == pytest.approx(10.0)
    assert span().mean_ms("andon_workers_inference_seconds") == pytest.approx(40.0)


def test_what_was_never_observed_has_no_mean() -> None:
    assert span().mean_ms("andon_sinks_write_seconds") is None


def test_only_what_grew_between_the_marks_counts() -> None:
    twice = samples(METRICS)
    assert RoleSpan(twice, twice, 10.0, 0.0, 0.0).sum_ms_a_frame("andon_ingest_encode_seconds") == 0.0


def test_cpu_is_the_loops_or_the_threads() -> None:
    assert span().loop_ms() == pytest.approx(1.0)
    assert span().threads_ms() == pytest.approx(4.0)


def test_a_row_for_each_stage_in_the_frames_order() -> None:
    rows = {row["stage"]: row for row in stages(span(), span(), span())}
    names = list(rows)
    assert names.index("encode") < names.index("decode") < names.index("infer") < names.index("transactions")
    assert rows["encode"]["wall_ms"] == pytest.approx(5.0)
    assert rows["decode and infer"]["cpu_ms_a_frame"] == pytest.approx(4.0)
    assert rows["decode and infer"]["wall_ms"] is None
