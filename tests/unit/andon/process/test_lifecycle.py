"""Signals, drain and health of a real process."""

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

ROLE = """
import asyncio, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from andon.errors import ConfigError, FatalError
from andon.events import FramesShed
from andon.process.lifecycle import Life, run
from andon.settings import HttpSettings, RunSettings, Settings

async def patient(life: Life) -> None:
    life.ready()
    await life.stop.wait()
    print("drained", flush=True)

async def stubborn(life: Life) -> None:
    life.ready()
    await asyncio.Event().wait()

async def mistaken(life: Life) -> None:
    raise ConfigError("line.yaml: kafka: no such key")

async def careless(life: Life) -> None:
    life.ready()
    asyncio.get_running_loop().call_soon(refuse, bytes(500_000))
    await life.stop.wait()

async def broken_by(life: Life) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(refuse_later(bytes(500_000)))

async def refuse_later(picture: bytes) -> None:
    refuse(picture)

def refuse(picture: bytes) -> None:
    raise RuntimeError(f"cannot take {picture!r}")

async def failing(life: Life) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(broken())

async def broken() -> None:
    raise FatalError("the model is gone")

async def hung(life: Life) -> None:
    life.ready()
    time.sleep(60)

async def noisy(life: Life) -> None:
    life.ready()
    for _ in range(4):
        life.emit(FramesShed("press-3", "stale", 2))
    await life.stop.wait()
    for _ in range(5):
        life.emit(FramesShed("press-4", "stale", 3))

def blocked(life: Life, limit_s: float) -> None:
    with life.watchdog.limit("the model", limit_s, "worker.inference_timeout_s"):
        threading.Event().wait()

async def stuck(life: Life) -> None:
    with ThreadPoolExecutor(1) as thread:  # joins its thread, which never returns
        asyncio.get_running_loop().run_in_executor(thread, blocked, life, 1000.0)
        life.ready()
        await life.stop.wait()

async def left(life: Life) -> None:
    thread = ThreadPoolExecutor(1)
    asyncio.get_running_loop().run_in_executor(thread, blocked, life, 1000.0)
    life.ready()
    await life.stop.wait()
    thread.shutdown(wait=False)

async def overdue(life: Life) -> None:
    life.ready()
    await asyncio.get_running_loop().run_in_executor(None, blocked, life, 0.5)

async def unread(life: Life) -> None:
    life.ready()
    await asyncio.get_running_loop().run_in_executor(None, flood, life)

def flood(life: Life) -> None:
    with life.watchdog.limit("the model", 0.5, "worker.inference_timeout_s"):
        while True:
            sys.stderr.write("x" * 65536)
            sys.stderr.flush()

run_settings = RunSettings(drain_s=float(sys.argv[2]), loop_timeout_s=1 if sys.argv[1] in ("hung", "stuck") else 60)
settings = Settings(run=run_settings, http=HttpSettings(port=int(sys.argv[3])))
sys.exit(run("test", globals()[sys.argv[1]], settings))
"""


@contextmanager
def living(role: str, drain_s: float = 30, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that is ready, and its http address."""
    command = [sys.executable, "-c", ROLE, role, str(drain_s), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        address = ""
        for line in process.stderr:
            if "process.started" in line:
                address = "http://" + line.split("http=")[1].split()[0]
            if "process.ready" in line:
                break
        yield process, address
    finally:
        process.kill()
        process.communicate()


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_role_drain_and_exit_with_0(number: signal.Signals) -> None:
    with living("patient") as (process, _):
        process.send_signal(number)
        out, _err = process.communicate(timeout=60)
        assert out == "drained\n"
        assert process.returncode == 0


def test_past_the_drain_deadline_the_role_is_cancelled_and_the_exit_code_says_so() -> None:
    with living("stubborn", drain_s=0.2) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 1


def test_a_second_signal_forces() -> None:
    with living("stubborn", drain_s=1000) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert "process.stopping" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 1


@pytest.mark.parametrize("drain_s", [0.2, 1000])
def test_a_role_that_joins_a_blocked_thread_ends_all_the_same(drain_s: float) -> None:
    with living("stuck", drain_s) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 1


def test_a_thread_that_is_left_behind_does_not_delay_the_exit() -> None:
    with living("left") as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_a_call_that_hangs_ends_the_process_though_nobody_reads_its_log() -> None:
    with living("unread") as (process, _):
        assert process.wait(60) == 1


@pytest.mark.parametrize(
    ("role", "line"),
    [
        ("overdue", "andon test: the model has not returned for 0.5 s (worker.inference_timeout_s)"),
        ("hung", "andon test: the event loop has not returned for 1 s (run.loop_timeout_s)"),
    ],
)
def test_a_call_that_hangs_ends_the_process_with_one_line(role: str, line: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ROLE, role, "1000", "0"], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert f"{line}: the process ends and must be started again" in done.stderr.splitlines()
    assert "Traceback" not in done.stderr


def test_health_and_metrics_are_served_while_it_lives() -> None:
    with living("patient") as (_, address):
        assert address.startswith("http://127.0.0.1:")
        assert [status(f"{address}/{path}") for path in ("livez", "readyz", "metrics", "nope")] == [200, 200, 200, 404]


def test_an_error_in_a_callback_is_one_short_line_without_the_callbacks_arguments() -> None:
    with living("careless") as (process, _):
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "callback.failed" in line
        assert "unforeseen error RuntimeError in <string>:" in line
        assert len(line) < 200
        process.send_signal(signal.SIGTERM)
        _out, err = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "\\x00" not in err


def test_an_error_that_nobody_foresaw_is_a_traceback_of_short_lines() -> None:
    command = [sys.executable, "-c", ROLE, "broken_by", "1", "0"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "RuntimeError: cannot take b'" in done.stderr
    assert "in refuse_later" in done.stderr
    assert max(map(len, done.stderr.splitlines())) <= 1000


def test_repeated_events_are_summed_up_while_it_lives_and_when_it_stops() -> None:
    with living("noisy") as (process, _):
        assert process.stderr is not None
        first, rest = process.stderr.readline(), process.stderr.readline()
        assert "camera=press-3 reason=stale count=2" in first
        assert "camera=press-3 reason=stale count=6" in rest
        assert "repeated=3" in rest
        process.send_signal(signal.SIGTERM)
        _out, err = process.communicate(timeout=60)
        assert "camera=press-4 reason=stale count=12" in err
        assert "repeated=4" in err


@pytest.mark.parametrize(
    ("role", "code", "line"),
    [("mistaken", 2, "andon test: line.yaml: kafka: no such key"), ("failing", 1, "andon test: the model is gone")],
)
def test_an_error_for_the_user_is_one_line_without_a_traceback(role: str, code: int, line: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ROLE, role, "1", "0"], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code
    assert done.stderr.splitlines()[-1] == line
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_one_line() -> None:
    with living("patient") as (_, address):
        port = address.rsplit(":", 1)[1]
        command = [sys.executable, "-c", ROLE, "patient", "1", port]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2
        assert f"can't listen on 127.0.0.1:{port}" in done.stderr
        assert "Traceback" not in done.stderr
