"""The headers of real streams: what x264 and x265 write in every way that cameras do."""

from functools import lru_cache
from random import Random

import pytest

from andon.video.access_unit import AccessUnit
from andon.video.gaps import UnitGaps
from andon.video.h264 import H264
from andon.video.h265 import H265
from andon.video.units import MalformedError, join
from tests.fuzz.records import damaged
from tests.rtsp_camera.footage import Codec, Footage, film

STREAMS: dict[str, tuple[Codec, str, str, bool]] = {
    "h264": ("h264", "", "yuv420p", False),
    "h264, B-frames": ("h264", "bframes=3:b-pyramid=normal:b-adapt=0:weightp=0", "yuv420p", False),
    "h264, two slices": ("h264", "slices=2", "yuv420p", False),
    "h264, intra refresh": ("h264", "intra-refresh=1:keyint=10", "yuv420p", False),
    "h264, open groups": ("h264", "open-gop=1:bframes=2:keyint=10:min-keyint=1:b-adapt=0", "yuv420p", False),
    "h264, several references": ("h264", "ref=4:keyint=50", "yuv420p", False),
    "h264, interlaced": ("h264", "", "yuv420p", True),
    "h264, 4:2:2": ("h264", "", "yuv422p", False),
    "h264, 4:4:4, scaling lists": ("h264", "cqm=jvt", "yuv444p", False),
    "h264, full range, buffer model": (
        "h264",
        "fullrange=on:colorprim=bt709:transfer=bt709:colormatrix=bt709:sar=4/3:vbv-maxrate=800:vbv-bufsize=800:nal-hrd=vbr",
        "yuvj420p",
        False,
    ),
    "h265": ("hevc", "", "yuv420p", False),
    "h265, B-frames": ("hevc", "bframes=3:b-adapt=0:ref=4:rc-lookahead=10", "yuv420p", False),
    "h265, two slices": ("hevc", "slices=2:ctu=16", "yuv420p", False),
    "h265, open groups": (
        "hevc",
        "open-gop=1:bframes=2:keyint=11:min-keyint=1:b-adapt=0:rc-lookahead=12",
        "yuv420p",
        False,
    ),
    "h265, 10 bits": ("hevc", "", "yuv420p10le", False),
    "h265, 4:2:2, scaling lists": ("hevc", "scaling-list=default", "yuv422p", False),
    "h265, temporal layers": ("hevc", "temporal-layers=1:bframes=3:b-adapt=0:rc-lookahead=10", "yuv420p", False),
}
NAMES = pytest.mark.parametrize("name", STREAMS)


@lru_cache(32)
def filmed(name: str) -> Footage:
    codec, parameters, pixels, interlaced = STREAMS[name]
    return film(30, codec, parameters, pixels=pixels, interlaced=interlaced)


def reader(footage: Footage) -> H264 | H265:
    return H264() if footage.codec == "h264" else H265()


def units(name: str) -> list[AccessUnit]:
    footage = filmed(name)
    stream = reader(footage)
    return [stream.read(join(parts)) for parts in footage.units]


@NAMES
def test_each_picture_of_a_stream_is_described(name: str) -> None:
    found = units(name)
    assert len(found) == 30
    assert found[0].random_access in ("idr", "cra")
    assert all(unit.slices >= (2 if "two slices" in name else 1) and unit.whole_start for unit in found)
    assert {(unit.layout.width, unit.layout.height, unit.layout.interlaced) for unit in found if unit.layout} == {
        (160, 120, "interlaced" in name)
    }
    assert any(unit.bidirectional for unit in found) == ("B-frames" in name or "open" in name or "layers" in name)
    assert found[0].intra
    assert not found[1].intra


@NAMES
def test_a_whole_stream_misses_nothing(name: str) -> None:
    gaps = UnitGaps()
    assert [reason for unit in units(name) if (reason := gaps.before(unit)) is not None] == []


@NAMES
def test_a_missing_picture_that_others_refer_to_is_noticed(name: str) -> None:
    found = units(name)
    for missing in range(1, len(found) - 1):
        gaps, reasons = UnitGaps(), []
        for number, unit in enumerate(found):
            if number != missing:
                reasons.append(gaps.before(unit))
        following = found[missing + 1]
        fresh = following.random_access != "none" and not following.recovery
        needed = found[missing].reference and not fresh
        if found[0].kind == "h264":
            assert (reasons[missing] is not None) == needed, missing
        else:
            assert (not needed) or any(reasons[missing:]), missing
        assert found[missing].reference or not any(reasons), missing


def test_random_access_points_are_those_that_the_stream_has() -> None:
    assert [unit.random_access for unit in units("h264, intra refresh")].count("recovery") == 2
    assert {unit.recovery for unit in units("h264, intra refresh") if unit.random_access == "recovery"} != {0}
    open_groups = [unit for unit in units("h264, open groups") if unit.random_access != "none"]
    assert [unit.random_access for unit in open_groups] == ["idr", "recovery", "recovery"]
    assert {unit.recovery for unit in open_groups} == {0}
    accesses = [unit.random_access for unit in units("h265, open groups")]
    assert (accesses.count("idr"), accesses.count("cra")) == (1, 2)
    assert "rasl" in {unit.leading for unit in units("h265, open groups")}


@pytest.mark.parametrize("name", ["h264", "h265"])
def test_a_picture_without_its_parameter_sets_is_refused_with_the_reason(name: str) -> None:
    footage = filmed(name)
    with pytest.raises(MalformedError, match="has not come"):
        reader(footage).read(join(footage.units[1]))


@pytest.mark.parametrize("name", ["h264", "h265"])
def test_parameter_sets_and_messages_of_their_own_hold_no_picture(name: str) -> None:
    footage = filmed(name)
    stream = reader(footage)
    assert [stream.read(join([unit])).slices for unit in footage.parameter_sets] == [0] * len(footage.parameter_sets)
    assert stream.read(join(footage.units[1])).slices >= 1
    kept = {kind: unit for (kind, _), unit in stream.sets.items()}
    assert sorted(kept.values()) == sorted(footage.parameter_sets)


def test_a_picture_whose_first_slice_is_missing_says_so() -> None:
    for name in ("h264, two slices", "h265, two slices"):
        footage = filmed(name)
        stream = reader(footage)
        stream.read(join(footage.units[0]))
        assert not stream.read(join(footage.units[1][-1:])).whole_start


@pytest.mark.parametrize("name", ["h264, full range, buffer model", "h265, B-frames", "h264, B-frames"])
def test_damaged_units_are_read_or_malformed_and_nothing_else(name: str) -> None:
    footage = filmed(name)
    whole, read = [join(parts) for parts in footage.units[:6]], 0
    for seed in range(500):
        rng = Random(seed)
        stream, gaps = reader(footage), UnitGaps()
        for _ in range(3):
            try:
                unit = stream.read(damaged(rng.choice(whole)[:400], rng))
                gaps.before(unit)
                read += 1
            except MalformedError as error:
                assert "\n" not in str(error)
    assert 300 < read < 4_400
