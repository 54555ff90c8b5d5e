"""How a runtime serves a model: what the settings leave open is chosen by a measurement or by the runtime itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from andon.errors import ConfigError
from workers.runtimes.manifest import Precision, Runtime

Computed = Literal["fp32", "bf16", "fp16", "int8"]
"""The number format that a runtime computes in. An artifact of one precision may be computed in another."""
SERVED: dict[Runtime, tuple[Computed, ...]] = {
    "openvino": ("fp32", "bf16", "fp16", "int8"),
    "onnx": ("fp32", "fp16", "int8"),
    "torch": ("fp32", "bf16", "fp16"),
    "tensorrt": ("fp32", "fp16", "int8"),
}
"""What each runtime can compute in, if the device can."""


@dataclass(frozen=True, slots=True)
class Setup:
    """A runtime and its options."""

    runtime: Runtime
    precision: Computed | None = None
    """None: the runtime chooses."""
    streams: int | None = None
    """Requests side by side, which share all cores. None: the runtime chooses."""
    frames: int | None = None
    """Frames in a request. None: OpenVINO times it at the first full batch, ONNX Runtime takes one."""
    artifact: Path | None = None
    """An export that is served in place of this machine's own."""

    @property
    def exported_in(self) -> Precision:
        """The precision of this machine's own export. OpenVINO computes the same export in any float format."""
        if self.runtime == "tensorrt":
            return "fp32" if self.precision == "fp32" else "fp16"
        return "fp16" if self.runtime == "onnx" and self.precision == "fp16" else "fp32"


def require_served(setup: Setup, where: str) -> None:
    """Raises ConfigError if the runtime can't compute in that precision on any device."""
    served = SERVED[setup.runtime]
    if setup.precision is not None and setup.precision not in served:
        raise ConfigError(
            f"{where}.precision: {setup.precision}: the {setup.runtime} runtime serves {', '.join(served)}"
        )
