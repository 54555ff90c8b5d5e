"""The host's clock is set back by an hour under a running line, and stays there."""

from pathlib import Path

import pytest

from tests.faults.recording import FRAMES, Recording
from tests.faults.rig import SETTLE_S, Rig

_SHIFTED = """
import datetime, os, pathlib
import andon.clock

place = pathlib.Path(os.environ["FAULTS_CLOCK"])
now = andon.clock.SystemClock.now
andon.clock.SystemClock.now = lambda self: now(self) + datetime.timedelta(seconds=float(place.read_text()))
"""
"""Every process of the line imports this first. The monotonic clock, as a host's, is not shifted."""


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What this file says, in seconds, the line's clock is ahead."""
    place = tmp_path / "clock" / "ahead_s"
    place.parent.mkdir()
    place.write_text("0")
    (place.parent / "sitecustomize.py").write_text(_SHIFTED)
    monkeypatch.setenv("PYTHONPATH", str(place.parent))
    monkeypatch.setenv("FAULTS_CLOCK", str(place))
    return place


def test_a_clock_set_back_by_an_hour_changes_neither_account_nor_events(
    rig: Rig, clock: Path, recording: Recording, videos: dict[str, Path]
) -> None:
    rig.play(videos)
    rig.start("sink", "sink")
    rig.start("worker", "work")
    rig.start("ingest-1", "ingest", "--once")
    rig.wait_inspected(100)
    set_back = clock.with_suffix(".new")
    set_back.write_text("-3600")
    set_back.rename(clock)  # it is read all the time
    assert rig.finish("ingest-1") == 0
    rig.start("ingest-2", "ingest", "--once")
    assert rig.finish("ingest-2") == 0
    rig.wait_inspected(4 * FRAMES)
    rig.settle()
    rig.wait_for(lambda: len(rig.alert_ids()) == 2 * len(recording.steps), SETTLE_S, "every event of both sessions")
    rig.expect(recording, captured=4 * FRAMES, inspected=4 * FRAMES)
    earlier = {session for _, session in rig.sessions()[::2]}
    assert rig.steps(earlier) == recording.steps, "the second sessions' names sort before the first ones'"
