"""Cameras that send H.264 and H.265: their own access units go on, and decode to what the camera sent."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.packet import Packet
from av.video.stream import VideoStream
from prometheus_client import CollectorRegistry

from andon.clock import SystemClock
from andon.events import GapFound
from andon.messages import Frame
from andon.pictures.picture import Bgr
from andon.process.metrics import Metrics
from andon.video import h264
from andon.video.decoder import GroupDecoder
from andon.video.units import join, split
from ingest.held_units import HeldUnits
from ingest.sources.choice import open_source
from ingest.sources.passage import Passage, PictureUnit
from ingest.sources.source import EncodedPicture, Picture, SourceError, Video
from ingest.sources.upright import Orientation
from tests.rtsp_camera.footage import Codec, Footage, film
from tests.unit.ingest.fakes import camera_settings
from tests.unit.ingest.test_passing import Line
from tests.videos import SIZE, make_video

ENCODERS = {"h264": "libx264", "hevc": "libx265"}
FRAMES = 24


def video(path: Path, codec: Codec = "h264", options: str = "", **fields: Any) -> Path:
    """A file of noisy pictures, so that no two are alike."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(ENCODERS[codec], rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = fields.get("size", SIZE)
        stream.pix_fmt = fields.get("pixels", "yuv420p")
        given = "x264-params" if codec == "h264" else "x265-params"
        usual = "keyint=8:min-keyint=8:scenecut=0:log-level=none"
        stream.options = {"preset": "ultrafast", "crf": "30", given: f"{usual}:{options}".rstrip(":")}
        for picture in np.random.default_rng(1).integers(0, 255, (FRAMES, SIZE[1] // 8, SIZE[0] // 8, 3), np.uint8):
            frame = av.VideoFrame.from_ndarray(np.kron(picture, np.ones((8, 8, 1), np.uint8)), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def plain(path: Path) -> list[Bgr]:
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in container.decode(video=0)]


def decoded(frames: Sequence[Frame]) -> list[Bgr]:
    """The frames' pictures as a worker decodes them, in the order in which they are shown."""
    decoder, wanted, number = GroupDecoder(frames[0].content_type), set[int](), 0
    out = []
    for frame in frames:
        start = 0
        for length in frame.units or (len(frame.payload),):
            out += decoder.feed(frame.payload[start : start + length], number)
            start, number = start + length, number + 1
        wanted.add(number - 1)
    out += decoder.flush()
    return [np.asarray(item.frame.to_ndarray(format="bgr24"), np.uint8) for item in out if item.number in wanted]


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("options", ["bframes=0", "bframes=2:b-adapt=0", "bframes=2:b-adapt=0:open-gop=1"])
def test_what_is_passed_on_decodes_to_what_the_file_holds(tmp_path: Path, codec: Codec, options: str) -> None:
    path = video(tmp_path / "clip.mp4", codec, options)
    frames = Line(path, encoding="auto").frames
    content_type = {"h264": "video/h264", "hevc": "video/h265"}[codec]
    assert {(frame.width, frame.height, frame.content_type, frame.gap) for frame in frames} == {
        (*SIZE, content_type, None)
    }
    assert [frame.seq for frame in frames] == list(range(FRAMES))
    assert frames[0].keyframe
    assert sum(frame.keyframe for frame in frames) == FRAMES // 8
    assert np.array_equal(decoded(frames), plain(path))
    media = [frame.media_time_s or 0.0 for frame in frames]
    assert sorted(media) == pytest.approx([number / 25 for number in range(FRAMES)], abs=1e-3)
    assert (media != sorted(media)) == ("bframes=2" in options)


@pytest.mark.parametrize("container", ["clip.mkv", "clip.ts"])
def test_other_files_are_passed_on_as_well(tmp_path: Path, container: str) -> None:
    path = video(tmp_path / container)
    assert np.array_equal(decoded(Line(path, encoding="auto").frames), plain(path))


@pytest.mark.parametrize("pixels", ["yuv422p", "yuvj420p", "yuv420p10le", "yuv444p"])
def test_samples_of_any_kind_are_passed_on(tmp_path: Path, pixels: str) -> None:
    path = video(tmp_path / "clip.mp4", pixels=pixels)
    frames = Line(path, encoding="passthrough").frames
    assert np.array_equal(decoded(frames), plain(path))


def remuxed(clip: Path, path: Path, change: Callable[["Packet[VideoStream]", int], None]) -> Path:
    """The same packets, changed one by one."""
    with av.open(str(clip)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for number, packet in enumerate(packets):
            change(packet, number)
            packet.stream = stream
            container.mux(packet)
    return path


def at(moment_s: float) -> Callable[["Packet[VideoStream]", int], None]:
    """Lets timestamps begin this number of seconds later."""

    def change(packet: "Packet[VideoStream]", _: int) -> None:
        later = round(moment_s / packet.time_base)
        packet.pts, packet.dts = (packet.pts or 0) + later, (packet.dts or 0) + later

    return change


def repeated(packet: "Packet[VideoStream]", number: int) -> None:
    """Each second picture has the timestamp of the one before."""
    interval = round(Fraction(1, 25) / packet.time_base)
    packet.pts = packet.dts = (number - number % 2) * interval


WRAP_S = 2**33 / 90_000
"""After this time the timestamps of MPEG's transport streams begin again at 0."""


@pytest.mark.parametrize("starts_s", [[WRAP_S - 0.5], [100.0, 10.0], [10.0, 3600.0]], ids=["wrap", "back", "ahead"])
def test_timestamps_that_wrap_or_jump_cost_no_picture_and_go_forward(tmp_path: Path, starts_s: list[float]) -> None:
    clip, path = video(tmp_path / "clip.mp4"), tmp_path / "joined.ts"
    parts = [remuxed(clip, tmp_path / f"{number}.ts", at(start)) for number, start in enumerate(starts_s)]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = Line(path, encoding="auto").frames
    assert [frame.seq for frame in frames] == list(range(FRAMES * len(parts)))
    assert np.array_equal(decoded(frames), plain(clip) * len(parts))
    times = [frame.media_time_s or 0.0 for frame in frames]
    assert times == pytest.approx([number / 25 for number in range(len(times))], abs=0.05)
    assert all(later > earlier for earlier, later in pairwise(times))


def test_timestamps_that_repeat_cost_no_picture_and_go_forward(tmp_path: Path) -> None:
    clip = video(tmp_path / "clip.mp4")
    frames = Line(remuxed(clip, tmp_path / "clip.mkv", repeated), encoding="auto").frames
    assert np.array_equal(decoded(frames), plain(clip))
    times = [frame.media_time_s or 0.0 for frame in frames]
    assert all(later > earlier for earlier, later in pairwise(times))


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_each_access_unit_has_a_delimiter_and_a_keyframe_its_parameter_sets(tmp_path: Path, codec: Codec) -> None:
    def kind(unit: bytes) -> int:
        return unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63

    for frame in Line(video(tmp_path / "clip.mp4", codec), encoding="auto").frames:
        kinds = [kind(unit) for unit in split(frame.payload)]
        sets = [7, 8] if codec == "h264" else [32, 33, 34]
        assert kinds[0] == (9 if codec == "h264" else 35)
        assert kinds[1 : 1 + len(sets)] == sets if frame.keyframe else not set(kinds) & set(sets)


def test_pictures_beyond_the_fps_limit_travel_with_the_next_frame(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4")
    frames = Line(path, encoding="auto", fps=5).frames
    assert [frame.seq for frame in frames] == list(range(11))
    assert sum(frame.units is not None for frame in frames) == 10
    assert [sum(frame.units or (len(frame.payload),)) for frame in frames] == [len(frame.payload) for frame in frames]
    whole = plain(path)
    due = [round((frame.media_time_s or 0.0) * 25) for frame in frames]
    assert np.array_equal(decoded(frames), [whole[number] for number in due])


def test_a_limit_at_the_cameras_own_rate_takes_every_b_frame(tmp_path: Path) -> None:
    path = video(tmp_path / "clip.mp4", options="bframes=2:b-adapt=0")
    assert len(Line(path, encoding="auto", fps=25).frames) == FRAMES


def test_the_worker_gets_the_crop_the_size_and_the_rules_of_health(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", frames=3)
    settings: dict[str, Any] = {"roi": (8, 8, 120, 60), "longest_side": 60}
    frame = Line(path, watched=True, encoding="auto", **settings).frames[0]
    assert (frame.roi, frame.longest_side, frame.width, frame.height) == ((8, 8, 120, 60), 60, 60, 30)
    assert (frame.health_rules, frame.health) == ("{}", None)
    assert Line(path, encoding="auto").frames[0].health_rules is None
    with pytest.raises(SourceError, match="outside the picture of 160x120"):
        Line(path, encoding="auto", roi=(100, 100, 100, 100))


@pytest.mark.parametrize(
    ("settings", "why"),
    [({"deinterlace": "on"}, "deinterlace: on"), ({}, "it is interlaced")],
)
def test_what_the_worker_can_not_do_is_done_here_and_said(tmp_path: Path, settings: dict[str, Any], why: str) -> None:
    path = video(tmp_path / "clip.mp4", options="" if settings else "tff=1")
    source = open_source(camera_settings(url=str(path), encoding="auto", **settings), SystemClock())
    pictures = list(iter(source.read, None))
    assert f"its pictures travel as JPEG: {why}" in source.info.notes
    assert len(pictures) == FRAMES
    assert all(picture.unit is None and picture.bgr is not None for picture in pictures)
    source.close()
    with pytest.raises(SourceError, match=f"{why}, so it can't be passed on"):
        Line(path, encoding="passthrough", **settings)


def test_a_usb_camera_can_not_be_passed_on() -> None:
    with pytest.raises(SourceError, match="set encoding to auto"):
        open_source(camera_settings(url="usb:0", encoding="passthrough"), SystemClock())


# ---- the quirks of real cameras


@lru_cache(8)
def footage(codec: Codec = "h264", parameters: str = "") -> Footage:
    return film(12, codec, f"keyint=6:min-keyint=6:{parameters}".rstrip(":"))


@contextmanager
def passage(tmp_path: Path, codec: Codec = "h264") -> Iterator[Passage]:
    """Of a stream that is described nowhere but in itself."""
    path = tmp_path / f"clip.{codec}"
    path.write_bytes(join(unit for units in footage(codec).units for unit in units))
    with av.open(str(path), format=codec) as container:
        stream = container.streams.video[0]
        stream.codec_context.extradata = b""
        yield Passage(stream)


def passed(passing: Passage, access_units: Sequence[Sequence[bytes]], missed: int = 0) -> list[PictureUnit]:
    out: list[PictureUnit] = []
    for units in access_units:
        packet: Packet[Any] = Packet(join(units))
        packet.time_base = Fraction(1, 25)
        out += passing.read(packet, missed)
    return out


def same_pictures(found: Sequence[PictureUnit], codec: Codec = "h264") -> bool:
    def shown(payloads: Sequence[bytes]) -> list[Bgr]:
        decoder = GroupDecoder({"h264": "video/h264", "hevc": "video/h265"}[codec])
        out = [item for number, payload in enumerate(payloads) for item in decoder.feed(payload, number)]
        return [np.asarray(item.frame.to_ndarray(format="gray"), np.uint8) for item in [*out, *decoder.flush()]]

    return np.array_equal(shown([item.payload for item in found]), shown([join(it) for it in footage(codec).units]))


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_parameter_sets_and_messages_in_access_units_of_their_own_go_with_the_next_picture(
    tmp_path: Path, codec: Codec
) -> None:
    whole = footage(codec).units
    apart: list[list[bytes]] = []
    for units in whole:
        slices = [unit for unit in units if (h264.is_slice(unit) if codec == "h264" else unit[0] >> 1 & 63 < 32)]
        apart += [[unit] for unit in units if unit not in slices] + [slices]
    with passage(tmp_path, codec) as passing:
        found = passed(passing, apart)
    assert len(found) == len(whole)
    assert [item.keyframe for item in found] == [number % 6 == 0 for number in range(12)]
    assert {item.gap for item in found} == {None}
    assert same_pictures(found, codec)


def test_a_keyframe_gets_the_parameter_sets_that_came_long_before(tmp_path: Path) -> None:
    bare = [
        units if not number else [unit for unit in units if not h264.is_parameter_set(unit)]
        for number, units in enumerate(footage().units)
    ]
    with passage(tmp_path) as passing:
        found = passed(passing, bare)
    assert found[6].keyframe
    assert [unit[0] & 31 for unit in split(found[6].payload)[:3]] == [9, 7, 8]


def test_a_keyframe_whose_parameter_sets_never_came_is_none(tmp_path: Path) -> None:
    bare = [[unit for unit in units if not h264.is_parameter_set(unit)] for units in footage().units]
    with passage(tmp_path) as passing:
        found = passed(passing, bare)
    assert {item.keyframe for item in found} == {False}
    assert {item.gap for item in found} == {"its picture parameter set 0 has not come"}


def test_units_behind_one_length_come_apart(tmp_path: Path) -> None:
    glued = [[b"\x00\x00\x01".join(units)] for units in footage().units]
    with passage(tmp_path) as passing:
        found = passed(passing, glued)
    assert same_pictures(found)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_units_behind_one_length_of_a_file_come_apart(tmp_path: Path, codec: Codec) -> None:
    """Cameras record parameter sets and keyframe as one NAL unit, with start codes in it."""

    def glue(packet: "Packet[VideoStream]", _: int) -> None:
        data, units = bytes(packet), list[bytes]()
        while data:
            length = int.from_bytes(data[:4])
            units, data = [*units, data[4 : 4 + length]], data[4 + length :]
        body = b"\x00\x00\x00\x01".join(units)
        packet.update(len(body).to_bytes(4) + body)

    clip = video(tmp_path / "clip.mp4", codec, "repeat-headers=1:slices=2:aud=1")
    frames = Line(remuxed(clip, tmp_path / "glued.mp4", glue), encoding="auto").frames
    assert {frame.gap for frame in frames} == {None}
    assert sum(frame.keyframe for frame in frames) == FRAMES // 8
    assert np.array_equal(decoded(frames), plain(clip))


def test_a_picture_without_its_first_slice_is_no_keyframe(tmp_path: Path) -> None:
    cut = [list(units) for units in footage("h264", "slices=2").units]
    first = next(unit for unit in cut[6] if h264.is_slice(unit))
    cut[6].remove(first)
    with passage(tmp_path) as passing:
        found = passed(passing, cut)
    assert (found[6].keyframe, found[6].gap) == (False, "its first slice is missing")


def test_a_missing_reference_is_noticed_by_the_streams_own_numbers(tmp_path: Path) -> None:
    units = footage().units
    with passage(tmp_path) as passing:
        found = passed(passing, [*units[:3], *units[4:]])
    assert [item.gap is not None for item in found].index(True) == 3
    assert sum(item.gap is not None for item in found) == 1


def test_each_frame_with_a_gap_is_counted_by_camera_and_said_with_what_is_missing(tmp_path: Path) -> None:
    units, path, registry = footage().units, tmp_path / "clip.h264", CollectorRegistry()
    path.write_bytes(join(part for parts in [*units[:3], *units[4:8], *units[9:]] for part in parts))
    line, metrics = Line(path, encoding="auto"), Metrics(registry)
    found = line.events.of(GapFound)
    for event in found:
        metrics(event)
    assert [event.frame for event in found] == [line.frames[3].frame_id, line.frames[7].frame_id]
    assert [event.missing for event in found] == [line.frames[3].gap, line.frames[7].gap]
    camera = line.frames[0].camera_id
    assert registry.get_sample_value("andon_ingest_frames_with_gap_total", {"camera": camera}) == 2


def test_missing_packets_spoil_the_unit_in_which_they_were_noticed_and_the_next(tmp_path: Path) -> None:
    units = footage().units
    with passage(tmp_path) as passing:
        found = passed(passing, units[:4]) + passed(passing, units[4:5], missed=2) + passed(passing, units[5:])
    gap = "2 RTP packets are missing"
    assert [item.gap for item in found[3:7]] == [None, gap, gap, None]
    with passage(tmp_path) as passing:
        found = passed(passing, units[:5]) + passed(passing, units[5:6], missed=1) + passed(passing, units[6:])
    assert not found[6].keyframe


def test_an_intra_refresh_without_a_keyframe_is_joined_at_its_recovery_point(tmp_path: Path) -> None:
    refreshing = film(30, "h264", "intra-refresh=1:keyint=10").units
    with passage(tmp_path) as passing:
        found = passed(passing, refreshing)
    points = [item for item in found[1:] if item.keyframe]
    assert len(points) == 2
    assert all(item.unit is not None and item.unit.recovery and not item.restarts for item in points)
    assert all(split(item.payload)[1][0] & 31 == 7 for item in points)


def test_a_stream_that_changes_its_size_says_the_new_one(tmp_path: Path) -> None:
    path, sizes = tmp_path / "clip.h264", ((160, 120), (96, 64))
    with path.open("wb") as out:
        for size in sizes:
            other = video(tmp_path / "part.h264", size=size)
            out.write(other.read_bytes())
    frames = Line(path, encoding="auto").frames
    assert [(frame.width, frame.height) for frame in frames] == [sizes[0]] * FRAMES + [sizes[1]] * FRAMES
    assert {frame.gap for frame in frames} == {None}


# ---- units that are no frames


def unit(content: bytes, *, keyframe: bool = False, restarts: bool = False, gap: str | None = None) -> Picture:
    encoded = EncodedPicture(content, 4, 4, video=Video("video/h264", keyframe, gap))
    return Picture(0.0, None, unit=encoded, keyframe=keyframe, restarts=restarts)


def test_a_group_that_holds_no_frame_is_left_out() -> None:
    carried = HeldUnits(100)
    carried.hold(unit(b"a", keyframe=True, restarts=True))
    carried.hold(unit(b"b"))
    carried.hold(unit(b"C", keyframe=True, restarts=True))
    found = carried.before(unit(b"d"))
    assert found.payload == b"Cd"
    assert found.video == Video("video/h264", True, None, (1, 1))
    assert carried.before(unit(b"e")).video == Video("video/h264", False)


def test_what_begins_anew_needs_nothing_that_was_held() -> None:
    carried = HeldUnits(100)
    carried.hold(unit(b"a"))
    assert carried.before(unit(b"B", keyframe=True, restarts=True)).payload == b"B"


def test_a_gap_among_the_units_is_the_frames() -> None:
    carried = HeldUnits(100)
    carried.hold(unit(b"a", keyframe=True))
    carried.hold(unit(b"b", gap="lost"))
    assert carried.before(unit(b"c")).video == Video("video/h264", False, "lost", (1, 1, 1))


def test_units_beyond_the_bound_are_a_gap() -> None:
    carried = HeldUnits(3)
    for _ in range(3):
        carried.hold(unit(b"xx"))
    found = carried.before(unit(b"c"))
    assert len(found.payload) <= 3
    assert found.video is not None
    assert found.video.gap == "more than 3 bytes came between two frames"


@pytest.mark.parametrize(
    ("turned", "number"),
    [
        (Orientation(), 1),
        (Orientation(-1, 0, 0, 1), 2),
        (Orientation(-1, 0, 0, -1), 3),
        (Orientation(1, 0, 0, -1), 4),
        (Orientation(0, 1, 1, 0), 5),
        (Orientation(0, 1, -1, 0), 6),
        (Orientation(0, -1, -1, 0), 7),
        (Orientation(0, -1, 1, 0), 8),
    ],
)
def test_a_turn_has_exifs_number(turned: Orientation, number: int) -> None:
    assert turned.exif == number


def test_a_turned_camera_says_so_in_its_frames(tmp_path: Path) -> None:
    path = tmp_path / "clip.h264"
    path.write_bytes(join(part for parts in film(6, turned=90).units for part in parts))
    frame = Line(path, encoding="auto").frames[0]
    assert (frame.turn, frame.width, frame.height) == (6, 120, 160)


def test_a_damaged_packet_is_passed_on_with_what_is_wrong(tmp_path: Path) -> None:
    with passage(tmp_path) as passing:
        found = passed(passing, footage().units[:2])
        broken: Packet[Any] = Packet(b"\x00\x00\x00\x01\x61")
        broken.time_base = Fraction(1, 25)
        found += passing.read(broken, 0)
    assert found[2].gap is not None
    assert replace(found[2], payload=b"").unit is None
