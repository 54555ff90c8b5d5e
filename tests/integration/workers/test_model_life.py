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

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]  # a training on a busy machine


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("life")


@pytest.fixture(scope="module")
def data(room: Path) -> Path:
    return yolo_dataset.write(room / "parts")


def andon(room: Path, *arguments: object, code: int = 0) -> str:
    """`andon model ...` as a user runs it; what it printed."""
    command = [sys.executable, "-m", "andon", "model", *map(str, arguments), "--cache", str(room / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def trained_weights(room: Path, data: Path) -> Path:
    """Two epochs: it sees nothing yet, and everything that is done with a model can be done with it."""
    manifest = json.loads(andon(room, "train", data, "--out", room / "rings", "--epochs", 2, "--imgsz", 64, "--json"))
    assert manifest["classes"] == list(yolo_dataset.CLASSES)
    assert manifest["training"]["images"] == {"train": 12, "val": 6}
    assert set(manifest["metrics"]["map50_by_class"]) == set(yolo_dataset.CLASSES)
    return room / "rings" / "rings.pt"


async def test_from_pictures_to_inspections_that_carry_the_digest_of_the_export(
    room: Path, trained_weights: Path, broker: KafkaSettings
) -> None:
    manifest = json.loads(andon(room, "export", trained_weights, "--to", "onnx", "--out", room / "made", "--json"))
    line = Line(room, room / "cache", broker)
    line.model.update(weights=str(room / "made" / manifest["file"]), digest=manifest["digest"])
    await line.create_topics()
    picture, _ = yolo_dataset.draw(5)
    payload = cv2.imencode(".jpg", picture)[1].tobytes()
    await line.publish(*(frame("press-1", seq, payload=payload) for seq in range(3)))
    async with line.worker() as worker:
        inspections = await line.inspections(at_least=3)
        assert await worker.stop() == 0
        assert f"digest={manifest['digest']}" in worker.log
    assert [(item.outcome, item.model, item.runtime) for item in inspections] == [
        ("inspected", manifest["digest"], "onnx")
    ] * 3


def test_a_training_that_was_broken_off_goes_on_from_its_last_epoch(room: Path, data: Path) -> None:
    out = room / "broken-off"
    arguments = ["train", data, "--out", out, "--epochs", 2, "--imgsz", 64]
    command = [sys.executable, "-m", "andon", "model", *map(str, arguments), "--cache", str(room / "cache")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch 1/2") and "mAP50" in line:  # the epoch's own line: its checkpoint is saved
                os.kill(process.pid, signal.SIGKILL)
                break
    assert not (out / "broken-off.pt").exists()
    again = subprocess.run(command, capture_output=True, text=True, timeout=400, check=True)
    assert "going on after epoch 1 of 2" in again.stderr
    assert "epoch 2/2" in again.stderr
    assert (out / "broken-off.pt").is_file()


def test_int8_beside_the_weights_in_a_table_and_a_picture(room: Path, trained_weights: Path, data: Path) -> None:
    pytest.importorskip("nncf", reason="INT8 for OpenVINO takes nncf")
    plot = room / "bench.png"
    arguments = ["--precision", "int8", "--turns", 1, "--plot", plot, "--keep", room / "kept", "--json"]
    report = json.loads(andon(room, "bench", trained_weights, "--data", data, *arguments))
    rows = {(row["runtime"], row["precision"]): row for row in report["rows"]}
    assert set(rows) >= {("torch", "fp32"), ("openvino", "int8"), ("onnx", "int8")}
    assert all(row["ms_per_frame"] > 0 for row in rows.values())
    assert rows["onnx", "int8"]["bytes"] < 0.8 * trained_weights.stat().st_size
    assert all(name.startswith("tensorrt") and reason for name, reason in report["left_out"].items())
    assert cv2.imread(str(plot)) is not None
    kept = json.loads((room / "kept" / "rings-int8-openvino" / "manifest.json").read_text())
    assert (kept["precision"], kept["calibration_images"], kept["source"]["file"]) == ("int8", 12, "rings.pt")


def test_pruned_weights_stay_zero_through_the_training_after_it(room: Path, trained_weights: Path, data: Path) -> None:
    arguments = ["--data", data, "--amount", 0.5, "--epochs", 1, "--out", room / "pruned", "--json"]
    before, cut, after = json.loads(andon(room, "prune", trained_weights, *arguments))["rows"]
    assert before["zeros"] < 0.02 * before["parameters"]
    assert cut["zeros"] > 0.3 * cut["parameters"], "half of the weights outside the head"
    assert after["zeros"] >= cut["zeros"] * 0.999
    assert after["packed_bytes"] < before["packed_bytes"]
    assert after["parameters"] == before["parameters"]
