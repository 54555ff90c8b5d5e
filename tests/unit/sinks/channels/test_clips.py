"""Clips of defects and parts: the right frames, whole, once, in a file that plays from its first byte on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from andon.errors import PoisonError, RetryableError
from andon.events import ClipStored
from andon.messages import Frame, RecordRef
from andon.settings import ClipSettings
from andon.stream.offsets import Partition
from andon.stream.ranges import Enough, never
from andon.wire import Record, encode
from sinks.channels.channel import SinkBusy
from sinks.channels.clip_paths import clip_of
from sinks.channels.clips import ClipChannel
from sinks.channels.log import Log
from sinks.clip_order import ClipOrder
from sinks.outbox_item import OutboxItem
from tests.cases.pictures import saved
from tests.fakes import START, RecordedEvents
from tests.outbox import a_defect, a_part
from tests.video_units import B_FRAMES_264, B_FRAMES_265, GROUP, PLAIN_264, PLAIN_265, Encoder, Stream, stream

HERE = Partition("andon.frames", 2)
SESSION = "20260301T060000.000000Z"
RATE = 10
"""Frames a second."""
PATH = "press-3/2026-03-01/1.mp4"
PICTURE = saved("JPEG", quality=80)


def a_frame(number: int, camera: str = "press-3", session: str = SESSION, **changes: object) -> Frame:
    at = START + timedelta(seconds=number / RATE)
    fields: dict[str, object] = {"camera_id": camera, "session": session, "seq": number, "captured_at": at}
    size = {"width": 320, "height": 240, "clock": "host", "payload": PICTURE}
    return Frame.model_validate({**fields, **size, **changes})


class MemoryFrames:
    """A partition of a log: what a RecordReader and a RangeReader would read from it."""

    def __init__(self, frames: Sequence[Frame], first: int = 0) -> None:
        """`first`: the offset at which the log begins; what is below it has expired."""
        outs = [encode(frame) for frame in frames]
        self.records = [
            Record(*HERE, offset, out.timestamp_ms, out.key, out.value, out.headers) for offset, out in enumerate(outs)
        ]
        self.first = first
        self.read_offsets: list[int] = []
        self.away: Exception | None = None

    async def read(self, ref: RecordRef) -> Record | None:
        return self.records[ref.offset] if self.first <= ref.offset < len(self.records) else None

    async def read_range(
        self, partition: Partition, first: int, last: int | None, key: bytes, enough: Enough = never
    ) -> list[Record]:
        if self.away:
            raise self.away
        kept: list[Record] = []
        end = len(self.records) - 1 if last is None else last
        for record in self.records[max(first, self.first) : end + 1]:
            self.read_offsets.append(record.offset)
            if record.key == key:
                kept.append(record)
                if enough(record):
                    break
        return kept


@contextmanager
def a_channel(
    folder: Path, log: MemoryFrames, events: RecordedEvents | None = None, **settings: Any
) -> Iterator[ClipChannel]:
    channel = ClipChannel(Log(log, log), str(folder), ClipSettings(**settings), events or RecordedEvents())
    try:
        yield channel
    finally:
        channel.close()


def an_order(frame: Frame, offset: int, **changes: object) -> OutboxItem:
    ref = RecordRef(topic=HERE.topic, partition=HERE.partition, offset=offset)
    values = {"subject": "d1", "frame_id": frame.frame_id, "frame": ref, "path": PATH, **changes}
    order = ClipOrder.model_validate(values)
    return OutboxItem(1, "clips", 2, "d1/clip", order.model_dump_json().encode(), START, 0)


def times_in(clip: Path) -> list[float]:
    """When its pictures are shown, in seconds, all of them decoded."""
    with av.open(str(clip)) as container:
        return [round(float(frame.time or 0), 3) for frame in container.decode(video=0)]


async def test_a_clip_has_the_frames_around_its_own_and_no_other_camera(tmp_path: Path) -> None:
    """The first is the one that shows at the clip's begin: 2 s before; the last one 2 s after."""
    frames = [a_frame(number, camera) for number in range(100) for camera in ("press-3", "press-4")]
    events = RecordedEvents()
    with a_channel(tmp_path, MemoryFrames(frames), events) as channel:
        await channel.send(an_order(frames[100], 100))
    assert times_in(tmp_path / PATH) == [number / RATE for number in range(41)]
    (stored,) = events.of(ClipStored)
    assert (stored.subject, stored.outcome, stored.frames) == ("d1", "stored", 41)
    assert stored.bytes == (tmp_path / PATH).stat().st_size


