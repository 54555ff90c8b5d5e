"""Which box is which: what moves alike on a belt is followed, whatever its size and speed."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from andon.messages import Box, Detection
from sinks.judgement.tracker import Match, Sight, Tracks, advance, forget
from tests.fakes import START


def sight(number: int, *places: tuple[float, float], label: str = "scratch", frames_s: float = 0.1) -> Sight:
    """A frame with boxes of 12 px whose left upper corners are `places`."""
    detections = [
        Detection(label=label, confidence=0.9 - n / 100, box=Box(x1=x, y1=y, x2=x + 12, y2=y + 12))
        for n, (x, y) in enumerate(places)
    ]
    at = START + timedelta(seconds=number * frames_s)
    return Sight(f"press-1/s1/{number}", at, number * frames_s, 800.0, detections)


def run(tracks: Tracks, sights: Sequence[Sight], max_move: float = 0.12, forget_after: int = 10) -> list[list[Match]]:
    return [advance(tracks, item, max_move, forget_after, 8) for item in sights]


def names(matches: list[Match]) -> list[str]:
    return [match.track.track_id for match in matches if match.detection is not None]


def test_a_new_track_is_looked_for_where_the_belt_carries_it() -> None:
    """Farther in one frame than `max_move` allows: only the belt's velocity finds it."""
    tracks = Tracks(belt=(1500.0, 0.0))
    found = run(tracks, [sight(n, (150.0 * n, 50.0)) for n in range(4)])
    assert {name for matches in found for name in names(matches)} == {"press-1/s1/0/scratch-1"}


def test_the_belts_velocity_is_learned_and_outlives_a_session() -> None:
    tracks = Tracks()
    run(tracks, [sight(n, (20.0 * n, 50.0)) for n in range(20)])
    assert tracks.belt == pytest.approx((200.0, 0.0), abs=1.0)
    forget(tracks)
    assert tracks.alive == []
    assert tracks.belt == pytest.approx((200.0, 0.0), abs=1.0)


def test_of_two_close_ones_each_is_followed_although_nothing_is_known_of_the_belt() -> None:
    """The rear one arrives just where the front one was: all move alike is likelier than that one stands still."""
    tracks = Tracks()
    found = run(tracks, [sight(n, (18.0 * n + 10, 50.0), (18.0 * n, 50.0)) for n in range(6)])
    front = [
        next(m.track.track_id for m in matches if m.detection and m.detection.confidence > 0.895) for matches in found
    ]
    assert set(front) == {"press-1/s1/0/scratch-1"}


def test_what_is_not_seen_is_carried_on_and_found_again() -> None:
    tracks = Tracks()
    seen = [sight(n, (40.0 * n, 50.0)) for n in range(5)]
    hidden = [sight(n) for n in range(5, 11)]
    back = [sight(11, (440.0, 50.0))]
    matches = run(tracks, seen + hidden + back)[-1]
    assert names(matches) == ["press-1/s1/0/scratch-1"]
    assert matches[0].track.window == 0b10000001


def test_what_is_unseen_for_long_enough_is_gone() -> None:
    tracks = Tracks()
    found = run(tracks, [sight(0, (0.0, 50.0)), *(sight(n) for n in range(1, 4))], forget_after=3)
    assert [[match.gone for match in matches] for matches in found] == [[False], [False], [False], [True]]
    assert tracks.alive == []


def test_a_box_that_is_too_far_off_begins_a_track_of_its_own() -> None:
    tracks = Tracks()
    run(tracks, [sight(0, (0.0, 50.0)), sight(1, (120.0, 50.0))])
    assert [track.track_id for track in tracks.alive] == ["press-1/s1/0/scratch-1", "press-1/s1/1/scratch-1"]


def test_classes_are_followed_apart() -> None:
    tracks = Tracks()
    run(tracks, [sight(0, (0.0, 50.0)), sight(1, (5.0, 50.0), label="dent")])
    assert sorted(track.label for track in tracks.alive) == ["dent", "scratch"]


