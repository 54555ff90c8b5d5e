"""What `andon camera test` measures."""

import itertools

import pytest

from ingest.probe import probe
from ingest.sources.source import NoPictureYetError, Picture, SourceError, SourceInfo, next_picture
from tests.fakes import FakeClock
from tests.unit.ingest.fakes import ScriptedSource, bgr, pictures


def test_a_file_is_read_for_so_much_of_its_own_time() -> None:
    found = probe(ScriptedSource(pictures(500)), 2.0, FakeClock())
    assert found.frames == 51
    assert found.fps == pytest.approx(25)
    assert found.jitter_ms is None
    assert found.last is not None


def test_an_even_camera_has_no_jitter_and_an_uneven_one_has() -> None:
    for gaps, expected in (((0.04, 0.04), 0.0), ((0.02, 0.06), 10.0)):
        clock = FakeClock()
        steps = iter(gaps * 1000)
        source = ScriptedSource(pictures(2000), "camera", lambda clock=clock, steps=steps: clock.advance(next(steps)))  # type: ignore[misc]  # mypy can't infer a lambda's defaults
        found = probe(source, 4.0, clock)
        assert found.jitter_ms == pytest.approx(expected, abs=0.2)


def test_a_camera_without_timestamps_is_measured_by_arrival() -> None:
    clock = FakeClock()
    source = ScriptedSource([Picture(None, bgr)] * 200, "host", lambda: clock.advance(0.05))
    found = probe(source, 3.0, clock)
    assert found.fps == pytest.approx(20)
    assert found.jitter_ms == pytest.approx(0, abs=0.01)


def test_corrupt_pictures_are_counted_and_never_the_snapshot() -> None:
    found = probe(ScriptedSource([Picture(0.0, None, corrupt=True)]), 1.0, FakeClock())
    assert (found.frames, found.corrupt, found.last) == (1, 1, None)


def camera_of(fps: float, stamped_fps: float, gop: int, count: int = 1000) -> tuple[ScriptedSource, FakeClock]:
    """A live camera with a keyframe every `gop` pictures, and the clock that it drives."""
    clock = FakeClock()
    script = [Picture(number / stamped_fps, bgr, keyframe=number % gop == 0) for number in range(count)]
    return ScriptedSource(script, "camera", lambda: clock.advance(1 / fps)), clock


@pytest.mark.parametrize(("fps", "stamped_fps", "pace"), [(10, 10, 1.0), (10, 25, 0.4), (10, 5, 2.0)])
def test_the_pace_of_timestamps_is_measured_by_arrival(fps: float, stamped_fps: float, pace: float) -> None:
    found = probe(*_between(camera_of(fps, stamped_fps, 5)))
    assert found.pace == pytest.approx(pace)
    assert found.arrived_fps == pytest.approx(fps)
    assert found.jumps == 0


@pytest.mark.parametrize("ppm", [-2000, 0, 80])
def test_a_drift_of_the_cameras_clock_is_measured_between_pictures_that_came_through_fastest(ppm: float) -> None:
    clock = FakeClock()
    held_up = itertools.cycle((0.001, 0.03, 0.0, 0.012, 0.002))
    due_s, script = itertools.count(1), [Picture(number / 25 * (1 + ppm / 1e6), bgr) for number in range(2000)]

    def arrive() -> None:
        clock.advance(next(due_s) / 25 + next(held_up) - clock.monotonic())

    drift = probe(ScriptedSource(script, "camera", arrive), 60.0, clock).drift
    assert drift is not None
    assert drift.ppm == pytest.approx(ppm, abs=1)
    assert 0 < drift.error_ppm < 500


def test_timestamps_that_jump_or_are_missing_have_no_drift() -> None:
    for stamps in ([None] * 100, [number / 10 + 3600 * (number > 30) for number in range(100)]):
        clock = FakeClock()
        script = [Picture(pts_s, bgr) for pts_s in stamps]
        assert probe(ScriptedSource(script, "camera", lambda clock=clock: clock.advance(0.1)), 8.0, clock).drift is None  # type: ignore[misc]  # mypy can't infer a lambda's defaults


