"""The energy of this worker's GPU: NVML's counter, read every few seconds, shared out among the processes on that GPU.

NVML counts for the whole GPU and tells no process' part. So each worker takes an equal share of what was used since its
last look: 1/n while n processes compute there. The shares of all workers of a GPU add up to what it used.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from andon.events import Emit, GpuEnergyUsed

LOOK_S = 5.0
"""Interval between two looks. 5: several within any window over which Prometheus forms a rate."""


class EnergyMeter:
    """One GPU's. Used by one thread."""

    def __init__(self, nvml: Any, device: Any) -> None:
        """`nvml`: the module `pynvml`, initialized. Raises its NVMLError: the GPU has no such counter."""
        self._nvml = nvml
        self._device = device
        self.gpu: str = nvml.nvmlDeviceGetUUID(device)
        self._counted_mj = self._read_mj()

    def used_j(self) -> float | None:
        """Joules since the last answer: this process' share. None: NVML does not answer now."""
        try:
            counted_mj = self._read_mj()
            sharers = len(self._nvml.nvmlDeviceGetComputeRunningProcesses(self._device))
        except self._nvml.NVMLError:
            return None
        used_mj = max(0, counted_mj - self._counted_mj)  # below 0: the driver was loaded again, and counts from 0
        self._counted_mj = counted_mj
        return used_mj / 1000 / max(1, sharers)

    def _read_mj(self) -> int:
        return int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._device))


def meter(device: str) -> EnergyMeter | None:
    """Of a runtime's device, such as `cuda:0`. None: it is no NVIDIA GPU, or NVML does not tell its energy."""
    kind, _, index = device.partition(":")
    if kind != "cuda":
        return None
    try:
        import pynvml  # noqa: PLC0415  # it comes with andon[workers], and not with andon[onnx]
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        return EnergyMeter(pynvml, _whole_gpu(pynvml, int(index or 0)))
    except pynvml.NVMLError:
        return None


def _whole_gpu(nvml: Any, index: int) -> Any:
    """NVML's handle of CUDA's device `index`. Of a MIG instance: the GPU that it is a part of."""
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    name = visible[index] if index < len(visible) else str(index)
    if name.isdigit():  # in the order of the bus: where GPUs differ, CUDA_DEVICE_ORDER=PCI_BUS_ID makes CUDA count so
        return nvml.nvmlDeviceGetHandleByIndex(int(name))
    device = nvml.nvmlDeviceGetHandleByUUID(name)
    return nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(device) if name.startswith("MIG-") else device


@contextmanager
def metered(device: str, emit: Emit) -> Iterator[None]:
    """Within the block a thread reports what the GPU uses. Nobody waits for it: a driver may hang."""
    stopped = threading.Event()
    threading.Thread(target=_report, args=(device, emit, stopped), name="gpu.energy", daemon=True).start()
    try:
        yield
    finally:
        stopped.set()


def _report(device: str, emit: Emit, stopped: threading.Event) -> None:
    found = meter(device)
    while found is not None and not stopped.wait(LOOK_S):
        used_j = found.used_j()
        if used_j is not None:
            emit(GpuEnergyUsed(found.gpu, used_j))
