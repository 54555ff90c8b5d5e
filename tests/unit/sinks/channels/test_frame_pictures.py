"""Frames of video read back: the very pictures that a plain decode of the stream gives, whatever else is read."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from andon.errors import PoisonError
from andon.messages import Frame, RecordRef
from sinks.channels.channel import SinkBusy
from sinks.channels.frame_pictures import FramePicture, FramePictures
from sinks.channels.log import Log
from sinks.channels.storing import StoringThread
from tests.unit.sinks.channels.test_clips import HERE, PICTURE, MemoryFrames, a_frame, in_one
from tests.video_units import B_FRAMES_264, B_FRAMES_265, GROUP, PLAIN_264, PLAIN_265, Encoder, Stream, stream

ENCODERS = {"h264": PLAIN_264, "h264-b": B_FRAMES_264, "h265": PLAIN_265, "h265-b": B_FRAMES_265}


def video(camera: Stream, **changes: Any) -> list[Frame]:
    """The stream's frames; each group begins with a keyframe."""
    return [
        a_frame(number, payload=unit, content_type=camera.content_type, keyframe=number % GROUP == 0, **changes)
        for number, unit in enumerate(camera.units)
    ]


def ref(offset: int) -> RecordRef:
    return RecordRef(topic=HERE.topic, partition=HERE.partition, offset=offset)


@contextmanager
def pictures_of(log: MemoryFrames, open_groups: int = 2) -> Iterator[FramePictures]:
    thread = StoringThread("test")
    try:
        yield FramePictures(Log(log, log), thread, open_groups)
    finally:
        thread.close()


async def read(pictures: FramePictures, frames: list[Frame], number: int) -> FramePicture | None:
    return await pictures.of(frames[number].frame_id, ref(number), ref(number - number % GROUP))


async def read_when_free(pictures: FramePictures, frames: list[Frame], number: int) -> FramePicture | None:
    """The thread ends what it was doing for a reading that was given up."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await read(pictures, frames, number)
            except SinkBusy:
                await asyncio.sleep(0.01)


def bgr(picture: FramePicture | None) -> object:
    assert picture is not None
    return np.asarray(picture.image())[..., ::-1]


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)
async def test_each_frame_is_the_picture_of_a_plain_decode_in_whatever_order_they_are_read(encoder: Encoder) -> None:
    camera = stream(encoder)
    frames = video(camera)
    with pictures_of(MemoryFrames(frames)) as pictures:
        for number in (13, 15, 14, 15, 19, 10, 3, 28, 41, 12):
            np.testing.assert_array_equal(bgr(await read(pictures, frames, number)), camera.pictures[number])


async def test_a_group_stays_open_so_that_its_next_frame_costs_the_ones_in_between() -> None:
    frames = video(stream(PLAIN_264))
    log = MemoryFrames(frames)
    with pictures_of(log, open_groups=2) as pictures:
        for number in (13, 24, 16, 26):
            await read(pictures, frames, number)
        assert log.read_offsets == [*range(10, 14), *range(20, 25), *range(14, 17), *range(25, 27)]
        await read(pictures, frames, 30)  # a third one: the group that was used longest ago is closed
        log.read_offsets.clear()
        await read(pictures, frames, 18)
        assert log.read_offsets == [*range(10, 19)]


async def test_a_reading_that_is_given_up_spoils_none_that_follows() -> None:
    camera = stream(PLAIN_264)
    frames = video(camera)
    with pictures_of(MemoryFrames(frames)) as pictures:
        await read(pictures, frames, 12)
        given_up = asyncio.create_task(read(pictures, frames, 16))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait({given_up})
        np.testing.assert_array_equal(bgr(await read_when_free(pictures, frames, 18)), camera.pictures[18])


@pytest.mark.parametrize("first", [1, 12, 14])
async def test_a_frame_whose_keyframe_or_self_is_gone_is_none(first: int) -> None:
    frames = video(stream(PLAIN_264))
    with pictures_of(MemoryFrames(frames, first=first)) as pictures:
        assert await read(pictures, frames, min(first, 13)) is None


async def test_another_frame_at_the_same_offset_is_none() -> None:
    frames = video(stream(PLAIN_264))
    with pictures_of(MemoryFrames(frames)) as pictures:
        assert await pictures.of(frames[40].frame_id, ref(13), ref(10)) is None
        assert await pictures.of(frames[40].frame_id, ref(13)) is None


async def test_a_unit_that_the_decoder_refuses_is_poison_and_later_frames_are_read() -> None:
    camera = stream(PLAIN_264)
    frames = video(camera)
    frames[12] = frames[12].model_copy(update={"payload": camera.units[12][: len(camera.units[12]) // 2]})
    with pictures_of(MemoryFrames(frames)) as pictures:
        with pytest.raises(PoisonError):
            await read(pictures, frames, 12)
        np.testing.assert_array_equal(bgr(await read(pictures, frames, 25)), camera.pictures[25])


async def test_units_that_are_no_frames_are_decoded_for_the_frame_behind_them() -> None:
    """As of a camera with a lower rate: each record has three units, and the last one is the frame."""
    camera = stream(PLAIN_264)
    frames = []
    for number in range(10):
        frames.append(a_frame(number, **in_one(camera.units[3 * number : 3 * number + 3]), keyframe=number == 0))
    with pictures_of(MemoryFrames(frames)) as pictures:
        picture = await pictures.of(frames[4].frame_id, ref(4), ref(0))
    np.testing.assert_array_equal(bgr(picture), camera.pictures[14])


async def test_the_picture_is_turned_cropped_and_shrunk_as_the_worker_does() -> None:
    camera = stream(PLAIN_264)
    frames = video(camera, roi=(10, 20, 100, 120), longest_side=60, turn=6, width=50, height=60)
    with pictures_of(MemoryFrames(frames)) as pictures:
        shown = bgr(await read(pictures, frames, 13))
    upright = np.rot90(camera.pictures[13], -1)[20:140, 10:110].astype(float)
    shrunk = upright.reshape(60, 2, 50, 2, 3).mean((1, 3))
    np.testing.assert_allclose(np.asarray(shown, float), shrunk, atol=1)


async def test_encoded_for_a_browser_it_is_a_jpeg_and_a_jpeg_cameras_own_bytes() -> None:
    frames = [*video(stream(PLAIN_264)), a_frame(50, payload=PICTURE)]
    with pictures_of(MemoryFrames(frames)) as pictures:
        decoded, own = await read(pictures, frames, 13), await pictures.of(frames[50].frame_id, ref(50))
    assert decoded is not None
    assert own is not None
    with Image.open(BytesIO(decoded.jpeg())) as image:
        assert (image.format, image.size) == ("JPEG", (160, 128))
    assert decoded.raw()[0] == "image/jpeg"
    assert (own.jpeg(), own.raw()) == (PICTURE, ("image/jpeg", PICTURE))
