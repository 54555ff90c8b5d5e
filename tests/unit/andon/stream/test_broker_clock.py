"""How far a host's clock is off, and what the line's time is meanwhile."""

from datetime import UTC, datetime, timedelta

import pytest

from andon.stream.broker_clock import SKEW_S, BrokerClock
from andon.stream.clock_bounds import SETTLE_S
from tests.fakes import START, FakeClock

NODE = "broker 1"


class Host:
    """A host, and a broker whose clock is right: it shows START plus the time that has passed."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.machine = FakeClock()
        self.machine.step(ahead_s)
        self.clock = BrokerClock(self.machine)

    @property
    def true(self) -> datetime:
        return START + timedelta(seconds=self.machine.monotonic())

    def send(self, latency_s: float = 0.002, broker_ahead_s: float = 0.0, broker: str = NODE) -> None:
        """A record goes to the broker and is acknowledged; half of the time passes on each way."""
        sent_s = self.machine.monotonic()
        self.machine.advance(latency_s / 2)
        appended_ms = int((self.true.timestamp() + broker_ahead_s) * 1000)
        self.machine.advance(latency_s / 2)
        self.clock.acknowledged(broker, sent_s, appended_ms)

    def read(self, age_s: float = 0.0) -> None:
        """A record is read that the broker appended `age_s` ago."""
        self.clock.read(NODE, int((self.true.timestamp() - age_s) * 1000))

    def error_s(self) -> float:
        return abs((self.clock.now() - self.true).total_seconds())


def test_before_any_record_the_hosts_own_clock_counts() -> None:
    host = Host()
    assert host.clock.now() == host.clock.earliest() == START
    assert host.clock.offset_s is None
    assert not host.clock.settled


@pytest.mark.parametrize("ahead_s", [5.0, -5.0, 3600.0, -3600.0, 10 * 365 * 86_400.0, -56 * 365 * 86_400.0])
def test_a_clock_that_is_off_is_measured_and_put_right(ahead_s: float) -> None:
    host = Host(ahead_s)
    for latency_s in (0.2, 0.002, 3.0):
        host.send(latency_s)
    assert host.error_s() < 0.01
    assert host.clock.offset_s == pytest.approx(ahead_s, abs=0.01)
    assert host.clock.offsets() == {NODE: pytest.approx(ahead_s, abs=0.01)}


@pytest.mark.parametrize("ahead_s", [0.3, -0.3])
def test_a_clock_that_is_off_by_less_than_half_a_second_counts_as_it_is(ahead_s: float) -> None:
    host = Host(ahead_s)
    host.send()
    assert host.clock.now() == host.machine.now()
    assert host.clock.offset_s == 0


def test_a_slow_broker_proves_nothing_against_a_clock() -> None:
    host = Host()
    host.send(latency_s=30.0)
    assert host.clock.offsets() == {NODE: 0.0}
    assert host.clock.now() == host.machine.now()


def test_a_step_of_the_hosts_clock_moves_nothing() -> None:
    host = Host()
    host.send()
    for step_s in (3600.0, -7200.0, 30 * 365 * 86_400.0):
        host.machine.step(step_s)
        assert host.error_s() < 0.01
        assert abs((host.clock.earliest() - host.true).total_seconds()) < 0.01
        host.machine.step(-step_s)
        assert host.clock.now() == host.machine.now()


def test_a_step_of_the_hosts_clock_is_noticed_once() -> None:
    host = Host()
    host.machine.step(-7.0)
    assert host.clock.look() == pytest.approx(-7.0)
    assert host.clock.look() == 0
    host.machine.step(0.9 * SKEW_S)
    assert host.clock.look() == 0


def test_until_a_broker_is_known_a_step_is_not_followed() -> None:
    host = Host()
    host.machine.step(3600.0)
    assert host.clock.now() == START


def test_where_no_broker_tells_the_time_the_hosts_clock_is_followed() -> None:
    host = Host()
    host.clock.unstamped()
    host.machine.step(3600.0)
    assert host.clock.settled
    assert host.clock.now() == host.machine.now()


def test_where_no_broker_tells_the_time_a_step_ages_nothing_at_once() -> None:
    host = Host()
    host.clock.unstamped()
    host.machine.step(5.0)
    host.clock.look()
    assert host.clock.earliest() == START
    host.machine.advance(SETTLE_S)
    assert host.clock.earliest() == host.machine.now()


def test_a_brokers_clock_that_is_set_is_followed() -> None:
    host = Host()
    host.send()
    for ahead_s in (20.0, -20.0):
        host.send(broker_ahead_s=ahead_s)
        assert host.clock.offset_s == pytest.approx(-ahead_s, abs=0.01)


@pytest.mark.parametrize("ahead_s", [20.0, -20.0])
def test_a_frame_from_before_a_brokers_clock_was_set_does_not_age(ahead_s: float) -> None:
    host = Host()
    host.send()
    host.send(broker_ahead_s=ahead_s)
    lowest = host.true + timedelta(seconds=min(0.0, ahead_s))
    assert abs((host.clock.earliest() - lowest).total_seconds()) < 0.01
    host.machine.advance(SETTLE_S)
    host.send(broker_ahead_s=ahead_s)
    assert abs((host.clock.earliest() - host.true).total_seconds() - ahead_s) < 0.01


def test_a_clock_that_one_of_the_brokers_confirms_is_right() -> None:
    host = Host()
    host.send(broker_ahead_s=30.0, broker="broker 2")
    assert host.clock.offset_s == pytest.approx(-30, abs=0.01)
    host.send()
    assert host.clock.offset_s == 0
    assert host.clock.offsets() == {"broker 2": pytest.approx(-30, abs=0.01), NODE: 0}
    assert (host.clock.earliest() - host.true).total_seconds() < 0.01, "no broker's frames age by another's clock"


def test_a_reader_learns_that_its_clock_is_behind() -> None:
    host = Host(-3600.0)
    host.read(age_s=600.0)
    host.read(age_s=0.005)
    assert host.error_s() < 0.01
    assert host.clock.offset_s is None, "it might be behind by more"


def test_a_reader_that_asks_learns_that_its_clock_is_ahead() -> None:
    host = Host(3600.0)
    host.read()
    assert host.clock.now() == host.machine.now()
    asked_s = host.machine.monotonic()
    host.machine.advance(0.2)
    host.clock.followed(NODE, asked_s, int(host.true.timestamp() * 1000))
    host.read()
    assert host.clock.offset_s == pytest.approx(3600, abs=0.25)
    assert host.error_s() < 0.25


def test_a_time_from_before_a_broker_was_known_is_put_right_later() -> None:
    host = Host(-56 * 365 * 86_400.0)
    dated = host.clock.now()
    host.machine.advance(40.0)
    host.machine.step(56 * 365 * 86_400.0)  # the host finds its time first
    host.send()
    redated = host.clock.redated(dated)
    assert redated is not None
    assert abs((redated[0] - START).total_seconds()) < 0.1
    assert host.clock.redated(datetime(2027, 1, 1, tzinfo=UTC)) is None, "an earlier process said that"


def test_clocks_drift_and_what_was_measured_long_ago_proves_less() -> None:
    host = Host(1.0)
    host.send()
    host.machine.advance(3600.0)
    (offset_s,) = host.clock.offsets().values()
    assert 0.2 < offset_s < 0.5
