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
import asyncio, sys, time
from andon.errors import ConfigError, FatalError
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

async def failing(life: Life) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(broken())

async def broken() -> None:
    raise FatalError("the model is gone")

async def hung(life: Life) -> None:
    life.ready()
    time.sleep(60)

settings = Settings(run=RunSettings(drain_s=float(sys.argv[2])), http=HttpSettings(port=int(sys.argv[3])))
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
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_role_drain_and_exit_with_0(number: signal.Signals) -> None:
    with living("patient") as (process, _):
        process.send_signal(number)
        out, _err = process.communicate(timeout=20)
        assert out == "drained\n"
        assert process.returncode == 0


def test_past_the_drain_deadline_the_role_is_cancelled_and_the_exit_code_says_so() -> None:
    with living("stubborn", drain_s=0.2) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 1


def test_a_second_signal_forces() -> None:
    with living("stubborn", drain_s=1000) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert "process.stopping" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 1


def test_health_and_metrics_are_served_while_it_lives() -> None:
    with living("patient") as (_, address):
        assert address.startswith("http://127.0.0.1:")
        assert [status(f"{address}/{path}") for path in ("livez", "readyz", "metrics", "nope")] == [200, 200, 200, 404]


@pytest.mark.parametrize(
    ("role", "code", "line"),
    [("mistaken", 2, "andon test: line.yaml: kafka: no such key"), ("failing", 1, "andon test: the model is gone")],
)
def test_an_error_that_is_made_to_be_told_is_one_line_without_a_traceback(role: str, code: int, line: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ROLE, role, "1", "0"], check=False, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == code
    assert done.stderr.splitlines()[-1] == line
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told_in_one_line() -> None:
    with living("patient") as (_, address):
        port = address.rsplit(":", 1)[1]
        command = [sys.executable, "-c", ROLE, "patient", "1", port]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
        assert done.returncode == 2
        assert f"can't listen on 127.0.0.1:{port}" in done.stderr
        assert "Traceback" not in done.stderr
