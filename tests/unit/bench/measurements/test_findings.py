"""What the measurements with contenders report of their rounds."""

from typing import Any

import pytest

from bench.harness.aims import KEYS
from bench.harness.contender import Throughput
from bench.harness.file_line import PROCESSES
from bench.harness.report import Course, Findings, Report
from bench.harness.report_tables import all_tables, markdown
from bench.harness.rounds import Rounds
from bench.harness.synthetic_line import ROLES
from bench.measurements import cost_and_memory, line_cost, plant_line, tutorial_throughput, worker_throughput
from bench.measurements.cost_and_memory import MemorySample
from deploy.local.cpu import CpuSpan


def throughput(cpu_ms: float, **more: Any) -> Throughput:
    return Throughput(100.0, 1.0, cpu_ms / 10, more)


def line(cpu_ms: float, ingest_ms: float = 0.3, bytes_a_frame: float = 1000.0) -> Throughput:
    processes = dict.fromkeys((f"{name}_cpu_ms_a_frame" for name in PROCESSES), 1.0)
    processes["ingest_cpu_ms_a_frame"] = ingest_ms
    return throughput(cpu_ms, **processes, bytes_a_frame=bytes_a_frame, stages=[{"stage": "decode", "wall_ms": 1.0}])


def bare(cpu_ms: float) -> Throughput:
    return throughput(cpu_ms, decode_cpu_ms=1.0, inference_cpu_ms=cpu_ms - 1.0)


def rounds(results: dict[str, list[Any]], value: Any = lambda each: each.cpu_ms_a_frame) -> Rounds[Any]:
    return Rounds(results, {name: [0.0] * len(done) for name, done in results.items()}, value, "CPU ms a frame")


def ratios(findings: Findings) -> dict[str, Any]:
    """By key. All tables can be shown."""
    report = Report({})
    report.add("one", findings, Course(1.0))
    assert all(markdown(rows) for rows in all_tables(report).values())
    return {ratio.key: pytest.approx(ratio.value) for ratio in findings.ratios}


def test_the_line_stands_beside_bare_parts_and_both_ways_of_predict() -> None:
    done = {
        "line": [line(11.0), line(12.0)],
        "bare": [bare(10.0), bare(10.0)],
        "predict_pt": [throughput(22.0), throughput(24.0)],
        "predict_best": [throughput(11.0), throughput(12.0)],
    }
    found = line_cost.findings(rounds(done), {})
    expected = {"line_vs_decode_plus_inference_demo": 1.15, "line_vs_predict_pt": 2.0, "line_vs_predict_best": 1.0}
    assert ratios(found) == expected
    assert found.ratios[0].spread == pytest.approx(1 / 11.5)
    assert found.figures["bare_cpu_ms_a_frame"] == {"decode": 1.0, "inference": 9.0}
    assert found.figures["cores_busy_before"]["line"] == [0.0, 0.0]
    assert [row["process"] for row in found.tables["line: CPU ms a frame"]] == list(PROCESSES)


def test_the_plants_line_is_compared_by_encoding_and_with_bare_parts() -> None:
    done = {
        "passthrough": [line(33.0, ingest_ms=0.4, bytes_a_frame=40.0)],
        "jpeg": [line(50.0, ingest_ms=16.0, bytes_a_frame=200.0)],
        "bare": [bare(30.0)],
    }
    found = plant_line.findings(rounds(done), {"passthrough": 40.0, "jpeg": 55.0}, {"choice": "openvino fp32"})
    assert ratios(found) == {
        "ingest_passthrough_vs_jpeg": 0.025,
        "line_vs_decode_plus_inference_plant": 1.1,
        "bytes_passthrough_vs_jpeg": 0.2,
        "latency_passthrough_minus_jpeg": -15.0,
    }


def test_the_worker_stands_beside_the_bare_loop_by_frames_a_second() -> None:
    best = throughput(5.0, tried_frames_per_s={"1 x batch 8, decoders 1": 300.0})
    done = {"bare": [Throughput(200.0, 1.0, 1.0)], "worker": [Throughput(180.0, 1.0, 1.0)]}
    found = worker_throughput.findings(rounds(done, lambda each: each.frames_per_s), best)
    assert ratios(found) == {"worker_vs_bare": 0.9}
    assert found.figures["bare"]["frames_per_s"] == 200.0


def test_the_tutorials_consumer_is_compared_by_frames_per_cpu_second() -> None:
    done = {
        "worker": [throughput(5.0)],
        "tutorial_pt": [throughput(20.0)],
        "tutorial_same_model": [throughput(10.0)],
    }
    found = tutorial_throughput.findings(rounds(done), {"tutorial_pt_threads": "two"})
    assert ratios(found) == {"worker_vs_tutorial_pt": 4.0, "worker_vs_tutorial_same_model": 2.0}


def span(cpu_ms: float) -> CpuSpan:
    names = (*ROLES, "broker", "redis")
    return CpuSpan(1.0, dict.fromkeys(names, cpu_ms / 10), dict.fromkeys(names, 100.0))


def test_cost_by_cameras_and_growth_of_memory() -> None:
    spans = rounds({"4": [span(1.0)], "64": [span(1.1)]}, cost_and_memory.ms_a_frame)
    names = (*ROLES, "broker")
    samples = [MemorySample(1000.0 * n, dict.fromkeys(names, 100.0 + 0.01 * n)) for n in range(11)]
    found = cost_and_memory.findings(spans, samples, 900.0)
    assert ratios(found) == {"cost_64_vs_4_cameras": 1.1, "memory_mb_per_100k_frames": 3.0}
    assert {ratio.key for ratio in found.ratios} <= set(KEYS)
