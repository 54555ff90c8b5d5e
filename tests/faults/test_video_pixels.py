"""Whatever is lost of a camera's video, a model is given no picture that the camera did not take.

Real Kafka, real workers as processes; their detector says which pixels it was given (`tests/fingerprints.py`).
"""

import asyncio
import random
import signal
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from andon.messages import CameraStatus, Frame, Inspection, Message
from andon.settings import KafkaSettings
from tests.faults.rig import Feed
from tests.faults.test_video import frame_of
from tests.integration.ingest.line import Ingester, log
from tests.integration.workers.line import Line
from tests.lossy_relay import LossyRelay
from tests.rtsp_camera import Faults, RtspCamera, noise
from tests.smears import assert_none_smeared, of_streams
from tests.video_units import (
    B_FRAMES_264,
    B_FRAMES_265,
    FRAMES,
    GROUP,
    OPEN_265,
    PLAIN_264,
    STREAMS,
    X264,
    Encoder,
)

WORKER = ("tests.fingerprints",)
WITHIN_S = 120.0
ROUNDS = 4
RATE = 150.0
LOSS = 0.01


@pytest.fixture
async def line(kafka: KafkaSettings, tmp_path: Path, models: Path) -> Line:
    line = Line(tmp_path, models, kafka, max_decoders=200)
    await line.create_topics()
    return line


def beside(line: Line, name: str) -> Line:
    """Another worker of the same pool, with a folder of its own."""
    folder = line.folder / name
    folder.mkdir()
    return Line(folder, Path(line.model["cache"]), line.kafka, max_decoders=200)


def session(camera: str, encoder: Encoder, numbers: Collection[int]) -> list[Message]:
    """A camera's whole session, of which these frames are in the log."""
    began = datetime.now(UTC)
    frames: list[Message] = [frame_of(camera, encoder, number, began) for number in numbers]
    at, captured = began + timedelta(seconds=60), max(numbers) + 1
    last = CameraStatus(camera_id=camera, session="s1", state="stopped", captured=captured, final=True, at=at)
    return [*frames, last]


def frames_in(messages: Sequence[Message]) -> list[Frame]:
    return [item for item in messages if isinstance(item, Frame)]


async def inspected(line: Line, sessions: Mapping[str, Sequence[Message]]) -> dict[str, list[Inspection]]:
    """What a worker makes of these sessions, by camera."""
    await line.publish(*(message for messages in sessions.values() for message in messages))
    wanted = sum(len(frames_in(messages)) for messages in sessions.values())
    async with line.worker(*WORKER):
        found = await line.inspections_until(lambda items: len(items) >= wanted, WITHIN_S)
    return {camera: [item for item in found if item.camera_id == camera] for camera in sessions}


def proven(inspections: Sequence[Inspection]) -> set[int]:
    return {item.seq for item in inspections if item.outcome == "inspected"}


@pytest.mark.parametrize("seed", [21, 22])
async def test_a_worker_killed_in_the_middle_of_a_group_gives_no_smeared_picture_and_loses_none(
    line: Line, seed: int
) -> None:
    sessions = {name: session(name, encoder, range(ROUNDS * FRAMES)) for name, encoder in STREAMS.items()}
    in_turn = sorted((item for of in sessions.values() for item in frames_in(of)), key=lambda frame: frame.seq)
    everything = {frame.frame_id for frame in in_turn}
    feed = Feed(line.kafka, [*in_turn, *(of[-1] for of in sessions.values())], RATE)
    before = random.Random(seed).randint(100, 600)
    async with line.worker(*WORKER) as victim, beside(line, "survivor").worker(*WORKER):
        await line.inspections(before, WITHIN_S)
        await victim.stop(signal.SIGKILL)
        found = await line.inspections_until(
            lambda items: everything <= {item.frame_id for item in items if item.outcome == "inspected"}, WITHIN_S
        )
    await asyncio.to_thread(feed.wait)
    assert_none_smeared(in_turn, found, of_streams(*STREAMS.values()))


