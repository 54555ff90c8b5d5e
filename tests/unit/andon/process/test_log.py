import json

import pytest

from andon.events import AlertSent, CameraChanged, FramesShed, RecordsDone
from andon.process.log import EventLog
from tests.fakes import FakeClock


def test_a_line_is_the_events_name_with_keys_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    EventLog("info", "logfmt", "ingest", FakeClock())(FramesShed("press-3", "stale", 12))
    line = capsys.readouterr().err
    assert "event=frame.shed role=ingest" in line
    assert "camera=press-3 reason=stale count=12" in line


def test_what_repeats_is_summed_up_once_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    log = EventLog("info", "json", "ingest", clock)
    for _ in range(50):
        log(FramesShed("press-3", "stale", 1))
    log(FramesShed("press-4", "stale", 1))
    clock.advance(1.0)
    log(FramesShed("press-3", "stale", 1))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["camera"], line.get("repeated")) for line in lines] == [
        ("press-3", None),
        ("press-4", None),
        ("press-3", 49),
    ]


def test_every_alert_and_every_change_of_a_camera_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    log = EventLog("info", "json", "sink", FakeClock())
    for number in range(3):
        log(AlertSent("redis", f"e{number}", 0.1))
        log(CameraChanged("c", "offline", "s", "no answer"))
    assert len(capsys.readouterr().err.splitlines()) == 6


def test_what_is_below_the_level_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    EventLog("info", "logfmt", "worker", FakeClock())(RecordsDone("workers", 1))
    assert capsys.readouterr().err == ""
