"""Hosts whose clocks are wrong, or are set under a running line."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.recording import CAMERAS, FRAMES, Recording
from tests.faults.rig import SETTLE_S, Rig

_SHIFTED = """
import datetime, os, pathlib
import andon.clock

place = pathlib.Path(os.environ["FAULTS_CLOCK"])
now = andon.clock.SystemClock.now
andon.clock.SystemClock.now = lambda self: now(self) + datetime.timedelta(seconds=float(place.read_text()))
"""
"""Every process of the line imports this first. The monotonic clock, as a host's, is not shifted."""
HOUR_S = 3600.0
YEAR_S = 365.25 * 24 * HOUR_S
TO_1970_S = -(datetime.now(UTC) - datetime(1970, 1, 2, tzinfo=UTC)).total_seconds()
TO_2036_S = (datetime(2036, 2, 7, tzinfo=UTC) - datetime.now(UTC)).total_seconds()


class Clocks:
    """The clocks of the line's hosts, one for each role."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(_SHIFTED)
        monkeypatch.setenv("PYTHONPATH", str(folder))

    def start(self, rig: Rig, name: str, ahead_s: float, *command: str) -> None:
        """Start a role on a host whose clock is ahead by this."""
        self.set(name, ahead_s)
        self._monkeypatch.setenv("FAULTS_CLOCK", str(self._folder / name))
        rig.start(name, *command)

    def set(self, name: str, ahead_s: float) -> None:
        new = self._folder / f"{name}.new"
        new.write_text(str(ahead_s))
        new.rename(self._folder / name)  # it is read all the time


@pytest.fixture
def clocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(tmp_path / "clock", monkeypatch)


OFF: Mapping[str, tuple[float, float, float]] = {
    "ingest in 1970, the worker a minute ahead, the sink an hour ahead": (TO_1970_S, 60.0, HOUR_S),
    "ingest in 2036, the worker a minute behind, the sink in 1970": (TO_2036_S, -60.0, TO_1970_S),
    "ingest ten seconds behind, the worker in 2036, the sink in 2036": (-10.0, TO_2036_S, TO_2036_S),
}


@pytest.mark.parametrize("ahead_s", OFF.values(), ids=OFF)
def test_hosts_whose_clocks_are_wrong_shed_nothing_lose_nothing_and_say_so(
    rig: Rig, clocks: Clocks, recording: Recording, videos: dict[str, Path], ahead_s: tuple[float, float, float]
) -> None:
    begun = datetime.now(UTC)
    _play_freshest(rig, videos)
    for name, command, offset_s in zip(("worker", "sink"), ("work", "sink"), ahead_s[1:], strict=True):
        clocks.start(rig, name, offset_s, command)
    clocks.start(rig, "ingest", ahead_s[0], "ingest", "--once")
    rig.wait_inspected(50)
    for name in ("worker", "sink"):
        rig.wait_for(lambda name=name: "clock.skew" in rig.whole_log(name), SETTLE_S, f"{name} to report it")  # type: ignore[misc]
        assert 'andon_clock_offset_seconds{peer="broker ' in rig.metrics(name)
    assert rig.finish("ingest") == 0
    assert rig.whole_log("ingest").count("clock.skew") == 1
    rig.wait_inspected(2 * FRAMES)
    rig.settle()
    rig.wait_for(lambda: len(rig.alert_ids()) == len(recording.steps), SETTLE_S, "every event")
    rig.expect(recording, captured=2 * FRAMES, inspected=2 * FRAMES)
    _expect_no_gap(rig)
    assert all(begun - SECOND < event.at < datetime.now(UTC) + SECOND for event in rig.alerts())
    assert "outbox.given_up" not in rig.whole_log("sink")


def test_clocks_that_are_set_under_a_running_line_make_no_gap(
    rig: Rig, clocks: Clocks, recording: Recording, videos: dict[str, Path]
) -> None:
    _play_freshest(rig, videos)
    clocks.start(rig, "sink", 0.0, "sink")
    clocks.start(rig, "worker", 0.0, "work")
    clocks.start(rig, "ingest", 0.0, "ingest", "--once")
    steps = [("ingest", HOUR_S), ("worker", -2 * HOUR_S), ("ingest", -HOUR_S), ("sink", 10 * YEAR_S), ("worker", 60.0)]
    for number, (name, ahead_s) in enumerate(steps, 1):
        rig.wait_inspected(number * 40)
        clocks.set(name, ahead_s)
    assert rig.finish("ingest") == 0
    rig.wait_inspected(2 * FRAMES)
    rig.settle()
    rig.wait_for(lambda: len(rig.alert_ids()) == len(recording.steps), SETTLE_S, "every event")
    rig.expect(recording, captured=2 * FRAMES, inspected=2 * FRAMES)
    _expect_no_gap(rig)
    for name in ("ingest", "worker", "sink"):
        assert "clock.stepped" in rig.whole_log(name)


def test_a_clock_set_back_by_an_hour_changes_neither_account_nor_events(
    rig: Rig, clocks: Clocks, recording: Recording, videos: dict[str, Path]
) -> None:
    rig.play(videos)
    for name, command in (("sink", "sink"), ("worker", "work")):
        clocks.start(rig, name, 0.0, command)
    clocks.start(rig, "ingest-1", 0.0, "ingest", "--once")
    rig.wait_inspected(100)
    for name in ("sink", "worker", "ingest-1"):
        clocks.set(name, -HOUR_S)
    assert rig.finish("ingest-1") == 0
    clocks.start(rig, "ingest-2", -HOUR_S, "ingest", "--once")
    assert rig.finish("ingest-2") == 0
    rig.wait_inspected(4 * FRAMES)
    rig.settle()
    rig.wait_for(lambda: len(rig.alert_ids()) == 2 * len(recording.steps), SETTLE_S, "every event of both sessions")
    rig.expect(recording, captured=4 * FRAMES, inspected=4 * FRAMES)
    earlier = {session for _, session in rig.sessions()[::2]}
    assert rig.steps(earlier) == recording.steps


SECOND = timedelta(seconds=1)


def _play_freshest(rig: Rig, videos: Mapping[str, Path]) -> None:
    """No clock here is off by less than the age at which a frame is stale; a busy machine is no slower than that."""
    rig.document["sinks"]["channels"] = {"redis": {"type": "redis", "max_age_s": 50}}
    rig.play(videos, policy="freshest", max_age_s=9)


def _expect_no_gap(rig: Rig) -> None:
    """No camera was silent, except since its file has ended."""
    spans = rig.audit()["spans"]
    assert {span["camera"] for span in spans} <= set(CAMERAS)
    assert [span for span in spans if span["to"] is not None or "end of the file" not in span["reason"]] == [
        span for span in spans if span["reason"] == "stopped"
    ]
