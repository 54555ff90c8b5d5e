"""`andon demo`, as a newcomer runs it."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import httpx
import pytest

from sample_streams import clips

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Run:
    first_line: str
    board: str
    """The board's first page, as it was while the line ran."""
    report: dict[str, Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-u", "-m", "andon", "demo", "--seconds", "20", "--json", "out.json"]
    with (folder / "out.txt").open("w+") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        try:
            page = _first_page(process, folder / "out.txt")
            code = process.wait(timeout=280)
        finally:
            process.kill()
            process.wait()
    lines = (folder / "out.txt").read_text().splitlines()
    assert code == 0, lines
    return Run(lines[0], page, json.loads((folder / "out.json").read_text()))


def _first_page(process: "subprocess.Popen[bytes]", output: Path) -> str:
    """The board's first page once it shows every camera, or else what it shows at the end of the run."""
    page = ""
    while process.poll() is None and not all(name in page for name in clips.CLIPS):
        address = output.read_text().partition("The board: ")[2].partition("\n")[0]
        if address:
            try:
                page = httpx.get(address, timeout=10).text
            except httpx.TransportError:
                pass  # it is not up yet, or just over
        time.sleep(0.5)
    return page


@pytest.fixture(scope="module")
def result(run: Run) -> dict[str, Any]:
    return run.report


def test_the_board_is_named_first_and_shows_every_camera(run: Run) -> None:
    assert run.first_line.startswith("The board: http://127.0.0.1:")
    assert [name for name in clips.CLIPS if name not in run.board] == []


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


def test_defects_have_clips_that_can_be_played(result: dict[str, Any]) -> None:
    """Not all of them: a clip is stored 3 s after its defect, and the line has stopped."""
    evidence = Path(result["evidence"][0]).parents[2]
    clips = [clip for clip in evidence.rglob("*.mp4") if not clip.name.endswith(".part.mp4")]
    assert len(clips) >= result["defects"]["found"] / 2
    for clip in clips[:4]:
        assert clip.with_suffix(".jpg").is_file()
        with av.open(str(clip), "r") as container:
            shown = [picture.time or 0 for picture in container.decode(video=0)]
        assert 1 < max(shown) < 10, "seconds"
        assert len(shown) > 20, "15 a second"


def test_latencies_are_ordered_percentiles_of_what_was_measured(result: dict[str, Any]) -> None:
    for kind in ("inspection", "alert"):
        values = result["latency_ms"][kind]
        assert 0 < values["p50"] <= values["p95"] <= values["p99"]
    assert result["latency_ms"]["alert"]["p50"] > result["latency_ms"]["inspection"]["p50"] / 2
