"""An engine's header is read without a GPU, and its mistakes are reported; the conformance suite runs engines.

The network around an engine runs here over an engine in the host's memory.
"""

import ctypes
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from andon.errors import ConfigError
from workers.detector import LetterboxDetector, ModelInfo
from workers.runtimes.installed import NEEDS
from workers.runtimes.tensorrt import Engine, TensorRtNetwork, open_engine, read_header
from workers.task import PLAIN

HEADER = {"names": {"0": "ring", "1": "bar"}, "imgsz": [320, 256], "task": "detect", "end2end": True}


def engine(tmp_path: Path, **fields: Any) -> Path:
    """As ultralytics writes it: a length, JSON, the engine."""
    header = json.dumps(HEADER | fields).encode()
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


class EngineInMemory:
    """An engine and its context. Each picture has one box, as confident as its red is bright."""

    def __init__(self) -> None:
        self.runs: list[tuple[int, ...]] = []
        self._addresses: dict[str, int] = {}

    def get_tensor_dtype(self, _: str) -> str:
        return "DataType.FLOAT"

    def set_input_shape(self, _: str, shape: tuple[int, ...]) -> bool:
        self.runs.append(shape)
        return shape[0] <= MOST

    def get_tensor_shape(self, _: str) -> tuple[int, int, int]:
        return self.runs[-1][0], 1, 6

    def set_tensor_address(self, name: str, address: int) -> None:
        self._addresses[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == 0, "the CPU's"
        pixels, boxes = self._at("images", self.runs[-1]), self._at("output0", self.get_tensor_shape(""))
        boxes[:, 0, :4] = (8, 8, 40, 24)
        boxes[:, 0, 4], boxes[:, 0, 5] = pixels[:, 0].mean((1, 2)), 0
        return True

    def _at(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        size = math.prod(shape)
        memory = (ctypes.c_float * size).from_address(self._addresses[name])
        return np.ctypeslib.as_array(memory).reshape(shape)


MOST = 3


def served(in_memory: EngineInMemory, *, fixed: bool = False) -> LetterboxDetector:
    place, outputs = torch.device("cpu"), ("output0",)
    engine = Engine(in_memory, in_memory, place, "images", outputs, MOST, fixed, ("ring",), 64, PLAIN, None)
    network = TensorRtNetwork(engine, 0.1)
    return LetterboxDetector(network, ModelInfo("", "tensorrt", "cpu", 64, ("ring",)), 5, 0.1, network)


@pytest.mark.parametrize("fixed", [False, True])
def test_an_engine_sees_pictures_on_its_card_as_those_on_the_host(*, fixed: bool) -> None:
    red = np.zeros((5, 64, 64, 3), np.uint8)
    red[..., 2] = np.array([50, 100, 150, 200, 250]).reshape(5, 1, 1)
    in_memory = EngineInMemory()
    of_host = served(in_memory, fixed=fixed).detect(list(red))
    of_card = served(in_memory, fixed=fixed).detect([torch.from_numpy(picture) for picture in red])
    sizes = [3, 3] if fixed else [3, 2]
    assert [shape[0] for shape in in_memory.runs] == sizes * 2
    for one, other, level in zip(of_host, of_card, (50, 100, 150, 200, 250), strict=True):
        assert one.confidences.tolist() == other.confidences.tolist() == pytest.approx([level / 255])
        assert one.boxes.tolist() == other.boxes.tolist() == [[8, 8, 40, 24]]


def test_a_batch_that_an_engine_does_not_take_is_refused() -> None:
    in_memory = EngineInMemory()
    in_memory.set_input_shape = lambda *_: False  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="outside what the engine was built for"):
        served(in_memory).detect([np.zeros((64, 64, 3), np.uint8)])
