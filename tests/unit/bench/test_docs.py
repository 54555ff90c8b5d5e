"""The page with the bench's figures, and what fills it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import docs
from bench.docs import PAGE, filled, main, titles
from bench.harness.report import Course, Findings, Ratio, Report

OURS = {"machine", "ratios", "measurements"}
"""Tables of the report itself."""
MACHINE = {
    "cpu": "EPYC",
    "cores": 2,
    "vector_units": ["avx2"],
    "gpu": "",
    "memory_gb": 25.3,
    "python": "3.11.7",
    "versions": {"av": "18.1.0"},
    "broker": "Apache Kafka",
    "commit": "abc",
    "load_before": 0.1,
}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    report = Report(MACHINE)
    rows = [{"contender": "worker", "frames/s": 300.0}]
    findings = Findings([Ratio("worker_vs_bare", 0.95)], {}, {"worker, beside the bare loop": rows})
    report.add("worker", findings, Course(120.0, 0.1))
    report.write(tmp_path)
    return tmp_path


def test_every_table_of_the_page_is_one_that_a_measurement_makes() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in PAGE.parents[1].glob("bench/measurements/*.py"))
    assert [
        title for title in titles(PAGE.read_text("utf-8")) if title not in OURS and f'"{title}"' not in sources
    ] == []


def test_the_page_has_a_place_for_every_ratio() -> None:
    assert {"ratios", "machine"} <= set(titles(PAGE.read_text("utf-8")))


def test_a_table_is_replaced_and_the_text_around_it_stays() -> None:
    page = "a\n\n<!-- bench: x -->\n| old |\n| --- |\n| 1 |\n\nb\n\n<!-- bench: y -->\n\n<!-- bench: z -->\n| kept |\n"
    expected = "a\n\n<!-- bench: x -->\n| new |\n| --- |\n| 2 |\n\nb\n\n<!-- bench: y -->\n| n |\n| --- |\n| 3 |\n\n"
    assert filled(page, {"x": [{"new": 2}], "y": [{"n": 3}]}) == f"{expected}<!-- bench: z -->\n| kept |\n"


def test_the_last_run_is_put_into_the_page(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    marks = ("machine", "ratios", "worker, beside the bare loop", "line: rounds")
    page.write_text("\n\n".join(f"<!-- bench: {title} -->" for title in marks) + "\n")
    monkeypatch.setattr(docs, "PAGE", page)
    done = CliRunner().invoke(main, ["--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "line: rounds: not measured, left as it was" in done.output
    text = page.read_text()
    assert "| processor | 2 cores of EPYC |" in text
    assert "| worker_vs_bare | worker draining a topic ÷ bare loop, frames/s | ≥ 0.92 | 0.950 | met |  |" in text
    assert "| worker | 300 |" in text


def test_without_a_run_there_is_one_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--out", str(tmp_path)])
    assert done.exit_code == 1
    assert done.output == f"Error: {tmp_path / 'report.json'} is missing: run make bench\n"


def test_a_run_without_the_accuracy_says_so_in_the_report(out: Path) -> None:
    assert json.loads((out / "report.json").read_bytes())["ratios"]["accuracy_points_lost"] is None
