"""From a camera's video to its inspections: every picture that a model is given is the camera's own, pixel for pixel.

The camera, ingest, the log and the worker are real; the detector says which pixels it was given.
"""

import asyncio
import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from andon.messages import Frame, Inspection
from tests.conftest import kafka_settings
from tests.fingerprints import fingerprint, fingerprint_in
from tests.integration.ingest.line import line_on, log, settings, until
from tests.integration.workers.here import worker_here
from tests.integration.workers.line import Line
from tests.lossy_relay import LossyRelay
from tests.rtsp_camera import Faults, RtspCamera, noise
from tests.smears import Expected, assert_none_smeared, of_streams
from tests.video_units import B_FRAMES_264, B_FRAMES_265, FRAMES, PLAIN_264, PLAIN_265, write_file

pytestmark = pytest.mark.integration
CAMERAS = {"h264": PLAIN_264, "h264-b": B_FRAMES_264, "h265": PLAIN_265, "h265-b": B_FRAMES_265}
LOSS = 0.01
ENOUGH_FRAMES = 200
PASSED = {"encoding": "passthrough", "read_timeout_s": 10.0}


@pytest.fixture
async def line(embedded_broker: str, tmp_path: Path, model_cache: Path) -> Line:
    line = Line(tmp_path, model_cache, kafka_settings(embedded_broker, embedded=True))
    await line.create_topics()
    return line


async def inspected(line: Line, frames: int) -> dict[str, list[Inspection]]:
    """What a worker makes of everything that is in the log, by camera."""
    async with worker_here(line.settings):
        found = await line.inspections_until(lambda items: len(items) >= frames)
    return {camera: [item for item in found if item.camera_id == camera] for camera in {it.camera_id for it in found}}


def plain_decode(path: Path) -> dict[int, str]:
    """The fingerprint of each picture of a file, by its place in the order of decoding."""
    with av.open(str(path)) as container:
        moments = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    with av.open(str(path)) as container:
        shown = [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in container.decode(video=0)]
    return {seq: fingerprint(shown[sorted(moments).index(moment)]) for seq, moment in enumerate(moments)}


@contextmanager
def lossy_cameras() -> Iterator[dict[str, str]]:
    """Their addresses. Of each, 1 % of the packets is lost on the way."""
    with ExitStack() as servers:
        urls, relays = {}, []
        for seed, (name, encoder) in enumerate(CAMERAS.items()):
            server = servers.enter_context(RtspCamera(noise(encoder), Faults(fps=50)))
            relays.append(servers.enter_context(LossyRelay(server.port, LOSS, seed)))
            urls[name] = server.url.replace(str(server.port), str(relays[-1].port))
        yield urls
        assert all(relay.lost for relay in relays)


async def test_packets_lost_before_ingest_let_no_smeared_picture_be_inspected(line: Line) -> None:
    with lossy_cameras() as urls:
        async with line_on(line.kafka) as on:
            cameras = [on.camera(settings(name, url, transport="udp", **PASSED)) for name, url in urls.items()]
            running = [asyncio.ensure_future(camera.run(on.stop)) for camera in cameras]
            await until(lambda: all(camera.captured >= ENOUGH_FRAMES for camera in cameras), 60)
            on.stop.set()
            await asyncio.gather(*running)
    logs = {name: await log(line.kafka, name) for name in CAMERAS}
    frames = {name: [item for item in messages if isinstance(item, Frame)] for name, messages in logs.items()}
    found = await inspected(line, sum(map(len, frames.values())))
    for name, encoder in CAMERAS.items():
        assert any(frame.gap for frame in frames[name])
        assert assert_none_smeared(frames[name], found[name], of_streams(encoder))["unproven"]


def by_number(pictures: Mapping[int, str]) -> Expected:
    return lambda frame: pictures.get(frame.seq)


async def test_a_files_pictures_are_inspected_as_a_plain_decode_gives_them_and_none_is_smeared_where_records_are_lost(
    line: Line, tmp_path: Path
) -> None:
    """Each file's camera has a twin, of whose records the log lacks some."""
    files = {name: write_file(encoder, tmp_path / f"{name}.mp4") for name, encoder in CAMERAS.items()}
    async with line_on(line.kafka) as cameras:
        for name, path in files.items():
            await cameras.camera(settings(name, path, encoding="passthrough", pace="fast")).run(cameras.stop)
    chance, left = random.Random(3), dict[str, list[Frame]]()
    for name in files:
        lost = chance.sample(range(1, FRAMES - 15), 2)
        messages = [item for item in await log(line.kafka, name) if not (isinstance(item, Frame) and item.seq in lost)]
        twin = [item.model_copy(update={"camera_id": f"{name}-lossy"}) for item in messages]
        left[name] = [item for item in twin if isinstance(item, Frame)]
        await line.publish(*twin)
    found = await inspected(line, len(files) * FRAMES + sum(map(len, left.values())))
    for name, path in files.items():
        pictures = plain_decode(path)
        assert len(set(pictures.values())) == FRAMES, "no two pictures are alike"
        assert {item.seq: fingerprint_in(item) for item in found[name]} == pictures
        assert [item.outcome for item in found[name]] == ["inspected"] * FRAMES
        assert assert_none_smeared(left[name], found[f"{name}-lossy"], by_number(pictures))["unproven"]
