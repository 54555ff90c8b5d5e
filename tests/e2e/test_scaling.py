"""Workers come, go and die; every frame is inspected and counted once."""

import signal

import pytest

from sample_streams import truth
from tests.e2e.line import CLIPS, Line

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
NAMES = ("press-1", "press-2", "weld-1", "weld-2")


def frames_of_the_clips() -> int:
    return sum(truth.load(CLIPS / f"{name}.truth.json").n_frames for name in NAMES)


def test_workers_go_from_one_to_three_to_two_with_one_killed_and_every_frame_is_inspected_once(line: Line) -> None:
    line.write([{"id": name, "url": str(CLIPS / f"{name}.mp4"), "mailbox_frames": 1000} for name in NAMES])
    line.start("sink", "sink")
    line.start("worker-1", "work")
    line.start("ingest", "ingest", "--once")
    line.wait_for(lambda: line.inspected() > 30, 60, "inspections of the first worker")
    line.start("worker-2", "work")
    line.start("worker-3", "work")
    line.kill("worker-2")
    assert line.finish("ingest") == 0
    expected = frames_of_the_clips()
    line.wait_for(lambda: line.inspected() == expected, 120, f"{expected} inspected frames")
    report = line.audit()
    assert report["ledger"] == {
        "captured": expected,
        "inspected": expected,
        "shed": 0,
        "quarantined": 0,
        "lost": 0,
        "in_flight": 0,
        "duplicates": 0,
    }
    assert report["balanced"]
    assert line.stop("worker-1") == 0
    assert line.stop("sink") == 0


def test_a_worker_drains_and_commits_at_sigterm(line: Line) -> None:
    """Of JPEGs all is committed. Of video that is passed on, all before the keyframe of the group under way."""
    line.write([{"id": "press-1", "url": str(CLIPS / "press-1.mp4"), "pace": "fast", "encoding": "jpeg"}])
    line.start("worker-1", "work")
    line.start("ingest", "ingest", "--once")
    line.wait_for(lambda: "andon_workers_frames_inspected_total{" in line.metrics("worker-1"), 60, "inspections")
    line.signal("worker-1", signal.SIGTERM)
    assert line.finish("worker-1") == 0
    assert line.finish("ingest") == 0
    line.start("sink", "sink")
    line.start("worker-2", "work")
    expected = truth.load(CLIPS / "press-1.truth.json").n_frames
    line.wait_for(lambda: line.inspected() == expected, 60, f"{expected} inspected frames")
    assert line.audit()["cameras"][0]["redelivered"] == 0
