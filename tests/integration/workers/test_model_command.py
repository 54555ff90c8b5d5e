"""`andon model` at what users get wrong: one line each, and exit code 2."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import yolo_dataset
from tests.detectors import DEMO_WEIGHTS

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return yolo_dataset.write(tmp_path_factory.mktemp("parts"), train=2, val=2)


@pytest.fixture
def pickle(tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    path.write_bytes(b"no model at all")
    return path


def complaint(cache: Path, *arguments: object) -> str:
    command = [sys.executable, "-m", "andon", "model", *map(str, arguments), "--cache", str(cache)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = (text for text in done.stderr.splitlines() if text.startswith("andon: "))
    return line


def test_a_file_that_is_no_model(tmp_path: Path, data: Path, pickle: Path) -> None:
    message = complaint(tmp_path, "val", pickle, "--data", data, "--runtime", "torch")
    assert message.startswith(f"andon: model.weights: {pickle}: not a YOLO model that ultralytics opens")


def test_a_digest_that_is_not_the_manifests(tmp_path: Path, data: Path, pickle: Path) -> None:
    fields = {"file": "model.pt", "digest": "a" * 64, "runtime": "torch", "precision": "fp32", "task": "detect"}
    rest = {"classes": ["ring"], "imgsz": 64, "versions": {}, "made_at": "2026-11-22T00:00:00Z"}
    pickle.with_name("model.pt.manifest.json").write_text(json.dumps(fields | rest))
    message = complaint(tmp_path, "val", pickle, "--data", data)
    assert f"model.pt.manifest.json says {'a' * 64}" in message


def test_a_dataset_of_classes_that_the_model_lacks(tmp_path: Path, data: Path) -> None:
    message = complaint(tmp_path, "val", DEMO_WEIGHTS, "--data", data, "--runtime", "torch")
    assert f"{data}: the model has no class 'ring'; it knows part, scratch, dent" in message


def test_a_model_without_pictures_to_measure_it_on(tmp_path: Path) -> None:
    assert "which pictures? --data names a dataset's YAML" in complaint(tmp_path, "val", DEMO_WEIGHTS)


def test_int8_without_pictures_to_calibrate_on(tmp_path: Path) -> None:
    message = complaint(tmp_path, "export", DEMO_WEIGHTS, "--precision", "int8", "--out", tmp_path)
    assert "--precision int8: name a dataset by --data" in message


def test_an_export_of_a_file_that_is_no_pt_is_refused(tmp_path: Path) -> None:
    assert "expected a YOLO .pt" in complaint(tmp_path, "export", tmp_path / "line.onnx", "--out", tmp_path)


def test_a_setting_without_a_value(tmp_path: Path, data: Path) -> None:
    assert "--set flipud: expected KEY=VALUE" in complaint(tmp_path, "train", data, "--set", "flipud")
