"""The frames that a tuning measures on are read back from the pool's topic, on each broker."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from andon import wire
from andon.events import silent
from andon.frame import Frame
from andon.messages import CameraStatus, new_session
from andon.settings import KafkaSettings
from andon.stream.sampling import sample_topic
from tests.integration.workers.line import Line, frame
from workers.tuning.order import SkippedError
from workers.tuning.pictures import topic_frames

pytestmark = pytest.mark.integration
CAMERAS = ("press-1", "press-2", "weld-1")
EACH = 90


def picture(level: int) -> bytes:
    return cv2.imencode(".png", np.full((24, 32, 3), level, np.uint8))[1].tobytes()


def status(camera: str) -> wire.Outgoing:
    now = datetime.now(UTC)
    return wire.encode(CameraStatus(camera_id=camera, session=new_session(now), state="online", at=now))


@pytest.fixture
async def line(broker: KafkaSettings, tmp_path: Path) -> Line:
    line = Line(tmp_path, tmp_path / "cache", broker)
    await line.create_topics()
    return line


def in_a_thread(kafka: KafkaSettings, folder: Path) -> Counter[int]:
    """Reads the frames as a worker's start does. Returns the grey levels of those that calibrate and are held out."""
    frames = topic_frames(kafka, kafka.frames_topic, folder)
    assert not set(frames.calibration) & set(frames.held_out)
    assert frames.source == f"the topic {kafka.frames_topic}"
    early, late = ([_level(path) for path in paths] for paths in (frames.calibration, frames.held_out))
    assert max(early) <= min(late) + EACH // 3, "INT8 is calibrated on earlier frames than it is compared on"
    return Counter(early + late)


def _level(path: Path) -> int:
    return int(cv2.imread(str(path))[0, 0, 0])  # type: ignore[index]  # a picture is there


async def test_frames_are_spread_over_all_of_the_topic_and_its_cameras(line: Line, tmp_path: Path) -> None:
    records: list[Frame | wire.Outgoing] = []
    for seq in range(EACH):
        for camera in CAMERAS:
            records.append(frame(camera, seq, payload=picture(seq), content_type="image/png"))
            records.append(status(camera))
    await line.publish(*records, frame("press-1", EACH, corrupt=True))
    found = await _off_loop(line.kafka, tmp_path / "frames")
    assert 100 <= found.total() <= 165
    assert min(found) < EACH // 10
    assert max(found) > EACH - EACH // 10


async def test_an_empty_topic_and_a_missing_one_give_no_frames(line: Line, tmp_path: Path) -> None:
    assert not await _off_loop_count(line.kafka, tmp_path / "none")
    gone = line.kafka.model_copy(update={"frames_topic": "no.such.topic"})
    with pytest.raises(SkippedError, match=r"the frames of the topic no\.such\.topic can't be read: "):
        await _off_loop_count(gone, tmp_path / "gone")


async def test_of_video_the_keyframes_are_read(line: Line, tmp_path: Path) -> None:
    units = h264(60, keyframes_each=3)
    await line.publish(
        *(
            frame("press-1", seq, payload=unit, content_type="video/h264", keyframe=seq % 3 == 0)
            for seq, unit in enumerate(units)
        )
    )
    folder = tmp_path / "video"
    assert await _off_loop_count(line.kafka, folder) == 20
    levels = sorted(_level(path) for path in folder.iterdir())
    assert np.allclose(levels, [2 * seq + 60 for seq in range(0, 60, 3)], atol=6)


def h264(count: int, keyframes_each: int) -> list[bytes]:
    """Access units in Annex B of pictures that get brighter, each with what a decoder needs to begin there."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = 64, 48, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    encoder.gop_size = keyframes_each
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency"}
    pictures = (np.full((48, 64, 3), 2 * number + 60, np.uint8) for number in range(count))
    packets = [
        packet for each in pictures for packet in encoder.encode(av.VideoFrame.from_ndarray(each, format="bgr24"))
    ]
    return [bytes(packet) for packet in [*packets, *encoder.encode(None)]]


async def test_a_time_limit_ends_the_reading_with_what_was_read(line: Line) -> None:
    await line.publish(*(frame("press-1", seq) for seq in range(3)))
    assert await sample_topic(line.kafka, line.kafka.frames_topic, 10, lambda _: True, silent, 0.0) == []


async def _off_loop(kafka: KafkaSettings, folder: Path) -> Counter[int]:
    return await asyncio.to_thread(in_a_thread, kafka, folder)


async def _off_loop_count(kafka: KafkaSettings, folder: Path) -> int:
    return len(await asyncio.to_thread(topic_frames, kafka, kafka.frames_topic, folder))
