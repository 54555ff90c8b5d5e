"""The report of a run."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bench.harness.plots import Bars, Curves, Plot, StackedBars, draw
from bench.harness.report import AIMS, Findings, Ratio, Report

KEYS = {
    "worker_vs_bare",
    "ingest_passthrough_vs_jpeg",
    "line_vs_decode_plus_inference_plant",
    "line_vs_decode_plus_inference_demo",
    "bytes_passthrough_vs_jpeg",
    "latency_passthrough_minus_jpeg",
    "line_vs_predict_pt",
    "line_vs_predict_best",
    "worker_vs_tutorial_pt",
    "worker_vs_tutorial_same_model",
    "scaling_8_workers",
    "spike_drain_vs_ideal",
    "spike_scaled_drain_vs_ideal",
    "spike_scaled_p99_after_s",
    "p99_vs_window_plus_inference",
    "cost_64_vs_4_cameras",
    "memory_mb_per_100k_frames",
}


def report() -> Report:
    made = Report({"broker": "Apache Kafka"})
    ratio = Ratio("worker_vs_bare", 0.95, {"worker_frames_per_s": 95.0, "bare_frames_per_s": 100.0})
    rows = [{"contender": "worker", "frames/s": 95.0, "note": None}, {"contender": "bare", "frames/s": 100.0}]
    made.add("worker", Findings([ratio], {"rounds": 3}, {"contenders": rows}), 12.34)
    return made


def test_every_aim_has_a_key_also_if_not_measured() -> None:
    document = report().as_json()
    assert set(document["ratios"]) == set(document["aims"]) == KEYS
    assert document["ratios"]["worker_vs_bare"] == 0.95
    assert document["ratios"]["spike_drain_vs_ideal"] is None


def test_a_missing_ratio_has_a_reason() -> None:
    made = report()
    made.fail("line", ["line_vs_predict_pt"], "FatalError: no broker", 3.0)
    document = made.as_json()
    assert document["failed"]["line_vs_predict_pt"] == "FatalError: no broker"
    assert document["failed"]["spike_drain_vs_ideal"] == "not measured in this run"
    assert "worker_vs_bare" not in document["failed"]


def test_a_failed_measurement_without_ratios_is_reported_by_its_name() -> None:
    made = report()
    made.fail("peers.roboflow", (), "OSError: no space", 3.0)
    assert made.as_json()["failed"]["peers.roboflow"] == "OSError: no space"


def test_an_aim_is_met_on_its_own_side_and_at_its_limit() -> None:
    by_key = {aim.key: aim for aim in AIMS}
    assert by_key["worker_vs_bare"].met(0.92)
    assert not by_key["worker_vs_bare"].met(0.919)
    assert by_key["line_vs_decode_plus_inference_plant"].met(1.1)
    assert not by_key["line_vs_decode_plus_inference_plant"].met(1.101)


def test_only_measured_ratios_are_met_or_missed() -> None:
    assert report().as_json()["met"] == {"worker_vs_bare": True}


def test_figures_stand_under_their_measurement_with_their_sources() -> None:
    document = report().as_json()
    assert document["figures"]["worker"]["rounds"] == 3
    assert document["came_from"]["worker_vs_bare"]["bare_frames_per_s"] == 100.0
    assert document["seconds"] == {"worker": 12.3}


def test_a_ratio_without_an_aim_is_an_error() -> None:
    with pytest.raises(ValueError, match="worker_vs_nothing"):
        report().add("worker", Findings([Ratio("worker_vs_nothing", 1.0)]), 1.0)


def test_the_file_is_the_report(tmp_path: Path) -> None:
    path = report().write(tmp_path)
    assert path.name == "report.json"
    assert json.loads(path.read_text()) == report().as_json()


def test_the_tables_and_the_failures_are_printed() -> None:
    made = report()
    made.fail("line", ["line_vs_predict_pt"], "FatalError: [no] broker", 3.0)
    console = Console(record=True, width=160, file=StringIO())
    made.show(console)
    shown = console.export_text()
    assert "worker_vs_bare" in shown
    assert "met" in shown
    assert "95" in shown
    assert "FAILED line_vs_predict_pt: FatalError: [no] broker" in shown


@pytest.mark.parametrize(
    "plot",
    [
        Bars("bars", "t", "frames/s", {"worker": 95.0, "bare": 100.0}, limit=92.0),
        StackedBars("stacked", "t", "ms", {"line": {"ingest": 1.0, "worker": 2.0}, "parts": {"decode": 1.0}}),
        Curves("curves", "t", "s", "MB", {"worker": [(0.0, 1.0), (1.0, 2.0)]}),
    ],
)
def test_a_plot_is_drawn_into_a_picture(plot: Plot, tmp_path: Path) -> None:
    path = draw(plot, tmp_path)
    assert path == tmp_path / f"{plot.name}.png"
    assert path.read_bytes().startswith(b"\x89PNG")
