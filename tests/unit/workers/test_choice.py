"""What is wrong with a pool's model is told in one line; nothing here loads a model."""

from pathlib import Path
from typing import Any

import pytest

from andon.errors import ConfigError
from andon.settings import PoolSettings
from workers.runtimes.choice import load


def complaint(**model: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(PoolSettings.model_validate({"model": model}), "heavy")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("pools.heavy.model.")
    return message


@pytest.fixture
def pickle(tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    path.write_bytes(b"whatever runs when it is loaded")
    return path


def exported(folder: Path, card: str) -> Path:
    folder.mkdir()
    (folder / "model.xml").write_text("<net/>")
    (folder / "model.bin").write_bytes(b"")
    (folder / "metadata.yaml").write_text(card)
    return folder


def test_no_weights() -> None:
    assert "not set" in complaint()


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    assert "no such file" in complaint(weights=str(tmp_path / "gone.pt"))


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"")
    assert "expected a YOLO .pt" in complaint(weights=str(path))


def test_a_wrong_digest_is_refused_before_the_file_is_loaded(pickle: Path) -> None:
    message = complaint(weights=str(pickle), digest="a" * 64, runtime="torch")
    assert "sha256 is " in message
    assert f"pools.heavy.model.digest says {'a' * 64}" in message


def test_a_folder_that_is_no_export(tmp_path: Path) -> None:
    assert "not an OpenVINO export" in complaint(weights=str(tmp_path))


@pytest.mark.parametrize("card", ["", "names: 3", "task: detect", ": : :", "names: {0: a}\ntask: detect\nimgsz: [x]"])
def test_an_export_whose_card_says_nothing(tmp_path: Path, card: str) -> None:
    assert "not what ultralytics writes" in complaint(weights=str(exported(tmp_path / "m", card)))


def test_an_export_of_another_task(tmp_path: Path) -> None:
    card = "names: {0: a}\ntask: segment\nimgsz: [320, 320]"
    assert "a segment model" in complaint(weights=str(exported(tmp_path / "m", card)))


def test_an_export_that_openvino_cannot_read(tmp_path: Path) -> None:
    card = "names: {0: a}\ntask: detect\nimgsz: [320, 320]"
    assert "OpenVINO can't serve it on CPU" in complaint(weights=str(exported(tmp_path / "m", card)))


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    card = "names: {0: a}\ntask: detect\nimgsz: [320, 320]"
    assert "on NPU" in complaint(weights=str(exported(tmp_path / "m", card)), device="npu")


def test_torch_cannot_serve_an_openvino_folder(tmp_path: Path) -> None:
    card = "names: {0: a}\ntask: detect\nimgsz: [320, 320]"
    message = complaint(weights=str(exported(tmp_path / "m", card)), runtime="torch")
    assert message.startswith("pools.heavy.model.runtime: torch")
