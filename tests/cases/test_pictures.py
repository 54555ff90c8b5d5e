"""Pictures as cameras and tools write them: what every decoder reads alike is a picture, whoever reads it."""

import io
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from andon.clock import SystemClock
from andon.errors import ConfigError, PoisonError
from andon.events import CameraRefused, RecordQuarantined
from andon.messages import Frame
from andon.pictures.picture import Bgr, PictureLimits
from andon.pictures.reader import decode, read
from andon.settings import CameraSettings
from ingest.bridge import Bridge
from ingest.capture import Capture, Tools
from ingest.commands.camera import camera
from ingest.queue import Lossless
from ingest.sources.choice import open_source
from tests.cases import pictures
from tests.cases.case import Case, rows
from tests.cases.pictures import (
    PLAIN,
    PROGRESSIVE,
    RESTARTING,
    before_end,
    before_restarts,
    before_scan,
    between_scans,
    jpeg,
    without,
)
from tests.fakes import FakeClock, RecordedEvents
from tests.unit.ingest.jpegs import make_mjpeg
from tests.unit.workers.rig import frame, worker
from tests.videos import SIZE
from workers.model.dataset import picture as picture_of_dataset

LIMITS = PictureLimits(8_000_000, 40_000_000)
VARIED = bytes(range(1, 101))

HARMLESS = (
    Case("one byte of stuffing before the end marker is left out", "opencv#9477", before_end(b"\0")),
    Case("four bytes of stuffing before the end marker are left out", "opencv#9477", before_end(b"\x12\x34\x56\x78")),
    Case("padding to a block's size before the end marker is left out", "libyami#801", before_end(bytes(4000))),
    Case("stuffing before each restart marker is left out", "libjpeg-turbo#157", before_restarts(b"\0")),
    Case("odd bytes before each restart marker are left out", "libjpeg-turbo#157", before_restarts(VARIED)),
    Case("fill bytes before restart markers are left out", "ITU-T T.81", before_restarts(b"\xff\xff")),
    Case("an end marker that is missing behind complete data is no damage", "libyami#801", PLAIN[:-2]),
    Case("half an end marker behind complete data is no damage", "libyami#801", PLAIN[:-1]),
    Case("zeros in the place of the end marker are no damage", "agent-framework#143", PLAIN[:-2] + bytes(9)),
    Case("zeros behind the end marker are no damage", "agent-framework#143", PLAIN + bytes(3)),
    Case("stuffing and a missing end marker together are no damage", "Motion#65", before_restarts(b"\0")[:-2]),
    Case("bytes between two segments of the header are passed over", "Motion#65", before_scan(b"\0\1\2")),
    Case("an unknown version of JFIF is ignored", "seen by hand", pictures.with_byte(b"JFIF\0", 5, 2)),
    Case(
        "a scan's parameters that a baseline JPEG can't have are ignored",
        "seen by hand",
        pictures.with_byte(b"\xff\xda", 12, 0),
    ),
    Case("a restart marker behind the last interval is ignored", "seen by hand", before_end(b"\xff\xd0")),
    Case("stuffing behind a progressive JPEG's scans is left out", "seen by hand", between_scans(b"\x12\x34" * 6)),
    Case("a progressive JPEG without an end marker is read", "libyami#801", PROGRESSIVE[:-2]),
)

