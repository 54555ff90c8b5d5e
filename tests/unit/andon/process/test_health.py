import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from andon.process.health import LIVE_S, Health, HealthServer
from andon.process.watchdog import Watchdog
from andon.settings import HttpSettings
from tests.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def watchdog(clock: FakeClock) -> Watchdog:
    return Watchdog(clock)


@pytest.fixture
def health(watchdog: Watchdog) -> Health:
    return Health(watchdog)


@pytest.fixture
def address(health: Health) -> Iterator[str]:
    with HealthServer(HttpSettings(), health, CollectorRegistry()) as server:
        yield f"http://127.0.0.1:{server.port}"


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_a_loop_that_hangs_turns_livez_and_readyz_red(
    clock: FakeClock, watchdog: Watchdog, health: Health, address: str
) -> None:
    health.ready = True
    assert (status(f"{address}/livez"), status(f"{address}/readyz")) == (200, 200)
    clock.advance(LIVE_S + 1)
    assert (status(f"{address}/livez"), status(f"{address}/readyz")) == (503, 503)
    watchdog.beat()
    assert status(f"{address}/livez") == 200


def test_a_call_past_its_limit_turns_livez_and_readyz_red(
    clock: FakeClock, watchdog: Watchdog, health: Health, address: str
) -> None:
    health.ready = True
    with watchdog.limit("the model", 2.0):
        assert status(f"{address}/livez") == 200
        clock.advance(3)
        assert (status(f"{address}/livez"), status(f"{address}/readyz")) == (503, 503)
    assert status(f"{address}/livez") == 200


def test_readyz_is_red_until_the_role_is_ready(health: Health, address: str) -> None:
    assert (status(f"{address}/livez"), status(f"{address}/readyz")) == (200, 503)
    health.ready = True
    assert status(f"{address}/readyz") == 200


def test_a_successor_listens_at_once_where_its_predecessor_was_asked_a_moment_ago(health: Health) -> None:
    with HealthServer(HttpSettings(), health, CollectorRegistry()) as server:
        address = f"http://127.0.0.1:{server.port}"
        assert status(f"{address}/livez") == 200
    with HealthServer(HttpSettings(port=server.port), health, CollectorRegistry()):
        assert status(f"{address}/livez") == 200
