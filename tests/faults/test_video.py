"""Cameras whose own video is decoded by workers: whoever takes over goes on from the keyframe, and loses no frame."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from andon.messages import CameraStatus, Frame, Message
from tests.faults.conftest import ReportRecovery
from tests.faults.rig import Rig
from tests.video_units import B_FRAMES_264, HEIGHT, OPEN_265, WIDTH, Encoder, stream
from tests.video_units import FRAMES as UNITS

ROUNDS = 5
"""Each camera's units, again and again: 250 frames."""
RATE = 60.0
CAMERAS = {"press-1": B_FRAMES_264, "weld-1": OPEN_265}


def account(cameras: dict[str, Encoder]) -> list[Message]:
    """Everything that ingest says of these cameras, in the order of their numbers."""
    began = datetime.now(UTC)
    frames = [
        frame_of(camera, encoder, number, began)
        for number in range(ROUNDS * UNITS)
        for camera, encoder in cameras.items()
    ]
    ends = [
        CameraStatus(
            camera_id=camera,
            session="s1",
            state="stopped",
            captured=ROUNDS * UNITS,
            final=True,
            at=began + timedelta(seconds=60),
        )
        for camera in cameras
    ]
    return [*frames, *ends]


def frame_of(camera: str, encoder: Encoder, number: int, began: datetime) -> Frame:
    of, unit = stream(encoder), number % UNITS
    at_s = (number - unit + of.order[unit]) / 25
    return Frame(
        camera_id=camera,
        session="s1",
        seq=number,
        captured_at=began + timedelta(seconds=at_s),
        clock="camera",
        media_time_s=at_s,
        width=WIDTH,
        height=HEIGHT,
        content_type=of.content_type,
        payload=of.units[unit],
        keyframe=unit == 0,
    )


@pytest.mark.parametrize("encoding", ["auto"], indirect=True)
@pytest.mark.parametrize("seed", [11, 12])
def test_a_worker_killed_in_the_middle_of_a_group_loses_and_spoils_no_frame(
    rig: Rig, report_recovery: ReportRecovery, seed: int
) -> None:
    rig.write()
    rig.start("sink", "sink")
    rig.start("worker-1", "work")
    rig.start("worker-2", "work")
    rig.feed(account(CAMERAS), RATE)
    rig.wait_inspected(random.Random(seed).randint(60, 240))
    rig.kill("worker-1")
    report_recovery(rig.wait_inspected(len(CAMERAS) * ROUNDS * UNITS), "every frame inspected by the other worker")
    rig.settle()
    report = rig.audit()
    assert report["ledger"]["inspected"] == report["ledger"]["captured"] == len(CAMERAS) * ROUNDS * UNITS
    assert report["ledger"]["lost"] == 0
    assert all(camera["conflicts"] == 0 for camera in report["cameras"])
