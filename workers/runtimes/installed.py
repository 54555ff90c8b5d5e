"""Which runtimes are installed, and how to install one."""

from importlib.util import find_spec
from typing import Literal

from andon.errors import ConfigError

ExportRuntime = Literal["openvino", "onnx", "tensorrt"]
"""The runtimes that serve an export."""
NEEDS: dict[ExportRuntime, tuple[str, str]] = {
    "openvino": ("openvino", "'andon[workers]'"),
    "onnx": ("onnxruntime", "'andon[onnx]'"),
    "tensorrt": ("tensorrt", "tensorrt 'andon[workers,onnx]'"),
}
"""Each runtime's module, and the name by which pip installs it."""


def installed(runtime: ExportRuntime) -> bool:
    return find_spec(NEEDS[runtime][0]) is not None


def need(runtime: ExportRuntime, key: str) -> None:
    """Raises ConfigError, with the command that installs it. `key` begins the message."""
    if not installed(runtime):
        raise ConfigError(f"{key}: the {runtime} runtime is not installed: pip install {NEEDS[runtime][1]}")
