"""An industrial camera's pictures, from a device that follows a script."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from ingest.sources.genicam import GenicamSource
from ingest.sources.genicam_device import WHOLE, DeviceInfo, GenicamPicture
from ingest.sources.refusals import Refusal
from ingest.sources.source import NoPictureYetError, Picture, SilentError, SourceError, try_read
from ingest.sources.timeline import timeline
from ingest.sources.urls import parse
from tests.fakes import START, FakeClock
from tests.unit.ingest.fakes import camera_settings

MONO8, MONO16, JPEG = 0x01080001, 0x01100007, 0x80000001
INFO = DeviceInfo(MONO8, "Mono8", ("Mono8", "RGB8", "Odd"), 4, 3, fps=10.0, bits=None)
Script = Iterable[GenicamPicture | None]


def delivery(frame_id: int, **values: object) -> GenicamPicture:
    """Whole, taken a tenth of a second after the one before."""
    at_s = 100 + frame_id / 10
    whole = GenicamPicture(WHOLE, frame_id, at_s, at_s + 1e9, MONO8, 4, 3, 0, bytes([frame_id % 256]) * 12)
    return replace(whole, **values)  # type: ignore[arg-type]  # the fields of a delivery


class ScriptedDevice:
    """Delivers what it is given; at a None nothing comes in time, and at the end nothing ever."""

    def __init__(self, script: Script, clock: FakeClock, info: DeviceInfo = INFO) -> None:
        self.info = info
        self.lost = False
        self.alive = True
        self.closed = self.given_up = False
        self.no_buffer = 0
        self._script = iter(script)
        self._clock = clock

    def take(self, timeout_s: float) -> GenicamPicture | None:
        item = next(self._script, None)
        if item is None:
            self._clock.advance(timeout_s)
        return item

    def answers(self) -> bool:
        return self.alive

    def give_up(self) -> None:
        self.given_up = True

    def underruns(self) -> int:
        return self.no_buffer

    def close(self) -> None:
        self.closed = True


class Rig:
    def __init__(self, *script: GenicamPicture | None, info: DeviceInfo = INFO, **genicam: object) -> None:
        self.clock = FakeClock()
        self.device = ScriptedDevice(script, self.clock, info)
        settings = camera_settings(url="gige:7", read_timeout_s=2.0, genicam=genicam)
        self.source = GenicamSource(parse("gige:7"), settings, self.clock, self.device)

    def pictures(self, count: int) -> list[Picture]:
        return [picture for _ in range(count) if (picture := self.source.read()) is not None]


def test_a_whole_picture_carries_the_cameras_own_time_and_its_pixels() -> None:
    rig = Rig(delivery(1), delivery(2))
    first, second = rig.pictures(2)
    assert (first.pts_s, second.pts_s) == pytest.approx((100.1, 100.2))
    assert first.bgr is not None
    assert first.bgr().tolist() == np.full((3, 4, 3), 1).tolist()
    assert (rig.source.info.codec, rig.source.info.clock, rig.source.info.fps) == ("Mono8", "camera", 10.0)


def test_the_cameras_time_becomes_the_lines_time_as_rtps_does() -> None:
    rig = Rig(delivery(1), delivery(2), delivery(3))
    line = timeline(rig.source.info.clock, rig.source.info.fps, paced=False)
    stamps = []
    for late_s in (0.0, 0.3, 0.0):  # the second picture is held up on its way
        picture = rig.source.read()
        assert picture is not None
        rig.clock.advance(late_s)
        stamps.append(line.place(picture.pts_s, rig.clock))
        rig.clock.advance(0.1 - late_s if late_s == 0 else 0.0)
    assert [stamp.clock for stamp in stamps] == ["camera"] * 3
    assert [stamp.media_time_s for stamp in stamps] == pytest.approx([0, 0.1, 0.2])
    assert (stamps[1].captured_at - START).total_seconds() == pytest.approx(0.1)


@pytest.mark.parametrize("status", ["missing-packets", "timeout", "size-mismatch", "aborted", "wrong-packet-id"])
def test_a_picture_that_did_not_arrive_whole_is_damaged_and_shown_to_nobody(status: str) -> None:
    damaged, whole = Rig(delivery(1, status=status), delivery(2)).pictures(2)
    assert (damaged.corrupt, damaged.bgr) == (True, None)
    assert damaged.damage.startswith(f"{status}: ")
    assert (whole.corrupt, whole.bgr is not None) == (False, True)


def test_a_picture_with_fewer_bytes_than_pixels_is_damaged() -> None:
    (picture,) = Rig(delivery(1, data=b"x" * 11)).pictures(1)
    assert (picture.corrupt, picture.bgr) == (True, None)
    assert picture.damage == "11 bytes are no picture of 4x3 Mono8"


def test_a_picture_in_another_format_than_any_that_is_read_is_damaged() -> None:
    (picture,) = Rig(delivery(1, pixel_format=JPEG)).pictures(1)
    assert (picture.corrupt, picture.damage) == (True, "pixel format 0x80000001, which is not read")


def test_pictures_that_never_arrived_are_delivered_without_pixels_each_at_its_time() -> None:
    pictures = Rig(delivery(1), delivery(4)).pictures(4)
    assert [picture.corrupt for picture in pictures] == [False, True, True, False]
    assert [picture.pts_s for picture in pictures] == pytest.approx([100.1, 100.2, 100.3, 100.4])
    assert {picture.damage for picture in pictures[1:3]} == {"no packet of it arrived"}


def test_a_damaged_picture_whose_id_did_not_arrive_is_counted_once() -> None:
    pictures = Rig(delivery(1), delivery(0, status="timeout", timestamp_s=0.0), delivery(3), delivery(4)).pictures(4)
    assert [picture.corrupt for picture in pictures] == [False, True, False, False]
    assert [picture.pts_s for picture in pictures] == pytest.approx([100.1, 100.2, 100.3, 100.4])


def test_pictures_that_this_host_had_no_buffer_for_say_so() -> None:
    rig = Rig(delivery(1), delivery(3))
    rig.source.read()
    rig.device.no_buffer = 1
    (lost,) = rig.pictures(1)
    assert "raise genicam.buffers" in lost.damage


def test_a_damaged_picture_without_a_time_of_its_own_does_not_stop_the_clock() -> None:
    pictures = Rig(delivery(1), delivery(2, status="timeout", timestamp_s=0.0), delivery(3)).pictures(3)
    assert [picture.pts_s for picture in pictures] == pytest.approx([100.1, 100.2, 100.3])


def test_a_first_picture_that_is_damaged_does_not_decide_whose_clock_counts() -> None:
    rig = Rig(delivery(1, status="timeout", timestamp_s=0.0), delivery(2), delivery(3))
    assert [picture.pts_s for picture in rig.pictures(3)] == [None, *map(pytest.approx, (100.2, 100.3))]
    assert rig.source.info.notes == ()


def test_a_camera_that_counts_anew_ends_its_session() -> None:
    rig = Rig(delivery(9), delivery(2))
    rig.source.read()
    with pytest.raises(SourceError, match="gige:7: its frame ids jump from 9 to 2: it has begun to count anew"):
        rig.source.read()


def test_a_camera_without_a_clock_is_dated_by_this_host_and_says_so_once() -> None:
    rig = Rig(delivery(1, timestamp_s=0.0), delivery(2, timestamp_s=0.0))
    assert [picture.pts_s for picture in rig.pictures(2)] == pytest.approx([1e9 + 100.1, 1e9 + 100.2])
    assert rig.source.info.notes == ("its pictures carry no time: this host's at arrival dates its frames",)


def test_a_camera_that_sends_nothing_is_silent_after_its_read_timeout() -> None:
    rig = Rig()
    with pytest.raises(SilentError, match="gige:7: no picture for 2 s"):
        rig.source.read()
    assert rig.device.given_up
    assert rig.clock.monotonic() == pytest.approx(FakeClock().monotonic() + 2)


def test_a_camera_that_cant_be_controlled_any_more_is_lost_at_once() -> None:
    rig = Rig()
    rig.device.lost = True
    with pytest.raises(SourceError, match="controlled any more") as caught:
        rig.source.read()
    assert not isinstance(caught.value, SilentError)


def test_a_triggered_camera_may_be_silent_for_as_long_as_it_answers() -> None:
    rig = Rig(*[None] * 20, delivery(1), trigger="Line1")
    for _ in range(20):
        with pytest.raises(NoPictureYetError, match=r"waits for its trigger \(Line1\)"):
            try_read(rig.source)
    picture = try_read(rig.source)
    assert picture is not None
    rig.device.alive = False
    with pytest.raises(SilentError, match="no picture for 2 s"):
        rig.source.read()


def test_what_the_camera_did_not_accept_is_a_note() -> None:
    info = replace(INFO, refusals=(Refusal("fps", "99.0", "it gives 60.0"), Refusal("gain", "3.0", "out of range")))
    expected = "the camera did not accept fps 99.0 (it gives 60.0), gain 3.0 (out of range)"
    assert Rig(info=info).source.info.notes == (expected,)


def test_a_format_that_is_not_read_is_refused_with_those_that_are() -> None:
    rig_info = replace(INFO, pixel_format=JPEG, pixel_format_name="Odd")
    with pytest.raises(SourceError) as caught:
        Rig(info=rig_info)
    expected = "gige:7: it sends Odd, which is not read: set genicam.pixel_format to Mono8, RGB8"
    assert str(caught.value) == expected


SIXTEEN = replace(INFO, pixel_format=MONO16, pixel_format_name="Mono16")


def deep(value: int) -> GenicamPicture:
    return delivery(1, pixel_format=MONO16, data=value.to_bytes(2, "little") * 12)


@pytest.mark.parametrize(
    ("bits", "set_to", "level"),
    [(None, {}, 4095 >> 8), (12, {}, 255), (None, {"bits": 12}, 255), (10, {"bits": 12}, 255)],
)
def test_16_bits_have_the_depth_that_the_settings_say_else_the_camera_else_all_16(
    bits: int | None, set_to: dict[str, object], level: int
) -> None:
    rig = Rig(deep(4095), info=replace(SIXTEEN, bits=bits), **set_to)
    (picture,) = rig.pictures(1)
    assert picture.bgr is not None
    assert picture.bgr()[0, 0, 0] == level
    noted = any("uses 12 of 16 bits" in note for note in rig.source.info.notes)
    assert noted == (bits is None and not set_to)


def test_a_size_that_changes_is_told() -> None:
    rig = Rig(delivery(1), delivery(2, width=2, height=6))
    rig.pictures(2)
    assert (rig.source.info.width, rig.source.info.height) == (2, 6)


@pytest.mark.parametrize(
    ("genicam", "complaint"),
    [
        ({"trigger": "Software"}, "nothing on the line would trigger it"),
        ({"width": 640}, "set both or none"),
        ({"exposure_us": "manual"}, "exposure_us"),
        ({"bits": 17}, "bits"),
        ({"pixel_format": "Mono 8"}, "pixel_format"),
        ({"exposure": 5}, "exposure"),
    ],
)
def test_settings_that_no_camera_can_follow_are_mistakes(genicam: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        camera_settings(url="gige:7", genicam=genicam)


def test_closing_it_closes_the_device() -> None:
    rig = Rig()
    rig.source.close()
    assert rig.device.closed