def test_time_passes_between_frames_that_were_not_inspected() -> None:
    tracks = Tracks()
    run(tracks, [sight(n, (20.0 * n, 50.0)) for n in range(8)])
    matches = run(tracks, [sight(20, (400.0, 50.0))])[0]
    assert names(matches) == ["press-1/s1/0/scratch-1"]
    assert matches[0].track.unseen == 0


def test_frames_without_the_streams_time_are_placed_by_their_capture_time() -> None:
    tracks = Tracks()
    sights = [sight(n, (20.0 * n, 50.0)) for n in range(12)]
    plain = [Sight(s.frame_id, s.captured_at, None, s.diagonal_px, s.detections) for s in sights]
    run(tracks, plain)
    assert tracks.belt == pytest.approx((200.0, 0.0), abs=5.0)


@pytest.mark.parametrize("step_s", [0.0, 1e-300, -5.0, 1e300])
def test_time_that_stands_still_goes_back_or_leaps_breaks_nothing(step_s: float) -> None:
    tracks = Tracks()
    first = sight(0, (100.0, 50.0))
    second = Sight("press-1/s1/1", first.captured_at, step_s, 800.0, sight(1, (104.0, 50.0)).detections)
    first = Sight("press-1/s1/0", first.captured_at, 0.0, 800.0, first.detections)
    run(tracks, [first, second])
    assert [track.hits for track in tracks.alive] == [2]
    assert abs(tracks.alive[0].vx) < 1e4


def test_a_clock_that_was_set_back_does_not_tear_tracks_apart() -> None:
    tracks = Tracks()
    run(tracks, [sight(n, (20.0 * n, 50.0)) for n in range(8)])
    late = sight(8, (160.0, 50.0))
    run(tracks, [Sight(late.frame_id, late.captured_at, -5.0, 800.0, late.detections)])
    assert [track.hits for track in tracks.alive] == [9]


def test_a_leap_in_time_leaves_numbers_that_can_be_stored() -> None:
    tracks = Tracks()
    run(tracks, [sight(n, (20.0 * n, 50.0)) for n in range(8)])
    late = sight(8)
    run(tracks, [Sight(late.frame_id, late.captured_at, 1e308, 800.0, ())])
    assert [track.x < 1e6 for track in tracks.alive] == [True]


@pytest.mark.parametrize("now_px", [0.0, 30.0, 80.0])
def test_a_belt_that_has_another_speed_now_tears_no_track_apart(now_px: float) -> None:
    """Two small boxes one behind the other, the second one in view later; what is known of the belt is wrong."""
    tracks = Tracks(belt=(400.0, 0.0))
    places = [[(x, 50.0) for x in (60 + now_px * n, now_px * n - 40) if x >= 0] for n in range(8)]
    found = run(tracks, [sight(n, *shown) for n, shown in enumerate(places)])
    assert len({name for matches in found for name in names(matches)}) == (1 if now_px == 0 else 2)


def test_a_belt_that_stops_and_starts_is_followed() -> None:
    ways = [90.0 * n for n in range(5)] + [360.0] * 6 + [360.0 + 90.0 * n for n in range(1, 4)]
    found = run(Tracks(), [sight(n, (way, 50.0)) for n, way in enumerate(ways)])
    assert {name for matches in found for name in names(matches)} == {"press-1/s1/0/scratch-1"}


@pytest.mark.parametrize(("known_px", "now_px"), [(10.0, 85.0), (85.0, 10.0)])
def test_two_sightings_tell_a_speed_that_the_belt_did_not_have_before(known_px: float, now_px: float) -> None:
    """Then it is not seen for three frames, and found where that speed has carried it."""
    tracks = Tracks(belt=(10 * known_px, 0.0))
    shown = [sight(n, *([(now_px * n, 50.0)] if n not in (2, 3, 4) else [])) for n in range(7)]
    found = run(tracks, shown)
    assert {name for matches in found for name in names(matches)} == {"press-1/s1/0/scratch-1"}
