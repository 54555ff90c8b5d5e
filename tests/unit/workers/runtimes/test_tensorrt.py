"""An engine's header is read without a GPU, and its mistakes are reported; the conformance suite runs engines."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from andon.errors import ConfigError
from workers.runtimes.installed import NEEDS
from workers.runtimes.tensorrt import open_engine, read_header

SAID = {"names": {"0": "ring", "1": "bar"}, "imgsz": [320, 256], "task": "detect", "end2end": True}


def engine(tmp_path: Path, **said: Any) -> Path:
    """As ultralytics writes it: a length, JSON, the engine."""
    header = json.dumps(SAID | said).encode()
    path = tmp_path / "line.engine"
    path.write_bytes(len(header).to_bytes(4, "little") + header + b"the engine")
    return path


def test_the_header_is_read_and_the_rest_is_the_engine(tmp_path: Path) -> None:
    header = read_header(engine(tmp_path), "weights")
    assert header.classes == ("ring", "bar")
    assert header.imgsz == 320
    assert header.head.task == "detect"
    assert header.plan == b"the engine"


@pytest.mark.parametrize("content", [b"", b"\xff\xff\xff\xff{}", b"\x02\x00\x00\x00{}", b"\x05\x00\x00\x00nones"])
def test_a_file_that_is_no_engine_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "line.engine"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"^weights: not a TensorRT engine that ultralytics built"):
        read_header(path, "weights")


def test_an_engine_of_a_task_that_is_not_served_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^weights: a classify model"):
        read_header(engine(tmp_path, task="classify"), "weights")


def test_a_machine_without_a_gpu_is_reported_before_an_engine_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    def build() -> Path:
        raise AssertionError("it takes minutes")

    with pytest.raises(ConfigError, match=r"^weights: TensorRT needs an NVIDIA GPU"):
        open_engine(build, "auto", "weights")


def test_a_missing_tensorrt_is_reported_with_the_pip_command() -> None:
    assert "tensorrt" in NEEDS["tensorrt"][1]
