"""A slow camera gets more time for its next picture, and no other one does."""

from ingest.read_limit import MOST_TIMES, ReadLimit


def test_a_camera_that_was_lost_between_two_slow_pictures_may_take_four_times_as_long() -> None:
    limit = ReadLimit(5.0)
    assert limit.lost(captured=1, delivered_s=5.1)
    assert limit.seconds == MOST_TIMES * 5.0


def test_a_camera_that_is_slow_for_ever_has_a_limit_all_the_same() -> None:
    limit = ReadLimit(5.0)
    for _ in range(10):
        limit.lost(captured=1, delivered_s=limit.seconds)
    assert limit.seconds == MOST_TIMES * 5.0
    assert not limit.lost(captured=1, delivered_s=limit.seconds)


def test_a_fast_camera_that_falls_silent_is_given_up_as_soon_as_before() -> None:
    limit = ReadLimit(5.0)
    assert not limit.lost(captured=1000, delivered_s=45.0)
    assert not limit.lost(captured=0, delivered_s=0.0)
    assert not limit.lost(captured=1, delivered_s=0.2)
    assert limit.seconds == 5.0


def test_a_camera_that_becomes_fast_has_the_limit_of_the_settings_again() -> None:
    limit = ReadLimit(5.0)
    limit.lost(captured=1, delivered_s=5.0)
    assert not limit.lost(captured=100, delivered_s=20.0)
    assert limit.seconds == 5.0


def test_a_slow_camera_keeps_its_limit_when_its_session_is_lost() -> None:
    limit = ReadLimit(5.0)
    limit.lost(captured=1, delivered_s=5.0)
    assert not limit.lost(captured=100, delivered_s=450.0)
    assert limit.seconds == MOST_TIMES * 5.0
