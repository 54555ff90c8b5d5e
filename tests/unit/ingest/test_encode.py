"""Which pictures are taken, what part of them, how large."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.pictures.picture import Bgr
from ingest.encode import JPEG_SIDE_PX, FpsLimit, encode
from ingest.sources.source import EncodedPicture, SourceError
from tests.unit.ingest.fakes import bgr, camera_settings


def decoded(encoded: EncodedPicture) -> Bgr:
    pixels = cv2.imdecode(np.frombuffer(encoded.payload, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return np.asarray(pixels, dtype=np.uint8)


def test_a_picture_survives_in_size_and_colour() -> None:
    picture = bgr(64, 48)
    picture[:, :, 2] = 200
    encoded = encode(picture, camera_settings())
    assert (encoded.width, encoded.height) == (64, 48)
    assert np.abs(decoded(encoded).astype(int) - picture).max() <= 3


def test_a_crop_is_that_part_of_the_picture() -> None:
    picture = bgr(64, 48, 0)
    picture[16:32, 8:40] = 255
    encoded = encode(picture, camera_settings(roi=(8, 16, 32, 16)))
    assert (encoded.width, encoded.height) == (32, 16)
    assert decoded(encoded).min() > 250


@pytest.mark.parametrize("roi", [(40, 0, 30, 10), (0, 40, 10, 10), (0, 0, 65, 48)])
def test_a_crop_outside_the_picture_is_named_with_both_sizes(roi: tuple[int, int, int, int]) -> None:
    with pytest.raises(SourceError, match=r"roi \[.*\] lies outside the picture of 64x48"):
        encode(bgr(64, 48), camera_settings(roi=roi))


@pytest.mark.parametrize(("size", "side", "expected"), [((640, 480), 320, (320, 240)), ((30, 64), 32, (15, 32))])
def test_a_large_picture_shrinks_to_its_longest_side(
    size: tuple[int, int], side: int, expected: tuple[int, int]
) -> None:
    encoded = encode(bgr(*size), camera_settings(longest_side=side))
    assert (encoded.width, encoded.height) == expected


def test_a_small_picture_is_never_enlarged() -> None:
    assert encode(bgr(64, 48), camera_settings(longest_side=640)).width == 64


def test_a_thin_picture_keeps_at_least_one_pixel() -> None:
    assert encode(bgr(1000, 1), camera_settings(longest_side=32)).height == 1


def test_a_lower_quality_is_smaller() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    sizes = [len(encode(noise, camera_settings(jpeg_quality=quality)).payload) for quality in (20, 95)]
    assert sizes[0] < sizes[1]


def test_the_cameras_array_is_left_as_it_was() -> None:
    picture = bgr(64, 48)
    encode(picture, camera_settings(roi=(0, 0, 32, 32), longest_side=32))
    assert (picture == bgr(64, 48)).all()


def test_without_a_limit_every_picture_is_taken() -> None:
    limit = FpsLimit(None)
    assert all(limit.takes(at_s) for at_s in (0.0, 0.0, 0.001, 5.0))


def test_25_fps_limited_to_10_gives_10() -> None:
    limit = FpsLimit(10)
    assert sum(limit.takes(index / 25) for index in range(251)) == 101  # both ends of 10 s


@given(st.lists(st.floats(0, 0.003), min_size=300, max_size=300))
def test_a_limit_at_the_cameras_own_rate_loses_nothing_to_jitter(jitter: list[float]) -> None:
    limit = FpsLimit(30)
    assert all(limit.takes(index / 30 + late) for index, late in enumerate(jitter))


@given(st.lists(st.floats(0, 0.5), max_size=200), st.floats(0.5, 60))
def test_never_more_than_the_limit_over_any_length_of_time(gaps: list[float], fps: float) -> None:
    limit, at_s, taken = FpsLimit(fps), 0.0, 0
    for gap in gaps:
        at_s += gap
        taken += limit.takes(at_s)
    assert taken <= sum(gaps) * fps + 1.5 + 1e-6


def test_a_picture_that_no_jpeg_can_hold_has_no_payload() -> None:
    line_scan = np.zeros((2, JPEG_SIDE_PX + 1, 3), np.uint8)
    found = encode(line_scan, camera_settings())
    assert (found.payload, found.width, found.height) == (b"", JPEG_SIDE_PX + 1, 2)
    assert "longest_side" in (found.too_large or "")
    assert encode(line_scan[:, 1:], camera_settings()).payload
    assert encode(line_scan, camera_settings(longest_side=1000)).payload
