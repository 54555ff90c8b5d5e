import numpy as np
import pytest

from andon.errors import PoisonError
from andon.video.decoder import DecodedUnit, GroupDecoder
from andon.video.pixels import BgrConverter
from tests.video_units import OPEN_264, PLAIN_264, PLAIN_265, STREAMS, Encoder, stream


def decoded(decoder: GroupDecoder, *units: bytes, first: int = 0) -> list[DecodedUnit]:
    return [picture for number, unit in enumerate(units, first) for picture in decoder.feed(unit, number)]


@pytest.mark.parametrize("encoder", STREAMS.values(), ids=STREAMS)
def test_every_unit_gives_the_picture_of_a_plain_decode_under_its_own_number(encoder: Encoder) -> None:
    camera, decoder, converter = stream(encoder), GroupDecoder(stream(encoder).content_type), BgrConverter()
    pictures = decoded(decoder, *camera.units) + decoder.flush()
    assert [picture.number for picture in pictures] == camera.shown
    for picture in pictures:
        assert not picture.damaged
        np.testing.assert_array_equal(converter.convert(picture.frame), camera.pictures[picture.number])


@pytest.mark.parametrize("encoder", [PLAIN_264, PLAIN_265], ids=["h264", "h265"])
def test_a_picture_comes_out_as_soon_as_its_unit_is_fed(encoder: Encoder) -> None:
    camera, decoder = stream(encoder), GroupDecoder(stream(encoder).content_type)
    for number, unit in enumerate(camera.units):
        assert [picture.number for picture in decoder.feed(unit, number)] == [number]


def test_a_flushed_decoder_begins_anew_at_the_next_keyframe() -> None:
    camera, decoder = stream(PLAIN_264), GroupDecoder("video/h264")
    decoded(decoder, *camera.units[:5])
    decoder.flush()
    pictures = decoded(decoder, *camera.units[10:15], first=10)
    assert [picture.number for picture in pictures] == [10, 11, 12, 13, 14]
    for picture in pictures:
        np.testing.assert_array_equal(BgrConverter().convert(picture.frame), camera.pictures[picture.number])


def test_the_decoder_holds_pictures_back_only_for_their_order() -> None:
    camera, decoder = stream(OPEN_264), GroupDecoder("video/h264")
    first = decoded(decoder, *camera.units[:7])
    assert [picture.number for picture in first + decoder.flush()] == sorted(range(7), key=camera.order.__getitem__)


@pytest.mark.parametrize("unit", [b"", b"\0\0\0\1", b"no video", bytes(1000)])
def test_bytes_that_are_no_video_are_poison_or_no_picture(unit: bytes) -> None:
    decoder = GroupDecoder("video/h264")
    try:
        assert decoder.feed(unit, 0) == []
    except PoisonError as error:
        assert error.reason == "undecodable"


def test_the_picture_of_half_a_unit_is_called_damaged() -> None:
    """H.265's decoder may not notice: whoever carries the units must."""
    camera, decoder = stream(PLAIN_264), GroupDecoder("video/h264")
    decoded(decoder, *camera.units[:3])
    assert [picture.damaged for picture in decoder.feed(camera.units[3][: len(camera.units[3]) // 2], 3)] == [True]


def test_an_encoding_without_a_decoder_is_named() -> None:
    with pytest.raises(PoisonError, match="'video/av1' has no video decoder here"):
        GroupDecoder("video/av1")
