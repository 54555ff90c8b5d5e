"""Samples with their times -> an MP4 that FFmpeg reads back as it was."""

from datetime import timedelta
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext

from andon.errors import PoisonError
from sinks.channels.mp4 import LAST_S, MOST_S, TICK, Mp4Sample, Mp4Track, mp4, timed
from tests.fakes import START

COUNT = 12


def encoded(codec: str, b_frames: int) -> list[Mp4Sample]:
    """Grey pictures, 160x120, 25 a second, in the order of decoding."""
    encoder = av.CodecContext.create({"h264": "libx264", "hevc": "libx265"}[codec], "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = 160, 120, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.thread_count = Fraction(1, 25), Fraction(25), 1
    h265 = f"keyint=6:bframes={b_frames}:log-level=none:pools=none:frame-threads=1"
    h264 = {"g": "6", "bf": str(b_frames)}
    encoder.options = {"preset": "ultrafast"} | ({"x265-params": h265} if codec == "hevc" else h264)
    packets = []
    for number in range(COUNT):
        planes = np.full((180, 160), 16 + 10 * number, np.uint8)
        picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        picture.pts = number
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    return [
        Mp4Sample(bytes(packet), START + timedelta(seconds=(packet.pts or 0) / 25), packet.is_keyframe)
        for packet in packets
    ]


@pytest.mark.parametrize(
    ("codec", "b_frames", "box"), [("h264", 0, b"avcC"), ("h264", 2, b"avcC"), ("hevc", 2, b"hvcC")]
)
def test_video_is_packed_without_a_change(codec: str, b_frames: int, box: bytes) -> None:
    file = mp4(Mp4Track(codec, 160, 120), encoded(codec, b_frames))
    assert file.index(b"moov") < file.index(b"mdat")
    assert box in file
    with av.open(BytesIO(file), "r") as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.width, video.height) == (codec, 160, 120)
        assert container.duration == COUNT * 40_000, "microseconds"
        pictures = list(container.decode(video))
    assert [round(float(picture.time or 0) * 25, 3) for picture in pictures] == list(range(COUNT))
    greys = [float(picture.to_ndarray()[:120].mean()) for picture in pictures]
    assert greys == pytest.approx([16 + 10 * number for number in range(COUNT)], abs=2)


def test_the_first_keyframes_are_marked_so_that_a_player_can_jump() -> None:
    file = mp4(Mp4Track("h264", 160, 120), encoded("h264", 0))
    with av.open(BytesIO(file), "r") as container:
        assert [packet.is_keyframe for packet in container.demux(video=0) if packet.size].count(True) == 2


def in_s(ticks: int) -> float:
    return round(float(ticks * TICK), 4)


def test_pictures_that_wait_for_later_ones_are_decoded_before_they_are_shown() -> None:
    ticks = timed([START + timedelta(seconds=second) for second in (0, 3, 1, 2, 6, 4, 5)])
    assert [in_s(tick.pts) for tick in ticks] == [0, 3, 1, 2, 6, 4, 5]
    assert [in_s(tick.dts) for tick in ticks] == [-1, 0, 1, 2, 3, 4, 5]


def test_times_that_repeat_or_jump_stay_in_order() -> None:
    moments = [START, START, START + timedelta(hours=1), START + timedelta(hours=1, seconds=1)]
    ticks = timed(moments)
    assert [tick.pts for tick in ticks[:2]] == [0, 1]
    assert [in_s(tick.pts - 1) for tick in ticks[2:]] == [MOST_S, MOST_S + 1]
    assert all(tick.duration > 0 for tick in ticks)
    assert [tick.dts for tick in ticks] == [tick.pts for tick in ticks]


def test_a_clip_of_one_picture_has_a_duration() -> None:
    (tick,) = timed([START])
    assert in_s(tick.duration) == LAST_S


def test_what_can_not_be_packed_is_poison() -> None:
    with pytest.raises(PoisonError, match="no MP4 can be made of it"):
        mp4(Mp4Track("h264", 0, 0), encoded("h264", 0))
