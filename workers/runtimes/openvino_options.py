"""How OpenVINO compiles a model: threads, requests side by side and precision."""

import os
from dataclasses import dataclass
from typing import Any

from andon.errors import ConfigError
from andon.process.machine import cores
from workers.runtimes.setup import Computed

THROUGHPUT = {"PERFORMANCE_HINT": "THROUGHPUT"}
"""Several requests at once, each on a few threads, instead of one request on all threads: threads that wait for each
other cost a third of the time. Source: OpenVINO, "High-level Performance Hints"."""
FLOATS: dict[Computed, tuple[str, str]] = {"fp32": ("f32", "FP32"), "bf16": ("bf16", "BF16"), "fp16": ("f16", "FP16")}
"""OpenVINO's names: of the precision hint, and of the device's capability."""


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """None: OpenVINO chooses."""

    compiled_bytes: int | None = None
    """Memory for compiled shapes. None: an eighth of the machine's."""
    precision: Computed | None = None
    streams: int | None = None
    """Requests that run side by side."""
    frames: int | None = None
    """Frames in a request. None: timed at the first full batch."""


BY_ITSELF = CompileOptions()


def properties(options: CompileOptions, device: str) -> dict[str, Any]:
    """For `compile_model`."""
    found: dict[str, Any] = dict(THROUGHPUT) if options.streams is None else {"NUM_STREAMS": options.streams}
    if options.precision in FLOATS:
        found["INFERENCE_PRECISION_HINT"] = FLOATS[options.precision][0]
    allowed = cores()
    # OpenVINO counts the machine's cores; a container may be allowed fewer
    if device == "CPU" and (allowed < (os.cpu_count() or 1) or options.streams is not None):
        found["INFERENCE_NUM_THREADS"] = allowed
    return found


def float_precisions(core: Any, device: str) -> tuple[Computed, ...]:
    """Those that the device computes in by itself. `core`: an openvino.Core."""
    capable = core.get_property(device, "OPTIMIZATION_CAPABILITIES")
    return tuple(name for name, (_, capability) in FLOATS.items() if capability in capable)


def require_capable(core: Any, device: str, precision: Computed | None, where: str) -> None:
    """Raises ConfigError for a float precision that the device would only emulate."""
    if precision in FLOATS and precision not in (capable := float_precisions(core, device)):
        raise ConfigError(f"{where}: {device} does not compute in {precision}, but in {', '.join(capable)}")
