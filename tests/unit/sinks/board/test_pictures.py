"""A picture is read once for everybody who looks, kept within a bound, and its absence has a reason."""

import asyncio
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from andon.errors import RetryableError
from andon.messages import Frame, RecordRef
from andon.stream.offsets import Partition
from andon.stream.ranges import Enough, never
from andon.wire import Record, encode
from sinks.board.pictures import WAITING, BoardPictures, NoPictureError
from sinks.board.small_pictures import SIDE_PX, SmallPictures, shrunk
from tests.fakes import START
from tests.video_units import GROUP, PLAIN_264, stream

TOPIC = "andon.frames"


def a_jpeg(width: int = 64, height: int = 48) -> bytes:
    drawn = BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(drawn, "JPEG")
    return drawn.getvalue()


def a_frame(seq: int, payload: bytes | None = None, content_type: str = "image/jpeg") -> Frame:
    picture = a_jpeg() if payload is None else payload
    return Frame(
        camera_id="press-1",
        session="s",
        seq=seq,
        captured_at=START,
        clock="host",
        width=64,
        height=48,
        content_type=content_type,
        payload=picture,
    )


def record_of(frame: Frame) -> Record:
    sent = encode(frame)
    return Record(TOPIC, 0, frame.seq, 0, sent.key, sent.value, sent.headers)


class Log:
    """Records in memory; `gate` holds answers back."""

    def __init__(self, *frames: Frame) -> None:
        self.records = {frame.seq: record_of(frame) for frame in frames}
        self.gate = asyncio.Event()
        self.gate.set()
        self.away = False

    async def read(self, ref: RecordRef) -> Record | None:
        await self.gate.wait()
        if self.away:
            raise RetryableError("no broker")
        return self.records.get(ref.offset)

    async def read_range(
        self, partition: Partition, first: int, last: int | None, key: bytes, enough: Enough = never
    ) -> list[Record]:
        return [
            record for offset, record in self.records.items() if first <= offset <= (offset if last is None else last)
        ]


def ref(offset: int, topic: str = TOPIC) -> RecordRef:
    return RecordRef(topic=topic, partition=0, offset=offset)


def pictures(log: Log, kept_bytes: int = 1_000_000) -> BoardPictures:
    return BoardPictures(log, frozenset({TOPIC}), kept_bytes)


async def test_a_jpeg_passes_as_it_is() -> None:
    frame = a_frame(3)
    picture = await pictures(Log(frame)).of(ref(3))
    assert (picture.content_type, picture.payload, picture.frame_id) == ("image/jpeg", frame.payload, frame.frame_id)


async def test_a_picture_is_read_once_for_all_its_viewers() -> None:
    log = Log(a_frame(3))
    log.gate.clear()
    shown = pictures(log)
    viewers = [asyncio.create_task(shown.of(ref(3))) for _ in range(50)]
    await asyncio.sleep(0)
    viewers[0].cancel()
    log.gate.set()
    assert len({(await viewer).frame_id for viewer in viewers[1:]}) == 1
    await shown.of(ref(3))
    assert shown.reads == 1


async def test_pictures_are_kept_within_a_bound() -> None:
    size = len(a_jpeg())
    shown = pictures(Log(*(a_frame(seq) for seq in range(3))), 2 * size)
    for seq in (0, 1, 0, 2, 0):  # 1 is the one that was not used for longest
        await shown.of(ref(seq))
    assert shown.reads == 3
    await shown.of(ref(1))
    assert shown.reads == 4


async def test_a_frame_that_is_gone_is_no_picture_and_a_broker_that_is_away_may_come_back() -> None:
    log = Log()
    with pytest.raises(NoPictureError, match="no longer holds") as gone:
        await pictures(log).of(ref(3))
    log.away = True
    with pytest.raises(NoPictureError, match="broker") as away:
        await pictures(log).of(ref(3))
    assert (gone.value.later, away.value.later) == (False, True)


async def test_only_topics_of_frames_are_read() -> None:
    shown = pictures(Log(a_frame(3)))
    with pytest.raises(NoPictureError, match="no topic of frames"):
        await shown.of(ref(3, "andon.defects"))
    assert shown.reads == 0


@pytest.mark.parametrize(
    ("frame", "why"), [(a_frame(3, b""), "without its picture"), (a_frame(3, b"x", "video/h264"), "no longer holds")]
)
async def test_a_frame_that_no_browser_shows_says_why(frame: Frame, why: str) -> None:
    with pytest.raises(NoPictureError, match=why):
        await pictures(Log(frame)).of(ref(3))


async def test_a_frame_of_video_is_decoded_from_its_keyframe_for_several_viewers_at_a_time() -> None:
    camera = stream(PLAIN_264)
    frames = [
        a_frame(number, unit, camera.content_type).model_copy(update={"keyframe": number % GROUP == 0})
        for number, unit in enumerate(camera.units)
    ]
    shown = pictures(Log(*frames))
    found = await asyncio.gather(*(shown.of(ref(number)) for number in (13, 27, 15)))
    shown.close()
    for number, picture in zip((13, 27, 15), found, strict=True):
        assert (picture.content_type, picture.frame_id) == ("image/jpeg", frames[number].frame_id)
        with Image.open(BytesIO(picture.payload)) as image:
            drawn = np.asarray(image.convert("RGB"), float)[..., ::-1]
        assert np.abs(drawn - camera.pictures[number]).mean() < 5


async def test_a_broker_that_does_not_answer_keeps_a_bounded_number_of_viewers_waiting() -> None:
    log = Log()
    log.gate.clear()
    shown = pictures(log)
    waiting = [asyncio.create_task(shown.of(ref(seq))) for seq in range(WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(NoPictureError, match="too many"):
        await shown.of(ref(WAITING))
    log.gate.set()
    assert all(isinstance(error, NoPictureError) for error in await asyncio.gather(*waiting, return_exceptions=True))


def test_a_small_picture_keeps_its_proportions() -> None:
    with Image.open(BytesIO(shrunk(a_jpeg(1280, 720)))) as small:
        assert small.size == (SIDE_PX, 180)


def test_a_picture_that_is_none_can_not_be_shrunk() -> None:
    with pytest.raises(NoPictureError, match="decoded"):
        shrunk(b"\xff\xd8\xff no jpeg")


async def test_a_small_picture_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[bytes] = []

    def draw(payload: bytes) -> bytes:
        drawn.append(payload)
        return b"small"

    monkeypatch.setattr("sinks.board.small_pictures.shrunk", draw)
    small, picture = SmallPictures(), await pictures(Log(a_frame(3))).of(ref(3))
    assert (await small.of(picture)).payload == (await small.of(picture)).payload == b"small"
    assert len(drawn) == 1
    small.close()
