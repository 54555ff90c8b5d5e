"""Cameras are added, changed, disabled and removed while a whole line runs; the others notice nothing of it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.line import read_store
from tests.faults.conftest import ReportRecovery
from tests.faults.rig import Rig
from tests.videos import RtspServer


@pytest.fixture
def cameras(videos: dict[str, Path]) -> Iterator[RtspServer]:
    with RtspServer(next(iter(videos.values())).parent) as server:
        yield server


class Runtime:
    """A line with the cameras of line.yaml, and one more that comes and goes."""

    def __init__(self, rig: Rig, url: str) -> None:
        self.rig = rig
        self.url = url
        self.others = {camera for camera, _ in rig.sessions()}

    def camera(self, *arguments: str) -> None:
        self.rig.run("camera", *arguments)

    def inspected(self) -> int:
        tally = self.rig.account().cameras.get("late")
        return 0 if tally is None else tally.inspected

    def sessions(self) -> list[str]:
        return [session for camera, session in self.rig.sessions() if camera == "late"]

    def final(self, session: str) -> bool:
        return read_store(self.rig.folder / "andon.db").ledgers["late", session].ended == "final"

    def sessions_of_others(self) -> set[tuple[str, str]]:
        return {(camera, session) for camera, session in self.rig.sessions() if camera in self.others}


@pytest.fixture
def runtime(rig: Rig, cameras: RtspServer, videos: dict[str, Path]) -> Runtime:
    rig.play({name: cameras.url(path.name) for name, path in videos.items()})
    rig.start("sink", "sink")
    rig.start("worker", "work")
    rig.start("ingest", "ingest")
    rig.wait_inspected(60)
    return Runtime(rig, cameras.url(next(iter(videos.values())).name))


def test_a_camera_comes_changes_and_goes_while_the_others_go_on(
    runtime: Runtime, report_recovery: ReportRecovery
) -> None:
    rig, before = runtime.rig, runtime.sessions_of_others()

    since = time.monotonic()
    values = ("longest_side=320", "mailbox_frames=1000", f"encoding={rig.encoding}")
    runtime.camera("add", runtime.url, "--id", "late", *(word for value in values for word in ("--set", value)))
    added_s = time.monotonic() - since
    rig.wait_for(lambda: runtime.inspected() > 0, 60, "the first inspection")
    report_recovery(
        time.monotonic() - since, f"first inspection of a camera that is added, {added_s:.1f} s for the command"
    )

    since = time.monotonic()
    runtime.camera("set", "late", "fps=5")
    rig.wait_for(lambda: len(runtime.sessions()) == 2, 60, "a new session")
    report_recovery(time.monotonic() - since, "first frame of a camera that is changed")
    rig.wait_for(lambda: runtime.final(runtime.sessions()[0]), 60, "the end of the session before")

    runtime.camera("disable", "late")
    rig.wait_for(lambda: runtime.final(runtime.sessions()[1]), 60, "the end of the disabled camera's session")
    rig.wait_for(lambda: rig.live("late")["state"] == "stopped", 60, "the state of the disabled camera")
    runtime.camera("enable", "late")
    rig.wait_for(lambda: len(runtime.sessions()) == 3, 60, "a session after it is enabled")

    since = time.monotonic()
    runtime.camera("remove", "late")
    rig.wait_for(lambda: runtime.final(runtime.sessions()[2]), 60, "the end of the removed camera's session")
    report_recovery(time.monotonic() - since, "final status of a camera that is removed")

    assert runtime.sessions_of_others() == before
    assert rig.stop("ingest") == 0
    rig.settle()
    report = rig.audit()
    assert report["balanced"]
    assert (report["ledger"]["lost"], report["ledger"]["shed"], report["ledger"]["duplicates"]) == (0, 0, 0)
    assert "late" in {camera["camera"] for camera in report["cameras"]}
