"""A user's path: pictures that the project has never seen, a model trained on them, exported, served by a worker."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from andon.settings import KafkaSettings
from tests import yolo_dataset
from tests.integration.workers.line import Line, frame

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("life")


@pytest.fixture(scope="module")
def data(room: Path) -> Path:
    return yolo_dataset.write(room / "parts")


def andon(room: Path, *arguments: object, code: int = 0) -> str:
    """`andon model ...` as a user runs it; what it printed."""
    command = [sys.executable, "-m", "andon", "model", *map(str, arguments), "--cache", str(room / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def trained(room: Path, data: Path) -> Path:
    """Two epochs: it sees nothing yet, and everything that is done with a model can be done with it."""
    said = json.loads(andon(room, "train", data, "--out", room / "rings", "--epochs", 2, "--imgsz", 64, "--json"))
    assert said["classes"] == list(yolo_dataset.CLASSES)
    assert said["training"]["images"] == {"train": 12, "val": 6}
    assert set(said["metrics"]["map50_by_class"]) == set(yolo_dataset.CLASSES)
    return room / "rings" / "rings.pt"


async def test_from_pictures_to_inspections_that_carry_the_digest_of_what_was_exported(
    room: Path, trained: Path, broker: KafkaSettings
) -> None:
    made = json.loads(andon(room, "export", trained, "--to", "onnx", "--out", room / "made", "--json"))
    line = Line(room, room / "cache", broker)
    line.model.update(weights=str(room / "made" / made["file"]), digest=made["digest"])
    await line.create_topics()
    picture, _ = yolo_dataset.draw(5)
    payload = cv2.imencode(".jpg", picture)[1].tobytes()
    await line.publish(*(frame("press-1", seq, payload=payload) for seq in range(3)))
    async with line.worker() as worker:
        inspections = await line.inspections(at_least=3)
        assert await worker.stop() == 0
        assert f"digest={made['digest']}" in worker.said
    assert [(item.outcome, item.model, item.runtime) for item in inspections] == [
        ("inspected", made["digest"], "onnx")
    ] * 3


def test_a_training_that_was_broken_off_goes_on_from_its_last_epoch(room: Path, data: Path) -> None:
    out = room / "broken-off"
    asked = ["train", data, "--out", out, "--epochs", 2, "--imgsz", 64]
    command = [sys.executable, "-m", "andon", "model", *map(str, asked), "--cache", str(room / "cache")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for said in process.stderr:
            if said.startswith("epoch 1/2"):
                os.kill(process.pid, signal.SIGKILL)
                break
    assert not (out / "broken-off.pt").exists()
    again = subprocess.run(command, capture_output=True, text=True, timeout=150, check=True)
    assert "going on after epoch 1 of 2" in again.stderr
    assert "epoch 2/2" in again.stderr
    assert (out / "broken-off.pt").is_file()
