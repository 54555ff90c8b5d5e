import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.errors import PoisonError
from andon.pictures import jpeg, png
from andon.pictures.picture import Bgr, PictureLimits, PixelLayout
from andon.pictures.reader import decode

LIMITS = PictureLimits(max_bytes=1_000_000, max_pixels=1_000_000)


def picture(height: int = 60, width: int = 80) -> Bgr:
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height)), np.uint8)


def encoded(suffix: str, image: Bgr | None = None, *options: int) -> bytes:
    return cv2.imencode(suffix, picture() if image is None else image, list(options))[1].tobytes()


JPEG = encoded(".jpg")
PNG = encoded(".png")


def refused(payload: bytes, content_type: str = "image/jpeg", limits: PictureLimits = LIMITS) -> PoisonError:
    with pytest.raises(PoisonError) as caught:
        decode(payload, content_type, limits)
    return caught.value


def test_a_jpeg_becomes_bgr_in_its_own_size() -> None:
    decoded = decode(JPEG, "image/jpeg", LIMITS).pixels
    assert decoded.shape == (60, 80, 3)
    assert decoded.dtype == np.uint8
    assert np.abs(decoded.astype(int) - picture()).mean() < 4


@pytest.mark.parametrize(
    ("enough_px", "size"),
    [(None, (60, 80)), (41, (60, 80)), (40, (30, 40)), (20, (15, 20)), (10, (8, 10)), (1, (8, 10))],
)
def test_a_jpeg_is_decoded_no_larger_than_the_model_needs(enough_px: int | None, size: tuple[int, int]) -> None:
    decoded = decode(JPEG, "image/jpeg", LIMITS, enough_px)
    assert decoded.pixels.shape == (*size, 3)
    assert (decoded.width, decoded.height) == (80, 60)


def test_a_reduced_jpeg_is_the_picture_shrunk() -> None:
    half = decode(JPEG, "image/jpeg", LIMITS, 40).pixels
    assert np.abs(half.astype(int) - cv2.resize(picture(), (40, 30), interpolation=cv2.INTER_AREA)).mean() < 4


@pytest.mark.parametrize("kept", [0.9, 0.5, 0.1])
def test_a_truncated_jpeg_is_refused_at_a_reduced_size_too(kept: float) -> None:
    with pytest.raises(PoisonError, match=r"damaged|header"):
        decode(JPEG[: int(len(JPEG) * kept)], "image/jpeg", LIMITS, 40)


def test_a_png_comes_back_exactly() -> None:
    assert (decode(PNG, "image/png", LIMITS).pixels == picture()).all()