DAMAGED = (
    Case("a JPEG that lacks its last bytes is damaged", "seen by hand", PLAIN[:-4]),
    Case("half a JPEG is damaged", "seen by hand", PLAIN[: len(PLAIN) // 2]),
    Case(
        "a JPEG whose restart interval lacks bytes is damaged",
        "libjpeg-turbo#157",
        without(RESTARTING, RESTARTING.index(b"\xff\xd2") - 30, 29),
    ),
    Case(
        "a stuffed JPEG whose restart interval lacks bytes is damaged",
        "libjpeg-turbo#157",
        without(before_restarts(b"\0\0"), before_restarts(b"\0\0").index(b"\xff\xd2") - 40, 37),
    ),
    Case(
        "a stuffed JPEG without one of its restart markers is damaged",
        "libjpeg-turbo#157",
        before_restarts(b"\0").replace(b"\0\xff\xd3", b"", 1),
    ),
    Case("a JPEG with the rest of another picture in it is damaged", "seen by hand", before_end(PLAIN[-3000:-2])),
    Case(
        "a progressive JPEG that lacks its last scans is damaged",
        "seen by hand",
        PROGRESSIVE[: PROGRESSIVE.rindex(b"\xff\xda")] + b"\xff\xd9",
    ),
    Case(
        "a progressive JPEG that breaks off between two scans is damaged",
        "seen by hand",
        PROGRESSIVE[: PROGRESSIVE.rindex(b"\xff\xda")],
    ),
    Case("a JPEG behind a second start marker is damaged: only FFmpeg reads it", "Motion#65", b"\xff\xd8" + PLAIN),
)


def reference(content: bytes) -> Bgr:
    """The pixels without the deviation, by the coding of `content`."""
    for plain in (PROGRESSIVE, RESTARTING, PLAIN):
        coding = b"\xff\xc2" in plain, b"\xff\xdd" in plain
        if coding == (b"\xff\xc2" in content, b"\xff\xdd" in content):
            return decode(plain, "image/jpeg", LIMITS).pixels
    raise AssertionError("there is no such picture")


@rows(HARMLESS)
def test_a_harmless_jpeg_is_read_to_the_last_pixel_at_any_size(given: bytes) -> None:
    found = decode(given, "image/jpeg", LIMITS)
    assert (found.pixels == reference(given)).all()
    assert decode(given, "image/jpeg", LIMITS, 160).pixels.shape == (120, 160, 3)
    for independent in (by_ffmpeg, by_opencv_or_pillow):
        others = independent(given)
        assert np.abs(others.astype(int) - found.pixels).mean() < 2, independent.__name__


def by_ffmpeg(content: bytes) -> Bgr:
    decoder = av.CodecContext.create("mjpeg", "r")
    (frame,) = [*decoder.decode(av.Packet(content)), *decoder.decode(None)]
    return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def by_opencv_or_pillow(content: bytes) -> Bgr:
    """Both insist on an end marker, though not on its place."""
    ended = content if b"\xff\xd9" in content[-4100:] else content + b"\xff\xd9"
    with Image.open(io.BytesIO(ended)) as image:
        by_pillow = np.asarray(image.convert("RGB"))[..., ::-1]
    by_opencv = cv2.imdecode(np.frombuffer(ended, np.uint8), cv2.IMREAD_COLOR)
    assert by_opencv is not None
    assert (by_opencv == by_pillow).all()
    return np.asarray(by_opencv, np.uint8)


@rows(DAMAGED)
def test_a_jpeg_with_missing_pixels_is_refused_at_any_size(given: bytes) -> None:
    for enough_px in (None, 160):
        with pytest.raises(PoisonError) as caught:
            decode(given, "image/jpeg", LIMITS, enough_px)
        assert caught.value.reason == "undecodable"
        assert len(str(caught.value)) < 200


@rows([*HARMLESS, *DAMAGED])
def test_camera_test_judges_a_jpeg_as_a_worker_does(given: bytes, tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(given)
    (tmp_path / "2.jpg").write_bytes(PLAIN)
    output = CliRunner().invoke(camera, ["test", str(tmp_path)], catch_exceptions=False).output
    assert f" 2, {1 if _is_damaged(given) else 0} of them corrupt" in output


def _is_damaged(content: bytes) -> bool:
    try:
        decode(content, "image/jpeg", LIMITS)
    except PoisonError:
        return True
    return False


FILES: tuple[Case[tuple[str, bytes, float]], ...] = (
    *(
        Case(
            f"a JPEG whose Exif says {turn} is turned upright",
            "yolov5#405",
            ("a.jpg", pictures.saved("JPEG", orientation=turn, quality=95), 4.0),
        )
        for turn in pictures.LYING
    ),
    Case(
        "a PNG whose Exif says 6 is turned upright",
        "yolov5#405",
        ("a.png", pictures.saved("PNG", orientation=6), 0),
    ),
    Case(
        "a TIFF whose tag says 8 is turned upright",
        "yolov5#405",
        ("a.tif", pictures.saved("TIFF", orientation=8), 0),
    ),
    Case(
        "a WebP whose Exif says 6 is turned upright",
        "yolov5#405",
        ("a.webp", pictures.saved("WEBP", orientation=6, lossless=True), 0),
    ),
    Case("a PNG of 12 bits in 16 is as bright as it was", "seen by hand", ("a.png", pictures.deep(".png", 12), 0)),
    Case("a PNG of 10 bits in 16 is as bright as it was", "seen by hand", ("a.png", pictures.deep(".png", 10), 0)),
    Case(
        "a TIFF of 12 bits in 16 is as bright as it was",
        "seen by hand",
        ("a.tif", pictures.deep(".tif", 12), 0),
    ),
    Case(
        "a TIFF of 14 bits in 16 is as bright as it was",
        "seen by hand",
        ("a.tif", pictures.deep(".tif", 14), 0),
    ),
    Case(
        "a PGM of 12 bits in 16 is as bright as it was",
        "seen by hand",
        ("a.pgm", pictures.deep(".pgm", 12, grey=True), 0),
    ),
    Case("a PNG of 16 bits is as bright as it was", "seen by hand", ("a.png", pictures.deep(".png", 16), 0)),
    Case("a TIFF of floats is read as 0 to 1", "seen by hand", ("a.tif", pictures.floats(), 0.5)),
    Case(
        "a JPEG in CMYK has its colours",
        "seen by hand",
        ("a.jpg", pictures.saved("JPEG", "CMYK", quality=95), 4.0),
    ),
    Case("a grey JPEG is read", "seen by hand", ("a.jpg", jpeg(picture=pictures.drawn()[:, :, 1]), 4.0)),
    Case("a PNG with a palette is read", "seen by hand", ("a.png", pictures.saved("PNG", "P"), 24.0)),
    Case("a PNG with transparency keeps its colours", "seen by hand", ("a.png", pictures.saved("PNG", "RGBA"), 0)),
    Case(
        "a TIFF with several pages is read as its first",
        "seen by hand",
        ("a.tif", pictures.saved("TIFF", save_all=True, append_images=[Image.new("RGB", (320, 240))]), 0),
    ),
    Case("a PNG named .jpg is read", "seen by hand", ("a.jpg", pictures.saved("PNG"), 0)),
    Case("a JPEG 2000 is read", "seen by hand", ("a.jp2", pictures.jpeg_2000(), 2.0)),
    *(Case(f"in a file: {case.sentence}", case.reported, ("a.jpg", case.given, 4.0)) for case in HARMLESS),
)


@rows(FILES)
def test_every_reader_sees_the_same_upright_picture(given: tuple[str, bytes, float], tmp_path: Path) -> None:
    name, content, tolerance = given
    path = tmp_path / name
    path.write_bytes(content)
    found = read(path.read_bytes())
    drawn = pictures.drawn()
    wanted = drawn if _has_colours(found) else np.repeat(drawn[:, :, 1:2], 3, 2)
    assert np.abs(found.astype(int) - wanted).mean() <= tolerance
    assert (picture_of_dataset(path) == found).all(), "val and calibration"
    assert (_by_ingest(tmp_path) == found).all(), "ingest"
    assert (_by_training(path) == found).all(), "training"


def _has_colours(found: Bgr) -> bool:
    return bool((found[:, :, 0] != found[:, :, 2]).any())


def _by_ingest(folder: Path) -> Bgr:
    source = open_source(CameraSettings.model_validate({"id": "cam", "url": str(folder)}), SystemClock())
    picture = source.read()
    source.close()
    assert picture is not None
    assert picture.bgr is not None
    if picture.jpeg is not None:  # passed on: a worker decodes these bytes
        assert (decode(picture.jpeg.payload, "image/jpeg", LIMITS).pixels == picture.bgr()).all()
    return picture.bgr()


def _by_training(path: Path) -> Bgr:
    pytest.importorskip("ultralytics", reason="ultralytics trains, and is not installed")
    from workers.runtimes.ultralytics_pictures import imread  # noqa: PLC0415 - needs it

    found = imread(path)
    assert found is not None
    return np.asarray(found, np.uint8)


@rows(DAMAGED)
def test_a_damaged_picture_of_a_dataset_is_refused_in_one_line(given: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(given)
    with pytest.raises(ConfigError, match=r"a\.jpg: not a picture: ") as caught:
        picture_of_dataset(path)
    assert "\n" not in str(caught.value)


def test_a_dark_picture_among_others_of_12_bits_stays_dark(tmp_path: Path) -> None:
    """Reported: seen by hand. By itself it would be taken for one of 10 bits, and be four times as bright."""
    dark = (pictures.drawn().astype(np.uint16) << 4) // 8
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(pictures.deep(".png", 12))
    (tmp_path / "dark.png").write_bytes(cv2.imencode(".png", dark)[1].tobytes())
    found = picture_of_dataset(tmp_path / "dark.png")
    assert (found == dark >> 4).all()
    source = open_source(CameraSettings.model_validate({"id": "cam", "url": str(tmp_path)}), SystemClock())
    assert any("use 12 of them" in note for note in source.info.notes)
    source.close()


@dataclass(frozen=True, slots=True)
class PictureLimit:
    """A limit, and what the quarantine says of a picture above it."""

    says: str
    camera: dict[str, object] = field(default_factory=dict)
    broker_bytes: int = 10**7
    worker: PictureLimits = LIMITS
    picture: bytes = field(default=PLAIN, repr=False)


TOO_LARGE = (
    Case(
        "a picture above the largest record names that setting and its size",
        "seen by hand",
        PictureLimit(f"{len(PLAIN)} bytes, kafka.max_record_bytes is 5000: raise it", broker_bytes=5000),
    ),
    Case(
        "a picture above the camera's mailbox names that setting and its size",
        "seen by hand",
        PictureLimit(
            "bytes, the camera's mailbox_bytes is 1000000: raise it", {"mailbox_bytes": 10**6}, picture=pictures.noise()
        ),
    ),
    Case(
        "a picture longer than a JPEG can be names the settings that shrink it",
        "seen by hand",
        PictureLimit("66000x8 pixels, a JPEG has at most 65500 a side: set the camera", picture=pictures.line()),
    ),
    Case(
        "a picture above the worker's limit of bytes names that setting and its size",
        "seen by hand",
        PictureLimit(f"{len(PLAIN)} bytes, worker.max_frame_bytes is 5000", worker=PictureLimits(5000, 10**7)),
    ),
    Case(
        "a picture above the worker's limit of pixels names that setting and its size",
        "seen by hand",
        PictureLimit("320x240 pixels, worker.max_frame_pixels is 5000", worker=PictureLimits(10**7, 5000)),
    ),
)


@rows(TOO_LARGE)
async def test_a_picture_above_a_limit_is_quarantined_as_too_large_and_says_which(
    given: PictureLimit, tmp_path: Path
) -> None:
    (tmp_path / "a").with_suffix(".jpg").write_bytes(given.picture)
    (frame,) = captured(tmp_path, given.broker_bytes, **given.camera)
    async with worker(limits=given.worker) as running:
        running.submit(frame)
        await running.finish()
    assert [(item.outcome, item.reason) for item in running.inspections] == [("quarantined", "too_large")]
    (event,) = running.events.of(RecordQuarantined)
    assert given.says in event.error


SMALL = jpeg(cv2.IMWRITE_JPEG_RST_INTERVAL, 5, picture=pictures.drawn(*SIZE))
SENT = (
    Case(
        "an MJPEG camera with stuffing before restart markers is inspected",
        "libjpeg-turbo#157",
        before_restarts(b"\0\1\2\3", SMALL),
    ),
    Case(
        "an MJPEG camera with stuffing before the end marker is inspected",
        "opencv#9477",
        before_end(b"\0\1\2\3", SMALL),
    ),
    Case("an MJPEG camera without end markers is inspected", "libyami#801", SMALL[:-2]),
)


@rows(SENT)
async def test_an_mjpeg_cameras_own_bytes_are_inspected(given: bytes, tmp_path: Path) -> None:
    payloads = [given] * 5
    frames = captured(make_mjpeg(tmp_path / "clip.mkv", payloads), 10**7)
    assert [frame.payload for frame in frames] == payloads
    async with worker() as running:
        running.submit(*frames)
        await running.finish()
    assert [item.outcome for item in running.inspections] == ["inspected"] * 5


def captured(folder: Path, broker_bytes: int, **settings: object) -> list[Frame]:
    """The frames of a folder's pictures, as ingest sends them."""
    clock, camera_settings = (
        FakeClock(),
        CameraSettings.model_validate({"id": "cam", "url": str(folder), "pace": "fast", **settings}),
    )
    bridge = Bridge(Lossless(1000, 10**8, clock), clock)
    Capture(camera_settings, bridge, Tools(open_source, clock, RecordedEvents(), broker_bytes), lambda _: None).run()
    return [message for message in iter(bridge.take, None) if isinstance(message, Frame)]


async def test_a_camera_of_damaged_pictures_is_reported_and_costs_no_other_camera_a_frame() -> None:
    """Reported: libjpeg-turbo#157. The worker ended again and again, and starved the other camera."""
    kinds = {"stuffed": before_restarts(b"\0"), "good": PLAIN, "damaged": PLAIN[:3000]}
    frames = [frame(seq, camera_id, payload=content) for seq in range(20) for camera_id, content in kinds.items()]
    async with worker(limit=5, limits=LIMITS) as running:
        running.submit(*frames)
        await running.finish()
    assert Counter((item.camera_id, item.outcome) for item in running.inspections) == {
        ("stuffed", "inspected"): 20,
        ("good", "inspected"): 20,
        ("damaged", "quarantined"): 20,
    }
    (event,) = running.events.of(CameraRefused)
    assert event.camera == "damaged"
    assert event.error.startswith("a damaged JPEG: ")
    assert running.done == list(range(60))