async def test_the_pictures_of_a_jpeg_camera_are_its_own_bytes(tmp_path: Path) -> None:
    frames = [a_frame(number) for number in range(50)]
    with a_channel(tmp_path, MemoryFrames(frames)) as channel:
        await channel.send(an_order(frames[25], 25))
    with av.open(str(tmp_path / PATH)) as container:
        assert container.streams.video[0].codec_context.name == "mjpeg"
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    assert set(packets) == {PICTURE}


async def test_jpegs_become_h264_where_the_settings_say_so(tmp_path: Path) -> None:
    """A browser plays it; odd sizes lose a column, and a picture that can't be decoded is left out."""
    frames = [a_frame(number, width=321, height=241) for number in range(50)]
    frames[30] = a_frame(30, payload=b"\xff\xd8 torn")
    with a_channel(tmp_path, MemoryFrames(frames), jpeg_cameras="h264") as channel:
        await channel.send(an_order(frames[25], 25))
    with av.open(str(tmp_path / PATH)) as container:
        video = container.streams.video[0].codec_context
        assert (video.name, video.width, video.height) == ("h264", 320, 240)
    assert times_in(tmp_path / PATH) == [number / RATE for number in range(41) if number != 25]


async def test_a_file_has_its_index_before_its_pictures(tmp_path: Path) -> None:
    frames = [a_frame(number) for number in range(50)]
    with a_channel(tmp_path, MemoryFrames(frames)) as channel:
        await channel.send(an_order(frames[25], 25))
    content = (tmp_path / PATH).read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


async def test_a_camera_that_stopped_or_has_just_begun_has_a_shorter_clip(tmp_path: Path) -> None:
    frames = [a_frame(number) for number in range(6)]
    with a_channel(tmp_path, MemoryFrames(frames)) as channel:
        await channel.send(an_order(frames[3], 3))
    assert times_in(tmp_path / PATH) == [number / RATE for number in range(6)]


