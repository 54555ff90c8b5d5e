"""README's three sections work as pasted: each endless command in its own terminal, the others to their end."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.e2e.line import REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
README = (REPOSITORY / "README.md").read_text()
PORTS = (8554, 9092, 6379)


def blocks(section: str, language: str) -> list[str]:
    """The section's fenced blocks of one language."""
    text = README.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


class Shell:
    """A user at the repository's root who pastes commands."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._terminals = 0

    def paste(self, script: str) -> str:
        """Run to the end; returns what was printed."""
        done = subprocess.run(
            self._bash(script), check=False, capture_output=True, text=True, timeout=120, cwd=self._folder
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def terminal(self, script: str) -> Path:
        """Run in a terminal of its own until the test ends; returns where its output is written."""
        self._terminals += 1
        out = self._folder / f"terminal-{self._terminals}.log"
        self._stack.enter_context(self._running(script, out))
        return out

    @contextmanager
    def _running(self, script: str, out: Path) -> Iterator[None]:
        with out.open("wb") as log:
            process = subprocess.Popen(
                self._bash(script), stdout=log, stderr=subprocess.STDOUT, start_new_session=True, cwd=self._folder
            )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    @staticmethod
    def _bash(script: str) -> list[str]:
        return ["bash", "-e", "-c", script]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    busy = [port for port in PORTS if _listens(port)]
    if busy:
        pytest.skip(f"README's commands use the ports {PORTS}; something listens on {busy}")
    for name in (".venv", "sample_streams"):
        (tmp_path / name).symlink_to(_place(name))
    with ExitStack() as stack:
        yield Shell(tmp_path, stack)


def _place(name: str) -> Path:
    return Path(sys.prefix) if name == ".venv" else REPOSITORY / name


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(text: str, log: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not re.search(text, log.read_text()):
        assert time.monotonic() < deadline, f"{text!r} did not appear:\n{log.read_text()[-3000:]}"
        time.sleep(0.2)


ACTIVATE = "source .venv/bin/activate\n"


def test_a_camera_is_plugged_in_workers_are_scaled_and_alerts_consumed_as_readme_says(shell: Shell) -> None:
    serve, plug_in = blocks("Plug in your camera", "bash")
    scale, lag = blocks("Scale the workers", "bash")
    (follow,) = blocks("Consume alerts", "bash")
    (consumer,) = blocks("Consume alerts", "python")
    shell.terminal(serve)
    time.sleep(2)
    assert plug_in.startswith(ACTIVATE)
    assert plug_in.endswith("andon up\n")
    shell.paste(plug_in.removesuffix("andon up\n"))
    up = shell.terminal(ACTIVATE + scale)
    wait_for("is up", up, 120)
    outs = [shell.terminal(ACTIVATE + line) for line in follow.splitlines()]
    outs.append(shell.terminal(f"{ACTIVATE}cat > consumer.py <<'PYTHON'\n{consumer}PYTHON\npython consumer.py"))
    for out in outs:
        wait_for("opened", out, 60)
    assert "total" in shell.paste(ACTIVATE + lag)
    assert "press-1" in shell.paste(f"{ACTIVATE}andon audit")
