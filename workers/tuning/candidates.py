"""The ways in which this machine can serve a .pt: what is installed, what the processor or the GPU computes."""

from collections.abc import Iterator
from importlib.util import find_spec

from andon.process.machine import cores
from andon.settings import ModelSettings
from workers.runtimes.choice import on_cuda
from workers.runtimes.installed import ExportRuntime, installed
from workers.runtimes.setup import Computed, Setup
from workers.runtimes.tuned import Candidate

CHUNKS = (1, 4)
"""Frames in a request of OpenVINO's. Each size is compiled, and larger ones gain nothing on a CPU."""


def candidates(model: ModelSettings) -> list[Setup]:
    """What the settings allow, in the order in which it is measured: first what serves without a measurement."""
    found = _on_gpu() if on_cuda(model.device) else _on_cpu(model.device)
    return [
        setup
        for setup in found
        if model.runtime in ("auto", setup.runtime) and model.precision in ("auto", setup.precision)
    ]


def not_installed(model: ModelSettings) -> Iterator[Candidate]:
    """The runtimes that could be measured if they were installed."""
    wanted: tuple[ExportRuntime, ...] = ("openvino", "onnx") if on_cpu(model) else ("tensorrt",)
    for runtime in wanted:
        if model.runtime in ("auto", runtime) and not installed(runtime):
            yield Candidate(runtime=runtime, precision="fp32", left_out="not installed")


def on_cpu(model: ModelSettings) -> bool:
    return not on_cuda(model.device) and model.device in ("auto", "cpu")


def arrangements(setup: Setup) -> list[Setup]:
    """The same with other numbers of requests side by side and of frames in each. The cores are shared out evenly."""
    available = cores()
    counts = sorted({1, max(1, available // 2), available})
    if setup.runtime == "openvino":
        return [_arranged(setup, streams, frames) for streams in counts for frames in CHUNKS]
    if setup.runtime == "onnx":
        return [_arranged(setup, streams, 1) for streams in counts]
    return []


def _arranged(setup: Setup, streams: int, frames: int) -> Setup:
    return Setup(setup.runtime, setup.precision, streams, frames, setup.artifact)


def _on_gpu() -> list[Setup]:
    found = [Setup("torch", "fp16"), Setup("torch", "fp32")]
    if installed("tensorrt"):
        found = [Setup("tensorrt", "fp16"), Setup("tensorrt", "int8"), *found]
    return found


def _on_cpu(device: str) -> list[Setup]:
    found: list[Setup] = []
    if installed("openvino"):
        found += [Setup("openvino", precision) for precision in (*_openvino_floats(device), "int8")]
    if installed("onnx"):
        found += [Setup("onnx", precision) for precision in _onnx()]
    if find_spec("torch") is not None:
        found += [Setup("torch", precision) for precision in _torch()]
    return found


def _openvino_floats(device: str) -> tuple[Computed, ...]:
    """The device's own choice first."""
    from workers.runtimes.openvino import import_openvino  # noqa: PLC0415 - only where it is installed
    from workers.runtimes.openvino_options import float_precisions  # noqa: PLC0415 - as above

    place = "CPU" if device in ("auto", "cpu") else device.upper()
    found = float_precisions(import_openvino().Core(), place)
    return tuple(sorted(found, key=lambda name: name == "fp32"))


def _onnx() -> tuple[Computed, ...]:
    return "fp32", "int8"


def _torch() -> tuple[Computed, ...]:
    """torch computes bf16 by emulation, ten times slower, where the processor lacks it."""
    from workers.runtimes.pytorch import computes_bf16  # noqa: PLC0415 - only where it is installed

    return ("fp32", "bf16") if computes_bf16() else ("fp32",)
