"""Frames read back: what the log holds, whatever was read before, and each record once."""

import random
from collections.abc import Sequence

from andon.messages import Frame, RecordRef
from sinks.channels.log import Log, LoggedFrame
from tests.unit.sinks.channels.test_clips import HERE, PICTURE, MemoryFrames, a_frame

CAMERAS = ("press-3", "press-4")


def two_cameras(count: int) -> list[Frame]:
    """In turn, so that each has every second offset."""
    return [a_frame(number // 2, CAMERAS[number % 2]) for number in range(count)]


def offsets(found: Sequence[LoggedFrame]) -> list[int]:
    return [logged.offset for logged in found]


async def test_what_is_read_is_what_the_log_holds_whatever_was_read_before() -> None:
    frames, choose = two_cameras(120), random.Random(7)
    log = Log(memory := MemoryFrames(frames), memory, kept_bytes=25 * len(PICTURE))
    for _ in range(400):
        camera, first = choose.choice(CAMERAS), choose.randrange(120)
        last = choose.choice([None, first + choose.randrange(30), first])
        end = choose.choice([None, first + choose.randrange(30)])
        found = await log.frames(HERE, first, last, camera, lambda it, end=end: end is not None and it.offset >= end)  # type: ignore[misc]
        wanted = [
            at for at in range(first, 120 if last is None else min(last + 1, 120)) if frames[at].camera_id == camera
        ]
        over = [number for number, at in enumerate(wanted) if end is not None and at >= end]
        assert offsets(found) == (wanted[: over[0] + 1] if over else wanted)
        assert all(logged.frame == frames[logged.offset] for logged in found)


async def test_pieces_of_a_log_that_overlap_are_read_once() -> None:
    log = Log(memory := MemoryFrames(two_cameras(100)), memory)
    assert offsets(await log.frames(HERE, 40, 50, "press-3")) == [40, 42, 44, 46, 48, 50]
    assert offsets(await log.frames(HERE, 46, 54, "press-3")) == [46, 48, 50, 52, 54]
    assert offsets(await log.frames(HERE, 36, 41, "press-3")) == [36, 38, 40]
    assert sorted(memory.read_offsets) == list(range(36, 55))
    ref = RecordRef(topic=HERE.topic, partition=HERE.partition, offset=44)
    memory.first = 60  # what was read stays, where retention takes its record
    logged = await log.frame(a_frame(22).frame_id, ref)
    assert logged is not None
    assert logged.frame == a_frame(22)
    assert await log.frame(a_frame(23).frame_id, ref) is None, "another frame is there"


async def test_frames_of_a_log_that_lost_its_end_are_not_mixed_with_those_of_the_one_that_follows() -> None:
    """The broker came back with a disk of earlier: offsets from 20 on have other frames now."""
    old = [a_frame(number) for number in range(30)]
    memory = MemoryFrames(old)
    log = Log(memory, memory)
    await log.frames(HERE, 10, 25, "press-3")
    new = [*old[:20], *(a_frame(number) for number in range(50, 70))]
    memory.records = MemoryFrames(new).records
    after = [logged.frame for logged in await log.frames(HERE, 15, 30, "press-3")]
    assert after == new[15:31]
    await log.frames(HERE, 32, 35, "press-3")
    memory.records = MemoryFrames([*new[:25], *(a_frame(number) for number in range(80, 100))]).records
    assert [logged.frame.seq for logged in await log.frames(HERE, 23, 33, "press-3")] == [53, 54, *range(80, 89)]


async def test_what_is_kept_has_a_bound_and_the_camera_that_was_read_last_stays() -> None:
    log = Log(memory := MemoryFrames(two_cameras(100)), memory, kept_bytes=10 * len(PICTURE))
    await log.frames(HERE, 0, 11, "press-3")
    await log.frames(HERE, 0, 11, "press-4")
    memory.read_offsets.clear()
    await log.frames(HERE, 0, 11, "press-4")
    assert memory.read_offsets == []
    await log.frames(HERE, 0, 11, "press-3")
    assert memory.read_offsets == list(range(12)), "it had to go"
    await log.frames(HERE, 0, 40, "press-3")
    memory.read_offsets.clear()
    await log.frames(HERE, 0, 40, "press-3")
    assert memory.read_offsets == list(range(41)), "more than may be kept at all"
