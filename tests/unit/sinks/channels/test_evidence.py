"""Pictures of defects: drawn, stored whole or not at all, once, and said to be gone when they are."""

import asyncio
import errno
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import fsspec
import pytest
from PIL import Image

from andon.errors import ConfigError, PoisonError, RetryableError
from andon.events import EvidenceStored
from andon.messages import Box, Defect, Detection, Frame, RecordRef
from andon.settings import EvidenceSettings
from andon.stream.offsets import Partition
from andon.stream.ranges import Enough, never
from andon.wire import Record, encode
from sinks.channels.annotation import annotated
from sinks.channels.channel import SinkBusy
from sinks.channels.evidence import EvidenceChannel
from sinks.channels.evidence_files import EvidenceFacts
from sinks.channels.files import Files
from sinks.channels.log import Log
from sinks.judgement.consequences import Thresholds
from sinks.outbox_item import OutboxItem
from tests.cases.pictures import PLAIN, before_restarts, saved
from tests.fakes import START, RecordedEvents
from tests.outbox import a_defect, an_evidence_item, an_order

REF = RecordRef(topic="andon.frames", partition=2, offset=40)
GREY = (96, 96, 96)


def a_picture(width: int = 640, height: int = 480, form: str = "JPEG") -> bytes:
    out = BytesIO()
    Image.new("RGB", (width, height), GREY).save(out, form, quality=95)
    return out.getvalue()


def a_frame(seq: int = 1, payload: bytes | None = None, content_type: str = "image/jpeg") -> Frame:
    session = "20260301T060000.000000Z"
    size = {"width": 640, "height": 480}
    payload = a_picture() if payload is None else payload
    frame = {"camera_id": "press-3", "session": session, "seq": seq, "captured_at": START, "clock": "host"}
    return Frame.model_validate({**frame, **size, "payload": payload, "content_type": content_type})


class MemoryReader:
    """A log with one record in it, or none."""

    def __init__(self, frame: Frame | None) -> None:
        self.frame = frame
        self.away: Exception | None = None

    async def read(self, ref: RecordRef) -> Record | None:
        if self.away:
            raise self.away
        if self.frame is None:
            return None
        out = encode(self.frame)
        return Record(ref.topic, ref.partition, ref.offset, out.timestamp_ms, out.key, out.value, out.headers)

    async def read_range(
        self, partition: Partition, first: int, last: int | None, key: bytes, enough: Enough = never
    ) -> list[Record]:
        raise AssertionError("a picture by itself needs no other frame")


@contextmanager
def a_channel(url: Path | str, reader: MemoryReader, events: RecordedEvents | None = None) -> Iterator[EvidenceChannel]:
    channel = EvidenceChannel(Log(reader, reader), EvidenceSettings(url=str(url)), events or RecordedEvents())
    try:
        yield channel
    finally:
        channel.close()


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def an_item(path: str = "press-3/2026-03-01/1.jpg") -> OutboxItem:
    return an_evidence_item(an_order(REF, path=path))


async def test_the_picture_of_a_defect_is_stored_where_the_order_says(tmp_path: Path) -> None:
    events = RecordedEvents()
    with a_channel(tmp_path, MemoryReader(a_frame()), events) as channel:
        await channel.send(an_item())
    stored = tmp_path / "press-3/2026-03-01/1.jpg"
    assert sorted(path.name for path in files_below(tmp_path)) == ["1.jpg", "1.json", "1.raw.jpg"]
    with Image.open(stored) as image:
        assert (image.format, image.width) == ("JPEG", 640)
    assert events.of(EvidenceStored) == [EvidenceStored(a_defect().defect_id, "stored")]


async def test_beside_the_picture_lie_the_untouched_bytes_and_the_facts(tmp_path: Path) -> None:
    frame = a_frame(payload=a_picture(form="PNG"), content_type="image/png")
    thresholds = Thresholds(min_confidence=0.3, confirm_frames=4, confirm_window=8)
    order = an_order(REF, path="press-3/2026-03-01/1.jpg").model_copy(
        update={"model": "ab12", "thresholds": thresholds}
    )
    with a_channel(tmp_path, MemoryReader(frame)) as channel:
        await channel.send(an_evidence_item(order))
    raw = (tmp_path / "press-3/2026-03-01/1.raw.png").read_bytes()
    facts = EvidenceFacts.read_json((tmp_path / "press-3/2026-03-01/1.json").read_bytes())
    assert raw == frame.payload
    assert facts.sha256 == hashlib.sha256(raw).hexdigest()
    assert (facts.frame, facts.record, facts.width, facts.height) == (frame.frame_id, REF, 640, 480)
    assert (facts.model, facts.thresholds, facts.defect) == ("ab12", thresholds, order.defect)


