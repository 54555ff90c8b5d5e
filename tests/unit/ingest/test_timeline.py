"""When a picture was taken."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.timeline import CameraTimeline, FileTimeline, HostTimeline, MediaTime, Stamp, timeline
from tests.fakes import START, FakeClock


def seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


def at(value: float) -> FakeClock:
    """The host's clocks, this many seconds after the start."""
    clock = FakeClock()
    clock.advance(value)
    return clock


def test_media_time_starts_at_zero_wherever_the_stream_does() -> None:
    media = MediaTime(25)
    assert [media.at(pts_s) for pts_s in (100.0, 100.04, 100.2)] == pytest.approx([0.0, 0.04, 0.2])


def test_a_jump_back_goes_on_by_one_pictures_interval() -> None:
    media = MediaTime(10)
    assert [media.at(pts_s) for pts_s in (0.0, 0.1, 0.0, 0.1)] == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_a_picture_without_a_timestamp_stands_one_interval_after_the_one_before() -> None:
    media = MediaTime(25)
    assert [media.at(pts_s) for pts_s in (None, 0.0, 0.04)] == pytest.approx([0.0, 0.04, 0.08])


@given(st.lists(st.none() | st.floats(-1e6, 1e6), max_size=50))
def test_media_time_never_goes_back_whatever_the_stream_says(stamps: list[float | None]) -> None:
    media = MediaTime(25)
    times = [media.at(pts_s) for pts_s in stamps]
    assert times == sorted(times)
    assert times[:1] in ([], [0.0])


def test_a_paced_file_runs_by_its_own_timestamps_from_the_sessions_start() -> None:
    line = FileTimeline(25, paced=True)
    line.place(5.0, at(0))
    stamp = line.place(5.04, at(3))
    assert (stamp.captured_at, stamp.clock) == (START + seconds(0.04), "file")
    assert stamp.media_time_s == pytest.approx(0.04)


def test_a_fast_file_carries_the_hosts_time_and_its_own_media_time() -> None:
    line = FileTimeline(25, paced=False)
    line.place(0.0, at(0))
    stamp = line.place(0.04, at(3))
    assert stamp.captured_at == START + seconds(3)
    assert stamp.media_time_s == pytest.approx(0.04)


def test_a_file_whose_timestamps_leap_ahead_by_an_hour_goes_on_at_its_rate() -> None:
    line = FileTimeline(25, paced=True)
    times = [line.place(pts_s, at(0)).media_time_s for pts_s in (0.0, 0.04, 3600.0, 3600.04)]
    assert times == pytest.approx([0.0, 0.04, 0.08, 0.12])


def test_a_file_with_a_picture_a_minute_keeps_its_pace() -> None:
    line = FileTimeline(1 / 60, paced=True)
    assert [line.place(pts_s, at(0)).media_time_s for pts_s in (0.0, 60.0, 120.0)] == pytest.approx([0, 60, 120])


def test_a_camera_without_timestamps_has_no_media_time() -> None:
    stamp = HostTimeline().place(None, at(0))
    assert (stamp.captured_at, stamp.clock, stamp.media_time_s) == (START, "host", None)


def test_a_picture_that_the_network_held_up_keeps_the_time_at_which_it_was_taken() -> None:
    line = CameraTimeline(25)
    line.place(10.0, at(0))
    stamp = line.place(11.0, at(1.8))
    assert stamp.captured_at == START + seconds(1)


def test_a_camera_that_opens_with_a_burst_is_anchored_to_the_picture_that_came_through_fastest() -> None:
    line = CameraTimeline(25)
    for index in range(11):  # 0.4 s of pictures at once
        line.place(index * 0.04, at(0))
    stamp = line.place(1.4, at(1.1))
    assert stamp.captured_at == START + seconds(1)


def test_a_slow_camera_clock_is_anchored_anew_once_it_lags_for_long() -> None:
    line = CameraTimeline(10)
    late_s = 0.0
    for index in range(600):  # 10 % slow: over a minute it would be 6 s behind
        pts_s = index / 10
        clock = at(pts_s * 1.1)
        late_s = (clock.now() - line.place(pts_s, clock).captured_at).total_seconds()
        assert late_s < 1.6
    assert late_s >= 0


def played(line: CameraTimeline, stamped_fps: float, fps: float, seconds: float) -> list[tuple[float, Stamp]]:
    """What becomes of a camera that stamps for one rate and delivers at another: each picture's arrival and stamp."""
    clock, stamps = FakeClock(), []
    for index in range(int(seconds * fps)):
        stamps.append((clock.monotonic(), line.place(index / stamped_fps, clock)))
        clock.advance(1 / fps)
    return stamps


def age_s(at_s: float, stamp: Stamp) -> float:
    return at_s - (stamp.captured_at - START).total_seconds()


@pytest.mark.parametrize(
    ("stamped_fps", "fps"), [(25, 10), (30, 15), (25, 20), (25, 22), (1000, 10), (30, 1), (25, 24)]
)
def test_stamps_that_lag_behind_time_make_no_picture_old_and_no_gap(stamped_fps: float, fps: float) -> None:
    stamps = played(CameraTimeline(25), stamped_fps, fps, 60)
    assert max(age_s(*item) for item in stamps) < 1.5
    taken = [stamp.captured_at for _, stamp in stamps]
    assert max(after - before for before, after in pairwise(taken)) < seconds(1.5 + 1 / fps)


