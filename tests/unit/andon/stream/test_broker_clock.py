from datetime import timedelta

from andon.stream.broker_clock import WINDOW_S, BrokerClock
from tests.fakes import START, FakeClock

BEGIN_S = START.timestamp()


def ms(seconds: float) -> int:
    """The broker's time, in seconds after START."""
    return round((BEGIN_S + seconds) * 1000)


def test_before_any_record_the_machines_own_clock_counts() -> None:
    assert BrokerClock(FakeClock()).now() == START


def test_a_clock_that_is_ahead_is_put_back_as_far_as_the_fastest_record_proves() -> None:
    clock = BrokerClock(FakeClock())
    for latency_s in (0.2, 0.0, 3.0):
        clock.appended(clock.wall_s(), ms(latency_s - 5.0))
    assert clock.now() == START - timedelta(seconds=5)


def test_a_slow_broker_does_not_put_the_clock_back() -> None:
    clock = BrokerClock(FakeClock())
    clock.appended(clock.wall_s(), ms(30.0))
    assert clock.now() == START


def test_a_broker_that_does_not_know_the_time_does_not_put_the_clock_back() -> None:
    clock = BrokerClock(FakeClock())
    clock.appended(clock.wall_s(), 0)
    assert clock.now() == START


def test_a_clock_that_was_set_right_is_trusted_again_after_two_windows() -> None:
    machine = FakeClock()
    clock = BrokerClock(machine)
    clock.appended(clock.wall_s(), ms(-5.0))
    for _ in range(2):
        assert clock.ahead_s == 5.0
        machine.advance(WINDOW_S + 1)
        clock.appended(clock.wall_s(), ms(machine.monotonic()))
    assert clock.ahead_s == 0.0