def test_the_bitrate_is_what_came_a_second_by_arrival_and_of_a_file_by_its_timestamps() -> None:
    script = [Picture(number / 10, bgr, encoded_bytes=5000) for number in range(100)]
    clock = FakeClock()
    live = probe(ScriptedSource(script, "camera", lambda: clock.advance(0.05)), 4.0, clock)
    assert live.bitrate_kbps == pytest.approx(800)
    assert probe(ScriptedSource(script), 4.0, FakeClock()).bitrate_kbps == pytest.approx(400)
    assert probe(ScriptedSource(pictures(50)), 4.0, FakeClock()).bitrate_kbps is None


def _between(pair: tuple[ScriptedSource, FakeClock]) -> tuple[ScriptedSource, float, FakeClock]:
    return pair[0], 4.0, pair[1]


def test_timestamps_that_jump_are_counted_and_change_no_pace() -> None:
    clock = FakeClock()
    stamps = [number / 10 + 3600 * (number > 20) - 3600 * (number > 30) for number in range(100)]
    source = ScriptedSource([Picture(pts_s, bgr) for pts_s in stamps], "camera", lambda: clock.advance(0.1))
    found = probe(source, 4.0, clock)
    assert found.jumps == 2
    assert found.pace == pytest.approx(1.0)


@pytest.mark.parametrize(("gop", "longest_s", "complete"), [(5, 0.5, True), (15, 1.5, True), (30, 3.0, True)])
def test_the_longest_time_between_two_keyframes_is_measured(gop: int, longest_s: float, complete: bool) -> None:
    keyframes = probe(*_between(camera_of(10, 10, gop))).keyframes
    assert keyframes is not None
    assert keyframes.longest_s == pytest.approx(longest_s)
    assert (keyframes.complete, keyframes.rare) == (complete, longest_s > 2)


def test_a_keyframe_interval_that_outlasts_the_measurement_is_at_least_as_long() -> None:
    keyframes = probe(*_between(camera_of(10, 10, 250))).keyframes
    assert keyframes is not None
    assert keyframes.longest_s == pytest.approx(4.0, abs=0.15)
    assert not keyframes.complete


def test_the_wait_for_the_first_keyframe_counts_as_a_part_of_the_interval() -> None:
    clock = FakeClock()
    script = [Picture(number / 10, bgr, keyframe=number % 5 == 0) for number in range(100)]
    waiting = [NoPictureYetError("waits for a keyframe")] * 70
    waited: list[str] = []
    found = probe(ScriptedSource([*waiting, *script], "camera", lambda: clock.advance(0.1)), 4.0, clock, waited.append)
    assert found.keyframes is not None
    assert found.keyframes.longest_s == pytest.approx(7.1)
    assert not found.keyframes.complete
    assert len(waited) == 70


def test_a_stream_of_keyframes_only_has_no_interval() -> None:
    assert probe(*_between(camera_of(10, 10, 1))).keyframes is None
    assert probe(ScriptedSource(pictures(100)), 2.0, FakeClock()).keyframes is None


class TriggeredCamera:
    """A camera that delivers `count` pictures and then waits for its trigger."""

    def __init__(self, clock: FakeClock, count: int) -> None:
        self.info = SourceInfo("raw", 64, 48, None, "host")
        self._clock = clock
        self._left = count

    def read(self) -> Picture | None:
        return next_picture(self)

    def try_read(self) -> Picture | None:
        self._clock.advance(0.5)
        if not self._left:
            raise NoPictureYetError("waits for its trigger (Line1)")
        self._left -= 1
        return Picture(None, bgr)

    def close(self) -> None:
        """Nothing to close."""


def test_a_camera_that_nothing_triggers_is_waited_for_so_long() -> None:
    clock = FakeClock()
    with pytest.raises(SourceError, match=r"^no picture within 60 s \(keyframe_timeout_s\): it waits for its trigger"):
        probe(TriggeredCamera(clock, 0), 3.0, clock, patience_s=60.0)
    assert clock.monotonic() < 62


def test_a_camera_whose_trigger_stops_is_measured_for_its_time() -> None:
    clock = FakeClock()
    assert probe(TriggeredCamera(clock, 2), 3.0, clock).frames == 2
