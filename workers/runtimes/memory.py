"""Recognises a device that has run out of memory: a batch may be too large for it, and no picture is to blame."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from andon.errors import FatalError
from workers.detector import OutOfMemoryError


@contextmanager
def torch_memory() -> Iterator[None]:
    """Raises OutOfMemoryError in place of torch's own, after all that the block took has been given back to the device.

    The error's frames hold the tensors of the batch that failed, and half of it would still find no room.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        traceback.clear_frames(error.__traceback__)
        torch.cuda.empty_cache()
        raise OutOfMemoryError(str(error).splitlines()[0]) from error


@contextmanager
def card_works(named: str) -> Iterator[None]:
    """Raises FatalError for what CUDA reports besides a lack of memory: no later call in this process will work."""
    try:
        yield
    except torch.AcceleratorError as error:
        reason = str(error).splitlines()[0]
        raise FatalError(f"{named} fails: {reason}: look for Xid in the kernel's log of its machine") from error


def free_share(number: int) -> float:
    """The part of a GPU's memory that nobody has taken."""
    free, total = torch.cuda.mem_get_info(number)
    return free / total
