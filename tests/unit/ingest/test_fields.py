"""Deinterlacing: every picture comes out once, in order, without combs."""

import io
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
import pytest
from av.container import InputContainer
from av.video.frame import VideoFrame

from andon.settings.cameras import Deinterlace
from ingest.sources.fields import Deinterlacer, PictureSlot
from ingest.sources.upright import Orientation
from tests.rtsp_camera import Footage, film
from tests.videos import number_of


def decoded(footage: Footage) -> list[VideoFrame]:
    """Its pictures, with 25 a second."""
    stream = b"".join(b"\0\0\0\1" + unit for units in footage.units for unit in units)
    with av.open(io.BytesIO(stream), format="h264") as container:
        assert isinstance(container, InputContainer)
        frames = list(container.decode(video=0))
    for number, frame in enumerate(frames):
        frame.pts, frame.time_base = number, Fraction(1, 25)
    return frames


INTERLACED, PROGRESSIVE = decoded(film(12, interlaced=True)), decoded(film(12))


def through(
    mode: Deinterlace, frames: Sequence[VideoFrame | None], corrupt: frozenset[int] = frozenset()
) -> list[PictureSlot]:
    fields = Deinterlacer(mode)
    given = [PictureSlot(frame, number in corrupt) for number, frame in enumerate(frames)]
    return [out for item in given for out in fields.take(item)] + fields.end()


def comb(item: PictureSlot) -> float:
    """How far the lines of the bar lie from their neighbours, in levels."""
    assert item.frame is not None
    luma = item.frame.to_ndarray(format="gray")[42:78].astype(np.int16)
    return float(np.abs(luma[1:-1] - (luma[:-2] + luma[2:]) / 2).mean())


def numbers(items: Sequence[PictureSlot]) -> list[int | None]:
    return [
        None if item.frame is None else number_of(np.asarray(item.frame.to_ndarray(format="bgr24")[:15], np.uint8))
        for item in items
    ]


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_interlaced_pictures_come_out_once_in_order_and_without_combs(mode: Deinterlace) -> None:
    out = through(mode, INTERLACED)
    assert numbers(out) == list(range(12))
    assert max(comb(item) for item in out) < 1 < 10 < min(comb(PictureSlot(frame, False)) for frame in INTERLACED)


def test_deinterlaced_pictures_keep_their_timestamps() -> None:
    times = [item.frame.time for item in through("auto", INTERLACED) if item.frame is not None]
    assert times == pytest.approx([number / 25 for number in range(12)])


def test_deinterlaced_pictures_keep_their_orientation() -> None:
    fields, turned = Deinterlacer("on"), Orientation(0, 1, -1, 0)
    out = [out for frame in INTERLACED for out in fields.take(PictureSlot(frame, False, turned))] + fields.end()
    assert [item.orientation for item in out] == [turned] * 12


@pytest.mark.parametrize(("mode", "frames"), [("auto", PROGRESSIVE), ("off", PROGRESSIVE), ("off", INTERLACED)])
def test_what_is_not_to_be_deinterlaced_comes_out_at_once_as_it_is(mode: Deinterlace, frames: list[VideoFrame]) -> None:
    fields = Deinterlacer(mode)
    assert [fields.take(PictureSlot(frame, False))[0].frame for frame in frames] == frames
    assert fields.end() == []


def test_progressive_pictures_between_interlaced_ones_stay_as_they_are() -> None:
    out = through("auto", [*INTERLACED[:4], *PROGRESSIVE[4:8], *INTERLACED[8:]])
    assert numbers(out) == list(range(12))
    assert max(comb(item) for item in out) < 1


def test_a_corrupt_picture_spoils_both_of_its_neighbours() -> None:
    out = through("auto", INTERLACED, frozenset({5}))
    assert [number for number, item in enumerate(out) if item.corrupt] == [4, 5, 6]


def test_what_the_decoder_left_out_keeps_its_place() -> None:
    out = through("auto", [None, *INTERLACED[:3], None, None, *INTERLACED[3:], None])
    assert numbers(out) == [None, 0, 1, 2, None, None, *range(3, 12), None]


def test_a_change_of_size_loses_nothing() -> None:
    small = [frame.reformat(width=80, height=60) for frame in INTERLACED[6:]]
    out = through("on", [*INTERLACED[:6], *small])
    assert numbers(out) == list(range(12))
    assert [item.frame.width for item in out if item.frame is not None] == [160] * 6 + [80] * 6
