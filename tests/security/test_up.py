"""A line under `andon up`: everything listens on loopback only, and its folder holds no secret."""

import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from tests.e2e.line import CLIPS, MODEL
from tests.security import secrets

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
LOOPBACK = ("127.", "::1")


@contextmanager
def up(config: Path) -> Iterator[psutil.Popen]:
    """`andon up`. It is killed at the end of the block, if it still runs."""
    with (config.parent / "up.log").open("ab") as log:
        process = psutil.Popen(
            [sys.executable, "-m", "andon", "up", "-c", str(config)], cwd=config.parent, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        for one in [*process.children(recursive=True), process] if process.is_running() else []:
            one.kill()
        process.wait(30)


def wait_for_evidence(folder: Path) -> None:
    deadline = time.monotonic() + 120
    while not any(folder.rglob("*.jpg")):
        assert time.monotonic() < deadline, (folder / "up.log").read_text()[-5000:]
        time.sleep(0.5)


def listening(process: psutil.Process) -> dict[str, set[tuple[str, int]]]:
    """By process: its listening TCP ports and its open UDP ports."""
    found: dict[str, set[tuple[str, int]]] = {}
    for one in [process, *process.children(recursive=True)]:
        sockets = [item for item in one.net_connections() if item.status == psutil.CONN_LISTEN or _open_udp(item)]
        found[" ".join(one.cmdline())] = {(item.laddr.ip, item.laddr.port) for item in sockets}
    return found


def _open_udp(item: object) -> bool:
    return getattr(item, "type", None) == socket.SOCK_DGRAM and bool(getattr(item, "laddr", None))


def test_everything_listens_on_loopback_and_the_folder_holds_no_secret(tmp_path: Path) -> None:
    config = tmp_path / "line.yaml"
    camera = {"id": "press-1", "url": str(CLIPS / "press-1.mp4"), "loop": True}
    away = {"id": "away", "url": secrets.CAMERA_URL.format(port=1), "open_timeout_s": 1, "reconnect_max_s": 1}
    document = {
        "cameras": [camera, away],
        "pools": {"default": {"model": {"weights": str(MODEL)}}},
        "run": {"log_level": "debug"},
    }
    config.write_text(yaml.safe_dump(document))
    with up(config) as process:
        wait_for_evidence(tmp_path)
        listeners = listening(process)
        metrics = [read(f"http://{host}:{port}/metrics") for host, port in roles(listeners)]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, (tmp_path / "up.log").read_text()[-5000:]
    everywhere = {command: open_ for command, sockets in listeners.items() if (open_ := open_to_all(sockets))}
    assert everywhere == {}
    assert len([sockets for sockets in listeners.values() if sockets]) >= 5, "broker, Redis and three roles listen"
    assert secrets.in_bytes("\n".join([*listeners, *metrics]).encode()) == set(), "command lines and metrics hold none"
    assert secrets.in_files(tmp_path, [config]) == {}


def roles(listeners: dict[str, set[tuple[str, int]]]) -> list[tuple[str, int]]:
    names = (" ingest ", " work ", " sink ")
    return [
        item for command, sockets in listeners.items() if any(name in command for name in names) for item in sockets
    ]


def open_to_all(sockets: set[tuple[str, int]]) -> list[tuple[str, int]]:
    return [item for item in sockets if not item[0].startswith(LOOPBACK)]


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def test_a_role_started_by_hand_listens_on_loopback(tmp_path: Path) -> None:
    config = tmp_path / "line.yaml"
    config.write_text(yaml.safe_dump({"kafka": {"bootstrap_servers": "127.0.0.1:1"}, "cameras": []}))
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "-m", "andon", "sink", "-c", str(config)]
        process = psutil.Popen(command, cwd=tmp_path, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while not any(listening(process).values()):
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.1)
        assert open_to_all(set().union(*listening(process).values())) == []
    finally:
        process.kill()
        process.wait()
