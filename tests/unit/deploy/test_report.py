"""The demo's report."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy.local.demo.report import Report, report, show
from deploy.local.demo.table import LiveTable
from sample_streams.observer import Observer
from sample_streams.score import Score
from tests.fakes import START
from tests.unit.sample_streams.test_observer import defect, frame

FOUND = Score(truth=3, found=2, missed=("a",), false=())


def audit(**other: int) -> dict[str, Any]:
    ledger = {"captured": 3, "inspected": 3, "shed": 0, "quarantined": 0, "lost": 0, "in_flight": 0, "duplicates": 0}
    return {"ledger": {**ledger, **other}, "balanced": True}


def observer() -> Observer:
    witness = Observer(["cam"])
    for seq, latency_s in enumerate((0.1, 0.2, 0.3)):
        witness.add_message(frame(seq, "inspected", latency_s))
    witness.add_alert(defect("opened"), START + timedelta(seconds=0.5))
    return witness


def demo_report(folder: Path, **ledger: int) -> Report:
    return report(audit(**ledger), observer(), FOUND, folder)


def test_the_json_has_exactly_the_keys_that_are_promised(tmp_path: Path) -> None:
    (tmp_path / "cam").mkdir()
    picture = tmp_path / "cam" / "d1.jpg"
    picture.touch()
    assert demo_report(tmp_path).as_json() == {
        "ledger": {
            "captured": 3,
            "inspected": 3,
            "shed": 0,
            "quarantined": 0,
            "lost": 0,
            "in_flight": 0,
            "duplicates": 0,
        },
        "latency_ms": {
            "inspection": {"p50": 200.0, "p95": 300.0, "p99": 300.0},
            "alert": {"p50": 500.0, "p95": 500.0, "p99": 500.0},
        },
        "defects": {"truth": 3, "found": 2, "missed": 1, "false": 0},
        "evidence": [str(picture)],
        "fps": 15.0,
        "seconds": 0.2,
    }


def test_a_demo_that_showed_everything_has_no_failure(tmp_path: Path) -> None:
    assert demo_report(tmp_path).failures == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"captured": 4}, "does not balance"),
        ({"duplicates": 1}, "does not balance"),
        ({"captured": 0, "inspected": 0}, "nothing was inspected"),
    ],
)
def test_a_wrong_account_is_a_failure(tmp_path: Path, change: dict[str, int], complaint: str) -> None:
    (failure,) = demo_report(tmp_path, **change).failures
    assert complaint in failure


def test_finding_no_true_defect_is_a_failure(tmp_path: Path) -> None:
    nothing = Score(3, 0, ("a", "b", "c"), ("x",))
    assert report(audit(), observer(), nothing, tmp_path).failures == ["no true defect was found"]


def test_an_alert_that_came_twice_is_a_duplicate(tmp_path: Path) -> None:
    witness = observer()
    witness.add_alert(defect("opened"), START)
    result = report(audit(), witness, FOUND, tmp_path)
    assert result.ledger["duplicates"] == 1
    assert not result.balanced


def test_the_printed_report_names_missed_defects_and_evidence(tmp_path: Path) -> None:
    (tmp_path / "d1.jpg").touch()
    console = Console(width=100)
    with console.capture() as printed:
        show(demo_report(tmp_path), tmp_path, console)
    text = printed.get()
    for word in ("balanced", "captured", "p99 ms", "missed: a", str(tmp_path / "d1.jpg")):
        assert word in text


def test_the_table_shows_each_camera_and_the_last_alerts() -> None:
    console = Console(width=140)
    with console.capture() as printed:
        console.print(LiveTable(observer(), lambda: 7).table())
    text = printed.get()
    for word in ("cam", "lag=7", "ok", "scratch opened (major)", "10.0"):
        assert word in text


def test_without_a_terminal_one_line_says_the_same() -> None:
    line = LiveTable(observer(), lambda: None).line()
    assert line == "inspected=3 lag=? defects=1 fps=10.0 behind_ms=300 cam=ok"
