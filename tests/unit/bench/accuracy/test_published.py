"""The published figures beside a run's."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bench.accuracy import published
from bench.accuracy.line_run import served_by
from bench.accuracy.published import FIGURES, KEY, Difference, add_to, compared_figures, differences
from bench.harness.report import Report
from tests.unit.bench.accuracy.test_report import accuracy

DOCS = (Path(__file__).parents[4] / "docs" / "accuracy.md").read_text("utf-8")
PUBLISHED: dict[str, float] = json.loads(FIGURES.read_bytes())["figures"]


def rows(first: str) -> dict[str, list[str]]:
    """The rows of the page's table whose header begins with `first`, by their first cell."""
    table = DOCS[DOCS.index(f"| {first} |") :].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in table]
    return {each[0]: each[1:] for each in cells}


def share(cell: str) -> float:
    return float(cell.removesuffix(" %")) / 100


def test_the_page_has_the_published_figures() -> None:
    by_class, by_speed = rows("class"), rows("parts a minute | real")
    for name, cells in by_class.items():
        ending = "" if name == "all" else f" of {name}"
        assert [PUBLISHED[f"mAP50{ending}"], PUBLISHED[f"mAP50-95{ending}"]] == [float(cell) for cell in cells[-2:]]
    for speed, cells in by_speed.items():
        assert [PUBLISHED[f"mAP50 at {speed}"], PUBLISHED[f"mAP50-95 at {speed}"]] == [
            float(cell) for cell in cells[-2:]
        ]
    for speed, cells in rows("parts a minute | parts").items():
        ending = "" if speed == "all" else f" at {speed}"
        assert [PUBLISHED[f"caught{ending}"], PUBLISHED[f"false_rejects{ending}"]] == list(map(share, cells[-2:]))
    assert [PUBLISHED["recall of events"], PUBLISHED["precision of events"]] == list(map(share, by_class["all"][3:5]))


def test_every_published_figure_is_one_that_a_run_compares() -> None:
    patterns = (
        r"(caught|false_rejects|mAP50|mAP50-95)( at \d+)?|undecided|(recall|precision) of events|mAP50(-95)? of \w+"
    )
    assert [name for name in PUBLISHED if not re.fullmatch(patterns, name)] == []
    assert {"caught", "caught at 30", "false_rejects at 240", "mAP50", "mAP50 of part"} <= set(
        compared_figures(accuracy())
    )


@pytest.mark.parametrize(
    ("figure", "was", "measured", "lost", "verdict"),
    [
        ("mAP50", 0.952, 0.947, 0.5, "as published"),
        ("mAP50", 0.952, 0.946, 0.6, "worse"),
        ("mAP50", 0.952, 0.96, -0.8, "better"),
        ("false_rejects at 30", 0.0, 0.01, 1.0, "worse"),
        ("undecided", 0.01, 0.0, -1.0, "better"),
    ],
)
def test_a_figure_is_as_published_within_half_a_point(
    figure: str, was: float, measured: float, lost: float, verdict: str
) -> None:
    difference = Difference(figure, was, measured)
    assert (difference.points_lost, difference.verdict) == (lost, verdict)


def a_run(**measured: float) -> dict[str, Any]:
    about = {"served": "openvino bf16", "seconds": 200.0, "machine": {"commit": "abc"}}
    return {"compared": {**PUBLISHED, **{name.replace("_", " "): value for name, value in measured.items()}}, **about}


def test_the_bench_shows_the_figure_that_lost_most(tmp_path: Path) -> None:
    (tmp_path / "accuracy.json").write_text(json.dumps(a_run(caught=0.9, mAP50=0.94)))
    report = Report({})
    add_to(report, tmp_path)
    assert report.ratios[KEY].value == 10.0
    [(title, shown)] = report.tables["accuracy"].items()
    assert title == "accuracy: make bench-accuracy of commit abc, served openvino bf16, 200 s"
    assert [row["figure"] for row in shown] == ["caught", "mAP50"]
    assert report.as_json()["met"] == {KEY: False}


def test_a_run_as_published_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "accuracy.json").write_text(json.dumps(a_run()))
    report = Report({})
    add_to(report, tmp_path)
    assert report.ratios[KEY].value == 0.0


def test_without_a_run_the_bench_says_what_to_do(tmp_path: Path) -> None:
    report = Report({})
    add_to(report, tmp_path)
    assert report.failed[KEY] == "run make bench-accuracy before make bench"
    assert differences({}) == []
    assert published.FILE == "accuracy.json"


def test_the_workers_log_says_what_it_served() -> None:
    line = "timestamp=... level=info event=model.loaded role=worker runtime=openvino device=CPU precision=bf16"
    assert served_by(f"level=info event=ready\n{line}\n") == "openvino bf16"
    with pytest.raises(ValueError, match="doesn't say"):
        served_by("level=info event=ready")
