"""Which JPEGs can go on as they are."""

import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.pictures.jpeg_header import passable
from tests.unit.ingest.fakes import bgr
from tests.unit.ingest.jpegs import jpeg, with_orientation, without_tables

PLAIN = jpeg(bgr(64, 48))


def test_baseline_progressive_and_grey_pictures_pass() -> None:
    assert passable(PLAIN) == (64, 48)
    assert passable(jpeg(bgr(50, 30), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)) == (50, 30)
    assert passable(jpeg(bgr(64, 48)[:, :, 1])) == (64, 48)


def test_fill_bytes_may_stand_before_a_marker() -> None:
    assert passable(PLAIN[:2] + b"\xff\xff" + PLAIN[2:]) == (64, 48)


def test_a_picture_without_its_huffman_tables_does_not_pass() -> None:
    assert passable(without_tables(PLAIN)) is None


@pytest.mark.parametrize("marker", [0xC3, 0xC9, 0xCA])
def test_a_coding_that_is_not_read_everywhere_does_not_pass(marker: int) -> None:
    assert passable(PLAIN.replace(b"\xff\xc0", bytes([0xFF, marker]), 1)) is None


@pytest.mark.parametrize(("at", "value"), [(4, 12), (9, 4), (6, 0)], ids=["12 bits", "cmyk", "no height"])
def test_a_frame_header_of_another_kind_does_not_pass(at: int, value: int) -> None:
    content = bytearray(PLAIN)
    frame = PLAIN.index(b"\xff\xc0")
    content[frame + at] = value
    content[frame + 5] = 0
    assert passable(bytes(content)) is None


@pytest.mark.parametrize("order", ["II", "MM"])
def test_a_picture_that_is_to_be_turned_does_not_pass(order: str) -> None:
    assert passable(with_orientation(PLAIN, 6, order)) is None
    assert passable(with_orientation(PLAIN, 1, order)) == (64, 48)


@given(st.integers(0, PLAIN.index(b"\xff\xda") + 3))
def test_a_header_that_breaks_off_does_not_pass(length: int) -> None:
    assert passable(PLAIN[:length]) is None


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(content: bytes) -> None:
    for start in (b"", b"\xff\xd8", PLAIN[:2] + b"\xff\xe1\x00\x40Exif\0\0"):
        passable(start + content)
