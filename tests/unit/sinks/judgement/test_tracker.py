"""Which box is which: boxes that move alike on a belt are tracked at any size and speed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from andon.messages import Box, Detection
from andon.settings import DefectSettings
from sinks.judgement.rules import FrameView
from sinks.judgement.tracker import Match, Tracks, advance, forget
from tests.fakes import START
from tests.unit.sinks.judgement.frames import inspected


def view(number: int, *places: tuple[float, float], label: str = "scratch") -> FrameView:
    """A frame with boxes of 12 px whose left upper corners are `places`; its diagonal has 800 px, its time 0.1 s."""
    detections = [
        Detection(label=label, confidence=0.9 - n / 100, box=Box(x1=x, y1=y, x2=x + 12, y2=y + 12))
        for n, (x, y) in enumerate(places)
    ]
    return timed(FrameView(inspected(number), detections), number * 0.1, number * 0.1)


def timed(frame: FrameView, at_s: float, media_time_s: float | None) -> FrameView:
    """The same frame, captured at `at_s`."""
    at = START + timedelta(seconds=at_s)
    changes = {"captured_at": at, "media_time_s": media_time_s}
    return replace(frame, inspection=frame.inspection.model_copy(update=changes))


def run(tracks: Tracks, frames: Sequence[FrameView], forget_after: int = 10) -> list[list[Match]]:
    settings = DefectSettings(max_move=0.12, close_after_frames=forget_after, confirm_window=8)
    return [advance(tracks, frame, settings) for frame in frames]


def names(matches: list[Match]) -> list[str]:
    return [match.track.track_id for match in matches if match.detection is not None]


def test_a_new_track_is_expected_where_the_belt_carries_it() -> None:
    """It moves further in one frame than `max_move` allows: only the belt's velocity finds it."""
    tracks = Tracks(belt=(1500.0, 0.0))
    per_frame = run(tracks, [view(n, (150.0 * n, 50.0)) for n in range(4)])
    assert {name for matches in per_frame for name in names(matches)} == {"press-1/s1/0/scratch-1"}


def test_the_belts_velocity_is_learned_and_outlives_a_session() -> None:
    tracks = Tracks()
    run(tracks, [view(n, (20.0 * n, 50.0)) for n in range(20)])
    assert tracks.belt == pytest.approx((200.0, 0.0), abs=1.0)
    forget(tracks)
    assert tracks.alive == []
    assert tracks.belt == pytest.approx((200.0, 0.0), abs=1.0)


def test_two_close_tracks_stay_apart_before_the_belts_velocity_is_known() -> None:
    """The rear box arrives where the front one was. That both moved is likelier than that one stood still."""
    tracks = Tracks()
    per_frame = run(tracks, [view(n, (18.0 * n + 10, 50.0), (18.0 * n, 50.0)) for n in range(6)])
    front = [
        next(m.track.track_id for m in matches if m.detection and m.detection.confidence > 0.895)
        for matches in per_frame
    ]
    assert set(front) == {"press-1/s1/0/scratch-1"}


def test_an_unseen_track_moves_on_and_is_found_again() -> None:
    tracks = Tracks()
    sightings = [view(n, (40.0 * n, 50.0)) for n in range(5)]
    hidden = [view(n) for n in range(5, 11)]
    back = [view(11, (440.0, 50.0))]
    matches = run(tracks, sightings + hidden + back)[-1]
    assert names(matches) == ["press-1/s1/0/scratch-1"]
    assert matches[0].track.window == 0b10000001


def test_a_track_that_stays_unseen_is_forgotten() -> None:
    tracks = Tracks()
    per_frame = run(tracks, [view(0, (0.0, 50.0)), *(view(n) for n in range(1, 4))], forget_after=3)
    assert [[match.gone for match in matches] for matches in per_frame] == [[False], [False], [False], [True]]
    assert tracks.alive == []