async def test_the_picture_comes_last_so_that_who_sees_it_finds_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write = Files.write

    def noted(self: Files, path: str, content: bytes) -> None:
        written.append(path)
        write(self, path, content)

    monkeypatch.setattr(Files, "write", noted)
    with a_channel(tmp_path, MemoryReader(a_frame())) as channel:
        await channel.send(an_item())
    assert [Path(path).name for path in written] == ["1.raw.jpg", "1.json", "1.jpg"]


async def test_an_order_of_a_newer_sink_is_carried_out(tmp_path: Path) -> None:
    item = an_item()
    newer = replace(item, payload=json.dumps({**json.loads(item.payload), "added_later": 1}).encode())
    with a_channel(tmp_path, MemoryReader(a_frame())) as channel:
        await channel.send(newer)
    assert (tmp_path / "press-3/2026-03-01/1.jpg").exists()


async def test_storing_twice_has_the_effect_of_once(tmp_path: Path) -> None:
    events = RecordedEvents()
    with a_channel(tmp_path, MemoryReader(a_frame()), events) as channel:
        await channel.send(an_item())
        written = (tmp_path / "press-3/2026-03-01/1.jpg").stat()
        await channel.send(an_item())
    assert (tmp_path / "press-3/2026-03-01/1.jpg").stat() == written
    assert len(events.of(EvidenceStored)) == 1


async def test_a_note_takes_the_place_of_a_frame_that_retention_has_deleted(tmp_path: Path) -> None:
    events = RecordedEvents()
    with a_channel(tmp_path, MemoryReader(None), events) as channel:
        await channel.send(an_item())
        await channel.send(an_item())
    assert events.of(EvidenceStored) == [EvidenceStored(a_defect().defect_id, "expired")]
    word = json.loads((tmp_path / "press-3/2026-03-01/1.expired.json").read_text())
    assert (word["evidence"], word["record"]["offset"]) == ("expired", 40)
    assert not (tmp_path / "press-3/2026-03-01/1.jpg").exists()


async def test_another_frame_at_the_same_offset_is_no_evidence(tmp_path: Path) -> None:
    events = RecordedEvents()
    with a_channel(tmp_path, MemoryReader(a_frame(seq=99)), events) as channel:
        await channel.send(an_item())
    assert events.of(EvidenceStored)[0].outcome == "expired"


async def test_a_picture_stored_before_its_frame_expired_stays_the_evidence(tmp_path: Path) -> None:
    reader, events = MemoryReader(a_frame()), RecordedEvents()
    with a_channel(tmp_path, reader, events) as channel:
        await channel.send(an_item())
        reader.frame = None
        await channel.send(an_item())
    assert [event.outcome for event in events.of(EvidenceStored)] == ["stored"]


@pytest.mark.parametrize(
    "path", ["../1.jpg", "/etc/passwd", "a/../../b.jpg", "a//b.jpg", ".hidden", "c:\\x", "a/\0", ""]
)
async def test_a_path_that_leaves_its_folder_is_poison(tmp_path: Path, path: str) -> None:
    with (
        a_channel(tmp_path / "in", MemoryReader(a_frame())) as channel,
        pytest.raises(PoisonError, match="not a safe path"),
    ):
        await channel.send(an_item(path))
    assert files_below(tmp_path) == []


@pytest.mark.parametrize("payload", [b"", b"\xff\xd8\xff\xe0 torn", a_picture()[:400], b"GIF89a"])
async def test_a_frame_that_is_no_picture_is_poison(tmp_path: Path, payload: bytes) -> None:
    with a_channel(tmp_path, MemoryReader(a_frame(payload=payload))) as channel, pytest.raises(PoisonError):
        await channel.send(an_item())


async def test_a_frame_of_video_whose_keyframe_is_not_named_is_poison(tmp_path: Path) -> None:
    with (
        a_channel(tmp_path, MemoryReader(a_frame(content_type="video/h264"))) as channel,
        pytest.raises(PoisonError, match="video/h264"),
    ):
        await channel.send(an_item())


