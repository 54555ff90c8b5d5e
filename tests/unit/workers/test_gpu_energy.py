"""The energy of a GPU, with a fake of the vendor's library: no machine of these tests has a GPU."""

import sys
import threading
from types import ModuleType
from typing import Any

import pytest

from andon.events import Event, GpuEnergyUsed
from workers import gpu_energy
from workers.gpu_energy import meter, metered

MIG = "MIG-7f1e8a1c-0c5b-5d57-9b3a-0a1b2c3d4e5f"


class NVMLError(Exception):
    pass


class FakeNvml(ModuleType):
    """`pynvml`, with one GPU at each index, and one that is named by its UUID."""

    NVMLError = NVMLError

    def __init__(self) -> None:
        super().__init__("pynvml")
        self.counted_mj = 5_000_000
        self.processes = 1
        self.fails = False
        self.inits = True

    def nvmlInit(self) -> None:  # noqa: N802  # the library's names
        if not self.inits:
            raise NVMLError("NVML Shared Library Not Found")

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
        return f"index {index}"

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        return uuid

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, device: str) -> str:  # noqa: N802
        return f"GPU of {device}"

    def nvmlDeviceGetUUID(self, device: str) -> str:  # noqa: N802
        return device

    def nvmlDeviceGetTotalEnergyConsumption(self, device: str) -> int:  # noqa: N802
        if self.fails:
            raise NVMLError("Not Supported")
        return self.counted_mj

    def nvmlDeviceGetComputeRunningProcesses(self, device: str) -> list[Any]:  # noqa: N802
        return [object()] * self.processes


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    fake = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return fake


def test_joules_are_what_the_gpu_used_since_the_last_answer(nvml: FakeNvml) -> None:
    found = meter("cuda:0")
    assert found is not None
    assert found.used_j() == 0.0
    nvml.counted_mj += 90_000
    assert found.used_j() == 90.0
    nvml.counted_mj += 30_000
    nvml.fails = True
    assert found.used_j() is None
    nvml.fails = False
    assert found.used_j() == 30.0


def test_the_shares_of_the_processes_on_a_gpu_add_up_to_what_it_used(nvml: FakeNvml) -> None:
    one, other = meter("cuda:0"), meter("cuda")
    assert one is not None
    assert other is not None
    nvml.processes = 2
    nvml.counted_mj += 90_000
    assert (one.used_j(), other.used_j()) == (45.0, 45.0)


def test_a_driver_that_is_loaded_again_counts_from_0(nvml: FakeNvml) -> None:
    found = meter("cuda:0")
    assert found is not None
    nvml.counted_mj = 1000
    assert found.used_j() == 0.0
    nvml.counted_mj = 3000
    assert found.used_j() == 2.0


@pytest.mark.parametrize(
    ("visible", "device", "gpu"),
    [
        (None, "cuda:1", "index 1"),
        ("3,2", "cuda:1", "index 2"),
        ("GPU-abc, GPU-def", "cuda:1", "GPU-def"),
        (MIG, "cuda:0", f"GPU of {MIG}"),
    ],
)
def test_the_device_is_the_one_that_cuda_shows(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, visible: str | None, device: str, gpu: str
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = meter(device)
    assert found is not None
    assert found.gpu == gpu


def test_there_is_no_meter_without_a_gpu_without_nvml_and_without_its_counter(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert meter("CPU") is None
    assert meter("cpu") is None
    nvml.fails = True
    assert meter("cuda:0") is None
    nvml.fails, nvml.inits = False, False
    assert meter("cuda:0") is None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert meter("cuda:0") is None


def test_a_worker_reports_it_from_a_thread_of_its_own(nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_energy, "LOOK_S", 0.001)
    reported, came = [], threading.Event()

    def emit(event: Event) -> None:
        reported.append(event)
        came.set()

    with metered("cuda:0", emit):
        assert came.wait(60)
    assert reported[0] == GpuEnergyUsed("index 0", 0.0)