def test_a_progressive_and_a_grey_jpeg_are_read_too() -> None:
    progressive = encoded(".jpg", None, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert decode(progressive, "image/jpeg", LIMITS).pixels.shape == (60, 80, 3)
    grey = cv2.imencode(".jpg", picture()[:, :, 0])[1].tobytes()
    assert decode(grey, "image/jpeg", LIMITS).pixels.shape == (60, 80, 3)


def test_bytes_behind_the_end_of_a_jpeg_are_ignored() -> None:
    assert decode(JPEG + bytes(64), "image/jpeg", LIMITS).pixels.shape == (60, 80, 3)


@pytest.mark.parametrize("kept", [0.99, 0.9, 0.5, 0.1])
@pytest.mark.parametrize(("whole", "kind"), [(JPEG, "image/jpeg"), (PNG, "image/png")])
def test_a_truncated_picture_is_refused_and_not_filled_up(whole: bytes, kind: str, kept: float) -> None:
    assert refused(whole[: int(len(whole) * kept)], kind).reason == "undecodable"


def test_a_jpeg_with_a_hole_in_it_is_refused() -> None:
    middle = len(JPEG) * 2 // 3
    assert refused(JPEG[:middle] + JPEG[middle + 200 :]).reason == "undecodable"


def test_a_png_with_one_wrong_byte_is_refused() -> None:
    spoilt = bytearray(PNG)
    spoilt[len(PNG) // 2] ^= 1
    assert refused(bytes(spoilt), "image/png").reason == "undecodable"


@pytest.mark.parametrize("payload", [b"", b"\xff\xd8", b"\xff\xd8\xff\xd9", b"GIF89a" * 9, bytes(100), b"\xff" * 100])
@pytest.mark.parametrize("kind", ["image/jpeg", "image/png"])
def test_bytes_that_are_no_picture_are_refused(payload: bytes, kind: str) -> None:
    assert refused(payload, kind).reason == "undecodable"


def test_a_content_type_without_a_decoder_is_refused_by_its_name() -> None:
    assert "video/h264" in str(refused(JPEG, "video/h264"))


def test_too_many_bytes_are_refused_unread() -> None:
    error = refused(JPEG, limits=PictureLimits(len(JPEG) - 1, 1_000_000))
    assert error.reason == "too_large"
    assert "worker.max_frame_bytes" in str(error)


def test_a_picture_at_the_limits_passes_and_one_pixel_more_does_not() -> None:
    decode(JPEG, "image/jpeg", PictureLimits(len(JPEG), 60 * 80))
    assert refused(JPEG, limits=PictureLimits(len(JPEG), 60 * 80 - 1)).reason == "too_large"


@pytest.mark.parametrize("kind", ["image/jpeg", "image/png"])
def test_a_bomb_is_refused_before_its_pixels_are_allocated(kind: str) -> None:
    bomb = jpeg_bomb() if kind == "image/jpeg" else png_bomb()
    tracemalloc.start()
    assert refused(bomb, kind).reason == "too_large"
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1_000_000


def jpeg_bomb() -> bytes:
    """A small JPEG whose header claims 65,000 x 65,000 pixels."""
    at = JPEG.index(b"\xff\xc0")
    return JPEG[: at + 5] + struct.pack(">HH", 65_000, 65_000) + JPEG[at + 9 :]


def png_bomb() -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return PNG[:8] + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + PNG[33:]


@given(st.binary(max_size=400))
def test_every_payload_that_is_no_picture_raises_a_poison_error(payload: bytes) -> None:
    for kind, start in (("image/jpeg", b"\xff\xd8"), ("image/png", PNG[:8]), ("image/jpeg", b"")):
        with pytest.raises(PoisonError):
            decode(start + payload, kind, LIMITS)


@given(st.integers(0, len(JPEG) - 1), st.integers(1, 255))
def test_a_jpeg_with_any_byte_changed_is_read_or_refused(at: int, flip: int) -> None:
    spoilt = bytearray(JPEG)
    spoilt[at] ^= flip
    try:
        assert decode(bytes(spoilt), "image/jpeg", LIMITS).pixels.ndim == 3
    except PoisonError as error:
        assert error.reason in ("undecodable", "too_large")


def test_the_size_is_read_from_the_picture_itself() -> None:
    assert jpeg.layout(JPEG) == PixelLayout(80, 60)
    assert png.layout(PNG) == PixelLayout(80, 60)


def test_a_jpeg_of_endless_scans_is_refused_before_it_takes_minutes() -> None:
    """Found by fuzzing: each scan takes the decoder through the whole picture."""
    progressive = encoded(".jpg", None, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    last = progressive[progressive.rindex(b"\xff\xda") : -2]
    assert "scans" in str(refused(progressive[:-2] + last * 200 + progressive[-2:]))


def test_other_chunks_of_a_png_are_not_unpacked(capfd: pytest.CaptureFixture[str]) -> None:
    """Found by fuzzing: a profile that unpacks to gigabytes, and a line on stderr for each odd chunk."""
    chunks = [(b"tIME", b"\x07\xea\x03\x01\0\0\0")] * 3 + [(b"iCCP", b"k\0\0" + zlib.compress(bytes(10_000_000), 9))]
    carried = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    assert (decode(PNG[:33] + carried + PNG[33:], "image/png", LIMITS).pixels == picture()).all()
    assert capfd.readouterr().err == ""