async def test_records_lost_from_the_log_give_no_smeared_picture(line: Line) -> None:
    """Of each stream 1 % of the records, and a keyframe."""
    chance, sessions = random.Random(7), dict[str, list[Message]]()
    for name, encoder in STREAMS.items():
        numbers = range(2 * FRAMES)
        kept = [number for number in numbers if chance.random() >= LOSS and number != FRAMES]
        sessions[name] = session(name, encoder, [*kept[:-1], numbers[-1]])
    found = await inspected(line, sessions)
    for name, encoder in STREAMS.items():
        assert assert_none_smeared(frames_in(sessions[name]), found[name], of_streams(encoder))["unproven"]


@pytest.mark.parametrize("encoder", [PLAIN_264, B_FRAMES_264, OPEN_265], ids=["h264", "h264-b", "h265-open"])
async def test_a_stream_that_is_joined_at_each_of_50_offsets_gives_no_smeared_picture(
    line: Line, encoder: Encoder
) -> None:
    cameras = {offset: f"cam-{offset}" for offset in range(FRAMES)}
    until_number = {offset: offset + 2 * GROUP + 2 for offset in cameras}
    sessions = {
        camera: session(camera, encoder, range(offset, until_number[offset])) for offset, camera in cameras.items()
    }
    found = await inspected(line, sessions)
    for offset, camera in cameras.items():
        assert_none_smeared(frames_in(sessions[camera]), found[camera], of_streams(encoder))
        assert set(range(offset + 2 * GROUP, until_number[offset])) <= proven(found[camera])


async def test_parameter_sets_that_change_give_no_smeared_picture_even_if_their_keyframe_is_lost(line: Line) -> None:
    other = Encoder(X264, f"{PLAIN_264.options}:cabac=0")
    began = datetime.now(UTC)
    frames = [
        frame_of("cam", PLAIN_264 if number // FRAMES % 2 == 0 else other, number, began)
        for number in range(ROUNDS * FRAMES)
        if number not in (FRAMES, 3 * FRAMES)
    ]
    at = began + timedelta(seconds=60)
    last = CameraStatus(camera_id="cam", session="s1", state="stopped", captured=ROUNDS * FRAMES, final=True, at=at)
    found = (await inspected(line, {"cam": [*frames, last]}))["cam"]
    unproven = {*range(FRAMES + 1, FRAMES + GROUP), *range(3 * FRAMES + 1, 3 * FRAMES + GROUP)}
    assert {item.seq for item in found if item.reason == "unproven"} == unproven
    assert_none_smeared(frames, found, of_streams(PLAIN_264, other))


@contextmanager
def lossy_cameras(encoders: Mapping[str, Encoder], fps: float) -> Iterator[dict[str, str]]:
    """Their addresses: of each, 1 % of the packets is lost on the way."""
    with ExitStack() as servers:
        urls = {}
        for seed, (name, encoder) in enumerate(encoders.items()):
            server = servers.enter_context(RtspCamera(noise(encoder), Faults(fps=fps)))
            relay = servers.enter_context(LossyRelay(server.port, LOSS, seed))
            urls[name] = server.url.replace(str(server.port), str(relay.port))
        yield urls


async def test_lost_packets_and_a_killed_worker_at_the_same_time_give_no_smeared_picture(line: Line) -> None:
    encoders = {"h264": PLAIN_264, "h264-b": B_FRAMES_264, "h265-b": B_FRAMES_265, "h265-open": OPEN_265}
    folder = line.folder / "ingest"
    folder.mkdir()
    with lossy_cameras(encoders, fps=50) as urls:
        cameras = [
            {"id": name, "url": url, "encoding": "passthrough", "transport": "udp"} for name, url in urls.items()
        ]
        async with beside(line, "survivor").worker(*WORKER):
            with Ingester(folder, line.kafka, *cameras, alone=True) as ingester:
                async with line.worker(*WORKER) as victim:
                    await line.inspections(400, WITHIN_S)
                    await victim.stop(signal.SIGKILL)
                await line.inspections(1600, WITHIN_S)
                ingester.process.terminate()
                assert await ingester.ended() == 0
            frames = {name: frames_in(await log(line.kafka, name)) for name in encoders}
            everything = {frame.frame_id for of in frames.values() for frame in of}
            found = await line.inspections_until(
                lambda items: everything <= {item.frame_id for item in items}, WITHIN_S
            )
    for name, encoder in encoders.items():
        of_camera = [item for item in found if item.camera_id == name]
        assert assert_none_smeared(frames[name], of_camera, of_streams(encoder))["unproven"]