async def test_a_clip_ends_with_its_session(tmp_path: Path) -> None:
    """Another session may have another size and other times."""
    names = ["20260301T055900.000000Z", SESSION, "20260301T060100.000000Z"]
    frames = [a_frame(number, session=names[number // 10]) for number in range(30)]
    with a_channel(tmp_path, MemoryFrames(frames)) as channel:
        await channel.send(an_order(frames[15], 15))
    assert len(times_in(tmp_path / PATH)) == 10


async def test_the_way_back_is_bounded_and_no_record_is_read_twice(tmp_path: Path) -> None:
    """The camera's records are few among many of others; the log is walked back to them, not further than needed."""
    frames = [a_frame(number // 40, "press-3" if number % 40 == 0 else f"b-{number % 40}") for number in range(40_000)]
    log = MemoryFrames(frames)
    with a_channel(tmp_path, log) as channel:
        await channel.send(an_order(frames[38_000], 38_000))
    assert len(times_in(tmp_path / PATH)) == 41
    assert len(log.read_offsets) == len(set(log.read_offsets))
    assert len(log.read_offsets) < 3 * 41 * 40


async def test_frames_that_retention_has_taken_make_no_clip_and_are_said_to_be_gone(tmp_path: Path) -> None:
    frames = [a_frame(number) for number in range(50)]
    events = RecordedEvents()
    with a_channel(tmp_path, MemoryFrames(frames, first=40), events) as channel:
        await channel.send(an_order(frames[25], 25))
        await channel.send(an_order(a_frame(99), 45))
    assert events.of(ClipStored) == [ClipStored("d1", "expired")] * 2
    assert not (tmp_path / PATH).exists()


async def test_a_clip_begins_where_the_log_does(tmp_path: Path) -> None:
    frames = [a_frame(number) for number in range(50)]
    with a_channel(tmp_path, MemoryFrames(frames, first=20)) as channel:
        await channel.send(an_order(frames[25], 25))
    assert len(times_in(tmp_path / PATH)) == 26


async def test_storing_a_clip_twice_has_the_effect_of_once(tmp_path: Path) -> None:
    frames, events = [a_frame(number) for number in range(50)], RecordedEvents()
    log = MemoryFrames(frames)
    with a_channel(tmp_path, log, events) as channel:
        await channel.send(an_order(frames[25], 25))
        log.first = len(frames)
        await channel.send(an_order(frames[25], 25))
    assert [event.outcome for event in events.of(ClipStored)] == ["stored"]


async def test_a_broker_that_is_away_keeps_the_order_for_later(tmp_path: Path) -> None:
    frames = [a_frame(number) for number in range(50)]
    log = MemoryFrames(frames)
    log.away = RetryableError("no answer in time")
    with a_channel(tmp_path, log) as channel, pytest.raises(SinkBusy, match=r"press-3/.*/25 can't be read"):
        await channel.send(an_order(frames[25], 25))


@pytest.mark.parametrize("changes", [{"path": "../1.mp4"}, {"path": "/etc/1.mp4"}])
async def test_an_order_that_leads_out_of_its_folder_is_poison(tmp_path: Path, changes: dict[str, object]) -> None:
    with a_channel(tmp_path / "in", MemoryFrames([])) as channel, pytest.raises(PoisonError, match="not a safe path"):
        await channel.send(an_order(a_frame(0), 0, **changes))


async def test_an_order_that_can_not_be_read_is_poison(tmp_path: Path) -> None:
    item = OutboxItem(1, "clips", 2, "d1/clip", b"{}", START, 0)
    with a_channel(tmp_path, MemoryFrames([])) as channel, pytest.raises(PoisonError, match="no ClipOrder: 4 fields"):
        await channel.send(item)


def test_a_clip_lies_beside_the_picture_of_its_defect() -> None:
    assert clip_of(a_defect(1)) == "andon-data/evidence/press-3/1.mp4"
    assert clip_of(a_defect(1, evidence=None)) is None
    assert clip_of(a_part(1, "reject")) == "andon-data/evidence/press-3/1.part.mp4"
    assert clip_of(a_part(1, "pass")) is None


# ---- video


def video(camera: Stream) -> list[Frame]:
    """25 a second, shown in the stream's own order."""
    return [
        a_frame(
            number,
            payload=unit,
            content_type=camera.content_type,
            keyframe=number % GROUP == 0,
            captured_at=START + timedelta(seconds=camera.order[number] / 25),
        )
        for number, unit in enumerate(camera.units)
    ]


@pytest.mark.parametrize("encoder", [PLAIN_264, B_FRAMES_264, PLAIN_265, B_FRAMES_265])
async def test_a_clip_of_video_has_whole_groups_and_the_pictures_of_a_plain_decode(
    tmp_path: Path, encoder: Encoder
) -> None:
    """From the keyframe at or before the clip's begin on, up to its end, in the order of presentation."""
    camera = stream(encoder)
    frames = video(camera)
    with a_channel(tmp_path, MemoryFrames(frames), before_s=0.3, after_s=0.2) as channel:
        await channel.send(an_order(frames[25], 25))
    with av.open(str(tmp_path / PATH), "r") as container:
        assert next(container.demux(video=0)).is_keyframe
    with av.open(str(tmp_path / PATH), "r") as container:
        shown = list(container.decode(video=0))
    first = 20 if camera.order[25] - 0.3 * 25 >= 20 else 10
    want = camera.shown[first:][: len(shown)]
    assert 25 in want
    for picture, number in zip(shown, want, strict=True):
        assert round(float(picture.time or 0) * 25, 2) == camera.order[number] - first
        np.testing.assert_array_equal(picture.to_ndarray(format="bgr24"), camera.pictures[number])


async def test_a_file_has_one_set_of_parameters_the_frames_own(tmp_path: Path) -> None:
    """The camera was set to another size between two groups."""
    small, large = stream(PLAIN_264), stream(replace(PLAIN_264, size=(320, 240)))
    frames = [*video(small)[:20], *video(large)[20:40], *video(small)[40:]]
    with a_channel(tmp_path, MemoryFrames(frames)) as channel:
        await channel.send(an_order(frames[25], 25))
    with av.open(str(tmp_path / PATH), "r") as container:
        assert {(picture.width, picture.height) for picture in container.decode(video=0)} == {(320, 240)}
    assert len(times_in(tmp_path / PATH)) == 20


def in_one(units: Sequence[bytes]) -> dict[str, Any]:
    """The fields of a frame that holds these H.264 units, of which the last one is the frame."""
    return {"payload": b"".join(units), "units": tuple(map(len, units)), "content_type": "video/h264"}


async def test_units_that_are_no_frames_are_in_the_clip_between_those_that_are(tmp_path: Path) -> None:
    camera = stream(PLAIN_264)
    frames = []
    for number in range(25):
        pair = camera.units[2 * number : 2 * number + 2]
        frames.append(a_frame(number, **in_one(pair), keyframe=number % (GROUP // 2) == 0))
    with a_channel(tmp_path, MemoryFrames(frames), before_s=0.5, after_s=0.5) as channel:
        await channel.send(an_order(frames[10], 10))
    assert times_in(tmp_path / PATH) == [round(number / (2 * RATE), 3) for number in range(22)]


async def test_a_group_whose_keyframe_is_gone_makes_no_clip(tmp_path: Path) -> None:
    frames, events = video(stream(PLAIN_264)), RecordedEvents()
    with a_channel(tmp_path, MemoryFrames(frames, first=23), events) as channel:
        await channel.send(an_order(frames[25], 25))
    assert events.of(ClipStored) == [ClipStored("d1", "expired")]
