"""The report of a run."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bench.harness.aims import aims
from bench.harness.plots import Bars, Curves, Plot, StackedBars, draw
from bench.harness.report import Course, Findings, Ratio, Report
from bench.harness.report_tables import show, write_markdown

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
    "accuracy_points_lost",
}
MACHINE = {"broker": "Apache Kafka", "commit": "abc", "cpu": "EPYC", "vector_units": ["avx2", "avx512_vnni"]}


def report() -> Report:
    outcome = Report(MACHINE)
    ratio = Ratio("worker_vs_bare", 0.95, {"worker_frames_per_s": 95.0, "bare_frames_per_s": 100.0}, spread=0.14)
    rows = [{"contender": "worker", "frames/s": 95.0, "note": None}, {"contender": "bare", "frames/s": 100.0}]
    outcome.add("worker", Findings([ratio], {"rounds": 3}, {"contenders": rows}), Course(12.3, 0.4))
    return outcome


def test_every_aim_has_a_key_also_if_not_measured() -> None:
    document = report().as_json()
    assert set(document["ratios"]) == set(document["aims"]) == KEYS
    assert document["ratios"]["worker_vs_bare"] == 0.95
    assert document["ratios"]["spike_drain_vs_ideal"] is None


def test_a_missing_ratio_has_a_reason() -> None:
    outcome = report()
    outcome.fail("line", ["line_vs_predict_pt"], "FatalError: no broker", Course(3.0))
    document = outcome.as_json()
    assert document["failed"]["line_vs_predict_pt"] == "FatalError: no broker"
    assert document["failed"]["spike_drain_vs_ideal"] == "not measured in this run"
    assert "worker_vs_bare" not in document["failed"]


def test_a_failed_measurement_without_ratios_is_reported_by_its_name() -> None:
    outcome = report()
    outcome.fail("peers.roboflow", (), "OSError: no space", Course(3.0))
    assert outcome.as_json()["failed"]["peers.roboflow"] == "OSError: no space"


def test_an_aim_is_met_on_its_own_side_and_at_its_limit() -> None:
    by_key = {aim.key: aim for aim in aims()}
    assert by_key["worker_vs_bare"].met(0.92)
    assert not by_key["worker_vs_bare"].met(0.919)
    assert by_key["line_vs_decode_plus_inference_plant"].met(1.1)
    assert not by_key["line_vs_decode_plus_inference_plant"].met(1.101)


@pytest.mark.parametrize(
    ("units", "limit"),
    [
        ((), 1.7),
        (("avx2",), 1.7),
        (("avx2", "avx512f"), 1.7),
        (("avx2", "avx_vnni"), 2.5),
        (("avx2", "avx512f", "avx512_vnni"), 2.5),
        (("avx2", "avx512f", "amx_bf16", "amx_int8"), 2.5),
    ],
)
def test_more_is_asked_of_a_processor_that_multiplies_faster(units: tuple[str, ...], limit: float) -> None:
    assert next(aim for aim in aims(units) if aim.key == "line_vs_predict_pt").limit == limit


def test_a_missed_aim_says_by_how_much() -> None:
    by_key = {aim.key: aim for aim in aims()}
    assert by_key["worker_vs_bare"].verdict(0.95) == "met"
    assert by_key["line_vs_decode_plus_inference_demo"].verdict(1.488) == "missed by 0.24 (19 %)"
    assert by_key["worker_vs_bare"].verdict(0.874) == "missed by 0.046 (5 %)"
    assert by_key["latency_passthrough_minus_jpeg"].verdict(3.2) == "missed by 3.2"


def test_only_measured_ratios_are_met_or_missed() -> None:
    assert report().as_json()["met"] == {"worker_vs_bare": True}


def test_figures_stand_under_their_measurement_with_their_sources() -> None:
    document = report().as_json()
    assert document["figures"]["worker"]["rounds"] == 3
    assert document["came_from"]["worker_vs_bare"]["bare_frames_per_s"] == 100.0
    assert document["seconds"] == {"worker": 12.3}
    assert document["cores_busy_before"] == {"worker": 0.4}


def test_a_ratio_without_an_aim_is_an_error() -> None:
    with pytest.raises(ValueError, match="worker_vs_nothing"):
        report().add("worker", Findings([Ratio("worker_vs_nothing", 1.0)]), Course(1.0))


def test_the_file_is_the_report(tmp_path: Path) -> None:
    path = report().write(tmp_path)
    assert path.name == "report.json"
    assert json.loads(path.read_text()) == report().as_json()


def test_the_tables_and_the_failures_are_printed() -> None:
    outcome = report()
    outcome.fail("line", ["line_vs_predict_pt"], "FatalError: [no] broker", Course(3.0))
    console = Console(record=True, width=160, file=StringIO())
    show(outcome, console)
    shown = console.export_text()
    assert "ratios on EPYC with avx2, avx512_vnni" in shown
    assert "scatter by 14%" in shown
    assert "worker_vs_bare" in shown
    assert "met" in shown
    assert "95" in shown
    assert "FAILED line_vs_predict_pt: FatalError: [no] broker" in shown


def test_the_tables_are_written_as_markdown_too(tmp_path: Path) -> None:
    text = write_markdown(report(), tmp_path).read_text()
    assert "## contenders\n\n| contender | frames/s | note |\n| --- | --- | --- |\n| worker | 95 | - |" in text
    assert (
        "| worker_vs_bare | worker draining a topic ÷ bare loop, frames/s | ≥ 0.92 | 0.950 | met | scatter by 14% |"
        in text
    )


MEASURED = {"worker": ("worker_vs_bare",), "line": ("line_vs_predict_pt",)}


def test_a_run_goes_on_where_an_earlier_one_failed() -> None:
    earlier = report()
    earlier.fail("line", ["line_vs_predict_pt"], "FatalError: no broker", Course(3.0))
    written = json.loads(json.dumps(earlier.as_json()))
    later = Report(MACHINE | {"load_before": 2.0})
    assert later.resume(written, MEASURED) == ["worker"]
    expected = report().as_json()
    assert {**later.as_json(), "machine": MACHINE} == expected


@pytest.mark.parametrize("changed", ["commit", "broker", "vector_units"])
def test_a_run_does_not_go_on_with_another_machines_or_commits(changed: str) -> None:
    later = Report(MACHINE | {changed: "another"})
    with pytest.raises(ValueError, match=changed):
        later.resume(report().as_json(), MEASURED)


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