async def test_a_payload_that_is_no_order_is_poison(tmp_path: Path) -> None:
    with (
        a_channel(tmp_path, MemoryReader(a_frame())) as channel,
        pytest.raises(PoisonError, match="no EvidenceOrder"),
    ):
        await channel.send(OutboxItem(1, "evidence", 0, "e", b"{}", START, 0))


async def test_a_broker_that_is_away_keeps_the_order_for_later(tmp_path: Path) -> None:
    reader = MemoryReader(a_frame())
    reader.away = RetryableError("no answer in time")
    with (
        a_channel(tmp_path, reader) as channel,
        pytest.raises(SinkBusy, match=r"andon.frames\[2\]@40 can't be read"),
    ):
        await channel.send(an_item())


async def test_a_full_disk_keeps_the_order_for_later_and_leaves_no_torn_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with a_channel(tmp_path, MemoryReader(a_frame())) as channel:
        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(SinkBusy, match=r"^can't write to .*: No space left on device$") as busy:
            await channel.send(an_item())
        assert busy.value.retry_after_s > 0
        assert files_below(tmp_path) == []
        monkeypatch.undo()
        await channel.send(an_item())
    assert (tmp_path / "press-3/2026-03-01/1.jpg").exists()


async def test_a_folder_that_can_not_be_written_keeps_the_order_for_later(tmp_path: Path) -> None:
    (tmp_path / "evidence").write_text("a file where the folder should be")
    with (
        a_channel(tmp_path / "evidence", MemoryReader(a_frame())) as channel,
        pytest.raises(SinkBusy, match=r"can't write to .*evidence: Not a directory"),
    ):
        await channel.send(an_item())


async def test_no_write_waits_behind_one_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, released = threading.Event(), threading.Event()

    def fsync(_descriptor: int) -> None:
        begun.set()
        released.wait(60)

    monkeypatch.setattr("os.fsync", fsync)
    with a_channel(tmp_path, MemoryReader(a_frame())) as channel:
        first = asyncio.create_task(channel.send(an_item()))
        assert await asyncio.to_thread(begun.wait, 60)
        first.cancel()
        await asyncio.wait({first})
        with pytest.raises(SinkBusy, match="has not returned yet"):
            await channel.send(an_item())
        released.set()


async def test_the_place_may_be_any_fsspec_url() -> None:
    with a_channel("memory://line-1/evidence", MemoryReader(a_frame())) as channel:
        await channel.send(an_item())
    stored = fsspec.filesystem("memory").cat("/line-1/evidence/press-3/2026-03-01/1.jpg")
    assert stored.startswith(b"\xff\xd8")


def test_an_unknown_url_is_refused_in_one_line_without_its_password() -> None:
    with pytest.raises(ConfigError, match=r"sinks\.evidence\.url") as error:
        a_channel("gopher://host/evidence?password=hunter2", MemoryReader(None)).__enter__()
    assert "hunter2" not in str(error.value)


# ---- drawing


def drawn(defect: Defect, picture: bytes | None = None) -> Image.Image:
    return Image.open(BytesIO(annotated(picture or a_picture(), defect, 95)))


def differs(pixel: object, other: tuple[int, int, int] = GREY) -> bool:
    assert isinstance(pixel, tuple)
    return any(abs(a - b) > 40 for a, b in zip(pixel, other, strict=True))


def test_the_box_is_outlined_and_its_inside_is_left_as_it_was() -> None:
    image = drawn(a_defect(box=Box(x1=200, y1=150, x2=400, y2=300)))
    assert differs(image.getpixel((199, 220)))
    assert differs(image.getpixel((300, 301)))
    assert not differs(image.getpixel((300, 220)))
    assert not differs(image.getpixel((50, 50)))


@pytest.mark.parametrize("payload", [PLAIN[:-2], before_restarts(b"\0"), saved("JPEG", orientation=6, quality=95)])
def test_a_picture_that_a_worker_reads_is_drawn_on_upright(payload: bytes) -> None:
    image = drawn(a_defect(), payload)
    assert image.width == 320
    assert image.height > 240
    assert not differs(image.getpixel((300, 230)), (240, 240, 235)), "its lower right field"


