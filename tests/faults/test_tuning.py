"""A worker's first start on a topic with frames: it measures how to serve the model, or is hindered, and inspects."""

import asyncio
import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import psutil
import pytest

from bench.harness import clips
from tests.conftest import kafka_settings
from tests.integration.workers.line import Line, Worker, frame

pytestmark = pytest.mark.timeout(500)
EACH = 40
"""Frames of each of the demo's clips."""
LIMIT_S = 170


@pytest.fixture
async def line(apache_kafka: str, tmp_path: Path, model_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setenv("ANDON_WORKER__TUNE_TIMEOUT_S", str(LIMIT_S))
    line = Line(tmp_path, model_cache, kafka_settings(apache_kafka, embedded=False))
    await line.create_topics()
    for camera in clips.CAMERAS:
        shown = islice(clips.pictures(camera), 0, 8 * EACH, 8)
        payloads = (cv2.imencode(".jpg", picture)[1].tobytes() for picture in shown)
        await line.publish(*(frame(camera, seq, payload=payload) for seq, payload in enumerate(payloads)))
    return line


async def test_a_first_start_measures_on_the_topics_frames_and_serves_the_choice(line: Line) -> None:
    line.model.update(confidence=0.4, runtime="openvino")
    async with line.worker() as worker:
        inspections = await line.inspections(at_least=4 * EACH, within_s=LIMIT_S + 120.0)
        assert await worker.stop() == 0
        assert "event=model.candidate" in worker.log
        assert "event=model.tuned" in worker.log
    assert {item.outcome for item in inspections} == {"inspected"}
    assert {item.runtime for item in inspections} == {"openvino"}
    shown = await asyncio.to_thread(show, line.folder / "line.yaml")
    assert shown[0]["used_here"]
    assert shown[0]["frames_from"] == f"the topic {line.kafka.frames_topic}"
    assert shown[0]["chosen"].startswith("openvino ")
    int8 = [one["agreement"] or 0.0 for one in shown[0]["candidates"] if one["precision"] == "int8"]
    assert max(int8) > 0.98, "scales that cut off rare activations lose one detection in twenty"


def show(config: Path) -> list[dict[str, Any]]:
    """What `andon model tune --show` prints."""
    command = [sys.executable, "-m", "andon", "model", "tune", "-c", str(config), "--show", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


async def test_a_start_whose_measurement_is_killed_serves_all_the_same(line: Line) -> None:
    line.model.update(confidence=0.41)
    async with line.worker() as worker:
        await kill_measurement(worker)
        inspections = await line.inspections(at_least=4 * EACH, within_s=120.0)
        assert await worker.stop() == 0
        assert "SIGKILL ended it" in worker.log
    assert {item.outcome for item in inspections} == {"inspected"}


async def kill_measurement(worker: Worker) -> None:
    async with asyncio.timeout(60.0):
        while True:
            for child in psutil.Process(worker.pid).children(recursive=True):
                if "workers.tuning.measuring" in child.cmdline():
                    child.kill()
                    return
            await asyncio.sleep(0.1)
