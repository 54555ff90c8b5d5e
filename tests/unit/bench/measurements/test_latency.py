"""The ratio of the latency at a load, and the input that makes the load."""

from datetime import timedelta
from pathlib import Path

import av
import pytest

from andon.messages import Inspection, RecordRef, Timings
from bench.harness import clips
from bench.harness.clip_rate import at_rate
from bench.harness.consumer_log import ConsumerLog
from bench.harness.rounds import Rounds
from bench.measurements.latency import LoadLatency, findings, mean_ms
from tests.fakes import START


def latency(load: float, took_s: float) -> LoadLatency:
    log = ConsumerLog("load")
    log.set_span(START, 10)
    for seq in range(100):
        inspection = Inspection(
            camera_id="load-0",
            session="s",
            seq=seq,
            captured_at=START + timedelta(seconds=seq / 20),
            outcome="inspected",
            width=640,
            height=480,
            frame=RecordRef(topic="frames", partition=0, offset=seq),
            timings=Timings(wait_s=0.01, infer_s=0.03, batch_size=1),
            inspected_at=START + timedelta(seconds=seq / 20 + took_s),
        )
        log.add_inspection(inspection, inspection.inspected_at)
    return LoadLatency(load, 20, log, 5.0)


def rounds(load: float, *took_s: float) -> Rounds[LoadLatency]:
    name = f"{load:.0%}"
    done = [latency(load, each) for each in took_s]
    return Rounds({name: done}, {name: [0.0] * len(done)}, lambda each: each.p99_ms, "p99 ms")


def test_the_ratio_is_of_the_load_that_has_the_aim() -> None:
    loads = {0.3: rounds(0.3, 0.05), 0.7: rounds(0.7, 0.1), 0.95: rounds(0.95, 0.9)}
    found = findings(loads, latency(1.0, 1.0).log, window_ms=20)
    assert found.ratios[0].value == pytest.approx(100 / (20 + 30))


def test_a_second_in_which_the_machine_is_slow_spoils_one_round() -> None:
    loads = {0.3: rounds(0.3, 0.05), 0.7: rounds(0.7, 0.9, 0.08, 0.1), 0.95: rounds(0.95, 0.9)}
    found = findings(loads, latency(1.0, 1.0).log, window_ms=20)
    assert found.ratios[0].value == pytest.approx(100 / (20 + 30))
    assert found.ratios[0].spread == pytest.approx((900 - 80) / 100)
    assert [row["inspection_p99_ms"] for row in found.tables["latency, by load"]] == pytest.approx([50, 100, 900])


def test_a_frame_s_cost_is_the_line_s_without_the_bench_and_other_work() -> None:
    at = latency(0.7, 0.1)
    at.log.cores = {"worker": 0.1, "broker": 0.05, "bench": 0.4, "other work": 1.0}
    assert at.log.inspected_per_s == pytest.approx(10, rel=0.05)
    assert at.cores()["line_ms_a_frame"] == pytest.approx(150 / at.log.inspected_per_s)


def test_the_mean_is_of_the_observations_between_two_scrapes() -> None:
    before = {"wait_sum": 1.0, "wait_count": 10.0}
    after = {"wait_sum": 1.6, "wait_count": 40.0}
    assert mean_ms(before, after, "wait") == pytest.approx(20)
    assert mean_ms(after, after, "wait") == 0


def test_a_clip_at_another_rate_has_the_same_pictures(tmp_path: Path) -> None:
    file = at_rate(clips.path("press-1"), tmp_path / "slow.mp4", 6.5)
    with av.open(str(file)) as clip:
        times_s = [float(packet.pts * packet.time_base) for packet in clip.demux(video=0) if packet.pts is not None]
    assert len(times_s) == clips.FRAMES
    assert max(times_s) == pytest.approx((clips.FRAMES - 1) / 6.5, rel=0.001)
