"""Cameras go away under a whole line: the account holds what they delivered, and reports what they did not."""

import time
from pathlib import Path

from tests.faults.conftest import ReportRecovery
from tests.faults.rig import Rig
from tests.videos import RtspServer

AWAY_S = 4.0
"""Longer than `sinks.silence_s`."""


def test_rtsp_cameras_that_die_and_come_back(
    rig: Rig, videos: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    with RtspServer(next(iter(videos.values())).parent) as cameras:
        rtsp = {name: cameras.url(path.name) for name, path in videos.items()}
        rig.play(rtsp, read_timeout_s=2.0, reconnect_max_s=1.0)
        rig.start("sink", "sink")
        rig.start("worker", "work")
        rig.start("ingest", "ingest")
        rig.wait_inspected(60)
        before = set(rig.sessions())
        cameras.kill()
        time.sleep(AWAY_S)
        since = time.monotonic()
        cameras.start()
        rig.wait_for(lambda: len(rig.sessions()) >= len(before) + len(videos), 60, "new sessions")
        report_recovery(time.monotonic() - since, "new sessions of every camera, the cameras' own start included")
        renewed = {session for camera, session in rig.sessions() if (camera, session) not in before}
        rig.wait_for(lambda: bool(rig.steps(renewed)), 60, "alerts of what the cameras show again")
        assert rig.stop("ingest") == 0
    rig.settle()
    report = rig.audit()
    ledger = report["ledger"]
    assert report["balanced"]
    assert (ledger["lost"], ledger["shed"], ledger["duplicates"]) == (0, 0, 0)
    assert ledger["captured"] == ledger["inspected"] + ledger["quarantined"]  # a picture that was cut off
    assert {span["camera"] for span in report["spans"] if span["seconds"] >= AWAY_S - 1} == set(videos)
    assert len(rig.alert_ids()) == len(set(rig.alert_ids()))