def test_a_box_that_is_too_far_off_begins_a_track_of_its_own() -> None:
    tracks = Tracks()
    run(tracks, [view(0, (0.0, 50.0)), view(1, (120.0, 50.0))])
    assert [track.track_id for track in tracks.alive] == ["press-1/s1/0/scratch-1", "press-1/s1/1/scratch-1"]


def test_each_class_is_tracked_separately() -> None:
    tracks = Tracks()
    run(tracks, [view(0, (0.0, 50.0)), view(1, (5.0, 50.0), label="dent")])
    assert sorted(track.label for track in tracks.alive) == ["dent", "scratch"]


def test_a_track_moves_on_through_frames_that_were_not_inspected() -> None:
    tracks = Tracks()
    run(tracks, [view(n, (20.0 * n, 50.0)) for n in range(8)])
    matches = run(tracks, [view(20, (400.0, 50.0))])[0]
    assert names(matches) == ["press-1/s1/0/scratch-1"]
    assert matches[0].track.unseen == 0


def test_frames_without_stream_time_count_by_their_capture_time() -> None:
    tracks = Tracks()
    run(tracks, [timed(view(n, (20.0 * n, 50.0)), 0.1 * n, None) for n in range(12)])
    assert tracks.belt == pytest.approx((200.0, 0.0), abs=5.0)


@pytest.mark.parametrize("step_s", [0.0, 1e-300, -5.0, 1e300])
def test_a_clock_that_stops_goes_back_or_leaps_breaks_no_track(step_s: float) -> None:
    tracks = Tracks()
    run(tracks, [view(0, (100.0, 50.0)), timed(view(1, (104.0, 50.0)), 0.0, step_s)])
    assert [track.hits for track in tracks.alive] == [2]
    assert abs(tracks.alive[0].vx) < 1e4


def test_a_clock_that_is_set_back_does_not_split_a_track() -> None:
    tracks = Tracks()
    run(tracks, [view(n, (20.0 * n, 50.0)) for n in range(8)])
    run(tracks, [timed(view(8, (160.0, 50.0)), 0.8, -5.0)])
    assert [track.hits for track in tracks.alive] == [9]


def test_a_leap_in_time_leaves_numbers_that_can_be_stored() -> None:
    tracks = Tracks()
    run(tracks, [view(n, (20.0 * n, 50.0)) for n in range(8)])
    run(tracks, [timed(view(8), 0.8, 1e308)])
    assert [track.x < 1e6 for track in tracks.alive] == [True]


@pytest.mark.parametrize("now_px", [0.0, 30.0, 80.0])
def test_a_belt_with_a_new_speed_does_not_split_a_track(now_px: float) -> None:
    """Two small boxes one behind the other, the second one in view later; the known velocity of the belt is wrong."""
    tracks = Tracks(belt=(400.0, 0.0))
    places = [[(x, 50.0) for x in (60 + now_px * n, now_px * n - 40) if x >= 0] for n in range(8)]
    per_frame = run(tracks, [view(n, *shown) for n, shown in enumerate(places)])
    assert len({name for matches in per_frame for name in names(matches)}) == (1 if now_px == 0 else 2)


def test_a_track_survives_a_belt_that_stops_and_starts() -> None:
    ways = [90.0 * n for n in range(5)] + [360.0] * 6 + [360.0 + 90.0 * n for n in range(1, 4)]
    per_frame = run(Tracks(), [view(n, (way, 50.0)) for n, way in enumerate(ways)])
    assert {name for matches in per_frame for name in names(matches)} == {"press-1/s1/0/scratch-1"}


@pytest.mark.parametrize(("known_px", "now_px"), [(10.0, 85.0), (85.0, 10.0)])
def test_two_detections_show_a_new_speed_of_the_belt(known_px: float, now_px: float) -> None:
    """The track is then unseen for three frames, and found where the new speed has carried it."""
    tracks = Tracks(belt=(10 * known_px, 0.0))
    shown = [view(n, *([(now_px * n, 50.0)] if n not in (2, 3, 4) else [])) for n in range(7)]
    per_frame = run(tracks, shown)
    assert {name for matches in per_frame for name in names(matches)} == {"press-1/s1/0/scratch-1"}