def test_stamps_for_25_fps_of_a_camera_that_delivers_10_are_not_trusted_after_2_s_and_never_again() -> None:
    stamps = played(CameraTimeline(25), 25, 10, 120)
    assert [stamp.clock for at_s, stamp in stamps if at_s >= 2] == ["host"] * 1180
    assert all(age_s(at_s, stamp) == pytest.approx(0, abs=1e-5) for at_s, stamp in stamps if at_s >= 2)


@pytest.mark.parametrize(("stamped_fps", "fps"), [(25, 10), (5, 10)])
def test_the_media_time_of_stamps_that_are_not_trusted_goes_on_with_time(stamped_fps: float, fps: float) -> None:
    stamps = played(CameraTimeline(25), stamped_fps, fps, 60)
    (first_s, first), (last_s, last) = stamps[-200], stamps[-1]
    assert first.media_time_s is not None
    assert last.media_time_s is not None
    assert last.media_time_s - first.media_time_s == pytest.approx(last_s - first_s)


def test_stamps_that_keep_pace_again_are_trusted_again() -> None:
    line, clock, clocks = CameraTimeline(10), FakeClock(), []
    pts_s = 0.0
    for index in range(600):
        clocks.append(line.place(pts_s, clock).clock)
        pts_s += 0.04 if index < 100 else 0.1
        clock.advance(0.1)
    assert clocks[100] == "host"
    assert clocks[-300:] == ["camera"] * 300


def test_a_network_that_holds_pictures_up_again_and_again_costs_no_trust() -> None:
    line, worst_s = CameraTimeline(25), 0.0
    for index in range(25 * 60):
        taken_s = index / 25
        held_s = 1.0 - taken_s % 3 if taken_s % 3 < 1.0 and index else 0.0  # one second in three comes at its end
        clock = at(taken_s + held_s)
        stamp = line.place(taken_s, clock)
        assert stamp.clock == "camera"
        worst_s = max(worst_s, abs((stamp.captured_at - START).total_seconds() - taken_s))
    assert worst_s < 0.1


def test_a_burst_of_stored_pictures_at_the_beginning_costs_no_trust() -> None:
    line, clock = CameraTimeline(25), FakeClock()
    for index in range(25 * 60):
        assert line.place(index / 25, clock).clock == "camera"
        clock.advance(0.0 if index < 50 else 0.04)


def test_after_a_loop_of_the_clip_the_picture_is_of_now() -> None:
    line = CameraTimeline(25)
    line.place(0.0, at(0))
    line.place(30.0, at(30))
    stamp = line.place(0.0, at(30.04))
    assert stamp.media_time_s == pytest.approx(30.04)
    assert abs(stamp.captured_at - START - seconds(30.04)) < seconds(0.001)


def test_timestamps_that_leap_ahead_do_not_carry_the_media_time_away() -> None:
    line = CameraTimeline(25)
    line.place(0.0, at(0))
    stamp = line.place(86400.0, at(0.04))
    assert stamp.media_time_s == pytest.approx(0.04)


def test_a_step_of_the_hosts_clock_makes_no_picture_late() -> None:
    line, clock = CameraTimeline(25), FakeClock()
    for index in range(250):
        if index == 100:
            clock.step(30)
        if index == 150:
            clock.step(-60)
        stamp = line.place(index * 0.04, clock)
        assert abs((clock.now() - stamp.captured_at).total_seconds()) < 1e-6
        clock.advance(0.04)


arrivals = st.lists(st.tuples(st.none() | st.floats(0, 100), st.floats(0, 5)), max_size=60)


@given(arrivals)
def test_no_picture_is_of_the_future_and_none_older_than_the_one_before(
    script: list[tuple[float | None, float]],
) -> None:
    line, clock, last, media_s = CameraTimeline(25), FakeClock(), None, 0.0
    for pts_s, gap_s in script:
        clock.advance(gap_s)
        stamp = line.place(pts_s, clock)
        assert stamp.media_time_s is not None
        assert stamp.media_time_s >= media_s - 1e-6
        media_s = stamp.media_time_s
        assert stamp.captured_at <= clock.now()
        assert last is None or stamp.captured_at >= last - seconds(1e-6)  # a datetime's own rounding
        last = stamp.captured_at


def test_each_clock_has_its_timeline() -> None:
    kinds = [type(timeline(clock, 25, paced=True)) for clock in ("file", "host", "camera")]
    assert kinds == [FileTimeline, HostTimeline, CameraTimeline]


def test_a_paced_file_follows_a_clock_that_is_put_right_and_no_smaller_change() -> None:
    clock, line = at(0), FileTimeline(25.0, paced=True)
    line.place(0.0, clock)
    clock.advance(1.0)
    clock.step(0.3)
    assert line.place(1.0, clock).captured_at == START + seconds(1.0)
    clock.step(3600.0)
    assert abs(line.place(2.0, clock).captured_at - (START + seconds(3602.3))) < seconds(0.001)
