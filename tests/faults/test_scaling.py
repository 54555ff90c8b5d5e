"""Workers that come and go by themselves under a spike leave nothing out, count nothing twice, and alert once."""

import re
import time
from collections import Counter
from collections.abc import Sequence

from andon.messages import CameraStatus, Frame, Message
from tests.faults.conftest import ReportRecovery
from tests.faults.recording import FRAMES, Recording, account_of, step_of
from tests.faults.rig import Rig

LINES = 4
"""Copies of the two cameras: eight cameras fill every partition."""
MOST = 4
SETTLED_S = 120.0


def crowd(frames: Sequence[Frame]) -> list[Message]:
    """The frames of eight cameras, all at once."""
    messages = account_of(frames, "spike")
    return [
        message.model_copy(update={"camera_id": f"{message.camera_id}-{number}"})
        for message in messages
        if isinstance(message, Frame | CameraStatus)
        for number in range(LINES)
    ]


def scaled(rig: Rig) -> list[tuple[int, int]]:
    """Each change of the number of workers: before, after."""
    found = re.findall(r"event=pool\.scaled .*?before=(\d+) workers=(\d+)", rig.whole_log("up"))
    return [(int(before), int(after)) for before, after in found]


def test_workers_between_1_and_4_follow_a_spike_up_and_down_again(
    rig: Rig, recording: Recording, report_recovery: ReportRecovery
) -> None:
    quickly = {"lag_threshold": 20, "poll_s": 1.0, "down_window_s": 5.0}
    rig.document["pools"]["default"]["scaling"] = quickly
    rig.play({"away": "rtsp://127.0.0.1:9/"})  # frames come from the feed alone
    rig.start("up", "up", "--workers", f"1..{MOST}", ready=False)
    rig.wait_for(lambda: "event=process.ready role=ingest" in rig.whole_log("up"), 90, "the line to be up")
    since = time.monotonic()
    rig.feed(crowd(recording.frames), None)
    frames = 2 * FRAMES * LINES
    rig.wait_for(lambda: any(after == MOST for _, after in scaled(rig)), 60, f"{MOST} workers")
    report_recovery(time.monotonic() - since, f"{MOST} workers have been asked for")
    rig.wait_inspected(frames, SETTLED_S)
    report_recovery(time.monotonic() - since, f"all {frames} frames are inspected")
    rig.wait_for(lambda: scaled(rig)[-1][1] == 1, SETTLED_S, "a single worker again")
    rig.settle()
    ledger = rig.audit()["ledger"]
    assert (ledger["captured"], ledger["inspected"]) == (frames, frames)
    assert (ledger["lost"], ledger["duplicates"], ledger["shed"], ledger["quarantined"]) == (0, 0, 0, 0)
    raised = Counter(step_of(event) for event in rig.alerts())
    expected = {(f"{camera}-{number}", *rest) for camera, *rest in recording.steps for number in range(LINES)}
    assert raised == Counter(expected)
    assert rig.stop("up") == 0
