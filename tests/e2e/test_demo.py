"""`andon demo`, as a newcomer runs it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "andon", "demo", "--seconds", "20", "--json", "out.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads((folder / "out.json").read_text())
    return report


def test_every_captured_frame_is_accounted_for_once(result: dict[str, Any]) -> None:
    ledger = result["ledger"]
    outcomes = ("inspected", "shed", "quarantined", "lost", "in_flight")
    assert ledger["captured"] == sum(ledger[outcome] for outcome in outcomes)
    assert (ledger["lost"], ledger["in_flight"], ledger["duplicates"]) == (0, 0, 0)
    # four cameras of 15 frames a second, for 20 seconds
    assert ledger["inspected"] >= 1000


def test_most_of_the_true_defects_are_found(result: dict[str, Any]) -> None:
    defects = result["defects"]
    assert defects["truth"] == defects["found"] + defects["missed"]
    assert defects["found"] >= 0.8 * defects["truth"] > 0


def test_each_found_defect_has_its_picture(result: dict[str, Any]) -> None:
    pictures = [Path(path) for path in result["evidence"]]
    assert len(pictures) >= result["defects"]["found"]
    assert all(path.read_bytes()[:2] == b"\xff\xd8" for path in pictures)


def test_latencies_are_ordered_percentiles_of_what_was_measured(result: dict[str, Any]) -> None:
    for kind in ("inspection", "alert"):
        values = result["latency_ms"][kind]
        assert 0 < values["p50"] <= values["p95"] <= values["p99"]
    assert result["latency_ms"]["alert"]["p50"] > result["latency_ms"]["inspection"]["p50"] / 2
