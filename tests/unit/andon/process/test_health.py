import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from prometheus_client import CollectorRegistry

from andon.process.health import LIVE_S, MOST_CONNECTIONS, Health, HealthServer, _QuietHandler
from andon.process.progress import Progress, Work
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
def progress(clock: FakeClock, watchdog: Watchdog) -> Progress:
    return Progress(clock, watchdog, stalled_s=30)


@pytest.fixture
def health(watchdog: Watchdog, progress: Progress) -> Health:
    return Health(watchdog, progress)


@pytest.fixture
def address(health: Health) -> Iterator[str]:
    with HealthServer(HttpSettings(), health, CollectorRegistry()) as server:
        yield f"http://127.0.0.1:{server.port}"


def answer(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=60) as got:
            return int(got.status), got.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def status(url: str) -> int:
    return answer(url)[0]


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


def test_readyz_says_what_a_starting_process_waits_for(
    clock: FakeClock, watchdog: Watchdog, health: Health, address: str
) -> None:
    with watchdog.limit("the loading of the model", 300):
        clock.advance(2)
        assert answer(f"{address}/readyz")[1] == (
            "503 Service Unavailable\nnot ready yet: the loading of the model has been under way for 2 s\n"
        )


def test_a_stall_turns_readyz_red_with_its_reason_and_leaves_livez_green(
    clock: FakeClock, watchdog: Watchdog, progress: Progress, health: Health, address: str
) -> None:
    health.ready = True
    progress.duty("camera press-3", lambda: Work(7, waits=True, reason="81 frames wait for the broker"))
    progress.check()
    clock.advance(31)
    watchdog.beat()
    progress.check()
    assert status(f"{address}/livez") == 200
    assert answer(f"{address}/readyz") == (
        503,
        "503 Service Unavailable\ncamera press-3 has made no progress for 31 s (run.stalled_s): "
        "81 frames wait for the broker\n",
    )


def test_a_successor_gets_the_port_that_its_predecessor_has_just_used(health: Health) -> None:
    with HealthServer(HttpSettings(), health, CollectorRegistry()) as server:
        address = f"http://127.0.0.1:{server.port}"
        assert status(f"{address}/livez") == 200
    with HealthServer(HttpSettings(port=server.port), health, CollectorRegistry()):
        assert status(f"{address}/livez") == 200


def idle(address: str) -> socket.socket:
    """A connection that never sends a request."""
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def test_two_hundred_idle_connections_keep_no_probe_out_and_do_not_pile_up(address: str) -> None:
    with ExitStack() as stack:
        held = [stack.enter_context(idle(address)) for _ in range(200)]
        assert status(f"{address}/livez") == 200
        closed = held[: 200 - MOST_CONNECTIONS]
        assert [connection.recv(1) for connection in closed] == [b""] * len(closed)  # the server closed the oldest
        assert status(f"{address}/metrics") == 200


def test_a_connection_on_which_nothing_moves_is_closed(
    monkeypatch: pytest.MonkeyPatch, address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_QuietHandler, "timeout", 0.01)
    with idle(address) as silent, idle(address) as slow:
        slow.sendall(b"GET /livez HT")
        assert (silent.recv(1), slow.recv(1)) == (b"", b"")
    assert capfd.readouterr().err == ""
