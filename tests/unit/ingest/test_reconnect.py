"""When a camera is tried again."""

from ingest.reconnect import FIRST_S, Reconnect


def test_each_failure_waits_longer_up_to_the_ceiling_and_never_gives_up() -> None:
    reconnect = Reconnect(5.0)
    delays = [reconnect.delay_s(0.0) for _ in range(2000)]
    assert FIRST_S / 2 <= delays[0] <= FIRST_S
    assert all(2.5 <= delay <= 5.0 for delay in delays[10:])
    assert len(set(delays[10:])) > 1


def test_a_camera_that_delivered_for_long_is_tried_soon() -> None:
    reconnect = Reconnect(5.0)
    for _ in range(10):
        reconnect.delay_s(0.0)
    assert reconnect.delay_s(60.0) <= FIRST_S


def test_a_camera_that_breaks_off_after_each_first_picture_is_not_hammered() -> None:
    reconnect = Reconnect(5.0)
    delays = [reconnect.delay_s(0.5) for _ in range(20)]
    assert delays[-1] >= 2.5