def test_the_words_stand_below_the_picture_and_hide_nothing() -> None:
    image = drawn(a_defect())
    assert image.width == 640
    plate = image.crop((0, 480, 640, image.height))
    levels = plate.convert("L").tobytes()
    assert (min(levels) < 40, max(levels) > 200) == (True, True)


@pytest.mark.parametrize("size", [(16, 16), (64, 48), (4000, 3000), (2000, 20)])
def test_pictures_of_any_size_are_drawn_on(size: tuple[int, int]) -> None:
    image = drawn(a_defect(label="a very long label indeed", part_id="P" * 60), a_picture(*size))
    assert image.width == size[0]
    assert image.height > size[1]


@pytest.mark.parametrize(
    "box",
    [
        Box(x1=-50, y1=-50, x2=10, y2=10),
        Box(x1=600, y1=400, x2=900, y2=900),
        Box(x1=5000, y1=5000, x2=6000, y2=6000),
        Box(x1=20, y1=20, x2=20, y2=20),
        Box(x1=30, y1=30, x2=10, y2=10),
    ],
)
def test_boxes_that_lie_outside_or_are_empty_break_nothing(box: Box) -> None:
    assert drawn(a_defect(box=box)).width == 640


BOX = Box(x1=200, y1=150, x2=360, y2=280)


def drawn_shape(**shape: object) -> Image.Image:
    detection = Detection.model_validate({"label": "scratch", "confidence": 0.9, "box": BOX, **shape})
    defect = a_defect().model_copy(update={"box": BOX})
    return Image.open(BytesIO(annotated(a_picture(), defect, 95, detection)))


def coloured(image: Image.Image, x: float, y: float) -> bool:
    """Whether there is ink, within a pixel or two."""
    around = [(round(x) + dx, round(y) + dy) for dx in range(-2, 3) for dy in range(-2, 3)]
    pixels = [image.getpixel(place) for place in around]
    return any(max(pixel) - min(pixel) > 60 for pixel in pixels if isinstance(pixel, tuple))


@pytest.mark.parametrize("field", ["polygon", "corners"])
def test_an_outline_is_drawn_in_place_of_the_box_and_its_inside_is_left_as_it_was(field: str) -> None:
    image = drawn_shape(**{field: [(200, 215), (280, 150), (360, 215), (280, 280)]})
    assert all(coloured(image, x, y) for x, y in ((240, 182.5), (320, 182.5), (320, 247.5), (240, 247.5)))
    assert not coloured(image, 280, 215)
    assert not coloured(image, 206, 156), "the box's corner"


def test_keypoints_are_drawn_with_the_box_and_those_out_of_sight_are_rings() -> None:
    places = [{"x": 240, "y": 200, "confidence": 0.9, "name": "heel"}, {"x": 320, "y": 250, "confidence": 0.1}]
    image = drawn_shape(keypoints=[*places, {"x": -50, "y": 2e9}])
    assert coloured(image, 240, 200)
    assert image.getpixel((320, 250)) == pytest.approx(GREY, abs=12)
    assert coloured(image, 320, 247)
    assert coloured(image, 280, 148), "the box"


def test_an_outline_far_off_the_picture_is_not_followed_there() -> None:
    image = drawn_shape(polygon=[(0, 0), (4e9, 0), (0, -4e9)])
    assert coloured(image, 280, 148), "the box"


async def test_the_shape_in_an_order_is_drawn(tmp_path: Path) -> None:
    shape = Detection(label="scratch", confidence=0.9, box=BOX, polygon=((10, 10), (100, 10), (100, 100)))
    order = an_order(REF).model_copy(update={"shape": shape})
    with a_channel(tmp_path, MemoryReader(a_frame())) as channel:
        await channel.send(an_evidence_item(order))
    with Image.open(tmp_path / order.path) as image:
        assert coloured(image, 55, 10)


def test_labels_in_other_scripts_break_nothing() -> None:
    assert drawn(a_defect(label="Kratzer ß 划痕 \n царапина")).width == 640


def test_a_png_serves_as_well() -> None:
    assert drawn(a_defect(), a_picture(form="PNG")).width == 640


def test_a_picture_above_the_limit_is_poison_before_it_is_unpacked() -> None:
    with pytest.raises(PoisonError, match="8000 x 6000"):
        annotated(a_picture(8000, 6000), a_defect(), 90)
