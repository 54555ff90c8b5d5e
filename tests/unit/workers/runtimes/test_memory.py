"""A device that runs out of memory is recognised in each runtime's own error; any other failure stays what it is."""

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, RuntimeException

from workers.detector import OutOfMemoryError
from workers.runtimes import onnx, openvino
from workers.runtimes.memory import torch_memory

Guard = Callable[[], AbstractContextManager[None]]
ALLOCATION = "Non-zero status code\nFailed to allocate memory for requested buffer of size 1073741824"


@pytest.mark.parametrize(
    ("guard", "error"),
    [
        (torch_memory, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore")),
        (onnx._memory, RuntimeException(ALLOCATION)),
        (onnx._memory, Fail("CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED")),
        (openvino._memory, RuntimeError("Exception from src/inference:\nstd::bad_alloc")),
        (openvino._memory, RuntimeError("[GPU] CL_OUT_OF_RESOURCES")),
    ],
)
def test_too_little_memory_is_recognised_in_one_line(guard: Guard, error: Exception) -> None:
    with pytest.raises(OutOfMemoryError) as caught, guard():
        raise error
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("guard", "error"),
    [
        (torch_memory, RuntimeError("CUDA error: an illegal memory access was encountered")),
        (onnx._memory, RuntimeException("invalid shape")),
        (openvino._memory, RuntimeError("invalid shape")),
    ],
)
def test_any_other_failure_stays_unchanged(guard: Guard, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, guard():
        raise error
    assert caught.value is error


def test_the_error_of_torch_keeps_no_tensor_alive() -> None:
    """On a GPU, half a batch found no room beside what the whole batch had left behind."""
    left: list[weakref.ref[torch.Tensor]] = []

    def layer() -> None:
        tensor = torch.zeros(3)
        left.append(weakref.ref(tensor))
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    with pytest.raises(OutOfMemoryError) as caught, torch_memory():
        layer()
    assert caught.value.__cause__ is not None, "the error itself is kept"
    assert left[0]() is None
