"""`andon up` runs a whole line, drains at Ctrl-C, and starts again on what it left."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from sample_streams import clips, model_card
from tests.e2e.line import inspected

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "line.yaml"
    camera = {"id": "press-1", "url": str(clips.FOLDER / "press-1.mp4"), "loop": True}
    pool = {"model": {"weights": str(model_card.MODEL)}}
    path.write_text(yaml.safe_dump({"cameras": [camera], "pools": {"default": pool}}))
    return path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "andon", *arguments]


@contextmanager
def up(config: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    with (config.parent / "up.log").open("ab") as log:
        process = subprocess.Popen(
            command("up", "-c", str(config), *options), cwd=config.parent, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def audit(config: Path) -> dict[str, Any]:
    arguments = command("audit", "-c", str(config), "--json")
    done = subprocess.run(arguments, cwd=config.parent, capture_output=True, text=True, check=False)
    account: dict[str, Any] = json.loads(done.stdout)
    return account


def wait_for_inspections(config: Path, count: int) -> None:
    store = config.parent / "andon-data" / "andon.db"
    deadline = time.monotonic() + 90
    while inspected(store) < count:
        assert time.monotonic() < deadline, (config.parent / "up.log").read_text()[-5000:]
        time.sleep(0.2)


def wait_for_line(config: Path, text: str) -> None:
    deadline = time.monotonic() + 90
    while text not in (log := (config.parent / "up.log").read_text()):
        assert time.monotonic() < deadline, log[-5000:]
        time.sleep(0.2)


def test_ctrl_c_drains_and_the_next_start_goes_on(config: Path) -> None:
    with up(config) as process:
        wait_for_inspections(config, 30)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, (config.parent / "up.log").read_text()[-5000:]
    first = audit(config)
    assert first["balanced"]
    assert (first["ledger"]["lost"], first["ledger"]["in_flight"]) == (0, 0)
    with up(config) as process:
        wait_for_inspections(config, first["ledger"]["inspected"] + 30)
        second = subprocess.run(command("up", "-c", str(config)), cwd=config.parent, capture_output=True, check=False)
        assert second.returncode == 2
        assert b"another line runs there" in second.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, (config.parent / "up.log").read_text()[-5000:]
    account = audit(config)
    assert account["balanced"]
    assert account["ledger"]["captured"] > first["ledger"]["captured"]


def test_workers_follow_the_lag_of_a_real_line_and_ctrl_c_drains_them_all(config: Path) -> None:
    document = yaml.safe_load(config.read_text())
    url = str(clips.FOLDER / "press-1.mp4")
    document["cameras"] = [{"id": f"press-{number}", "url": url, "loop": True} for number in range(1, 4)]
    document["pools"]["default"]["scaling"] = {"lag_threshold": 1, "poll_s": 1.0}
    config.write_text(yaml.safe_dump(document))
    with up(config, "--workers", "1..2") as process:
        wait_for_line(config, "event=pool.scaled role=up pool=default before=1 workers=2")
        wait_for_inspections(config, 60)
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 0, (config.parent / "up.log").read_text()[-5000:]
    account = audit(config)
    assert account["balanced"]
    assert (account["ledger"]["lost"], account["ledger"]["in_flight"]) == (0, 0)


def test_a_missing_model_is_an_error_of_one_line(config: Path) -> None:
    config.write_text(config.read_text().replace(str(model_card.MODEL), "nowhere.pt"))
    done = subprocess.run(
        command("up", "-c", str(config)), cwd=config.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "nowhere.pt" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
