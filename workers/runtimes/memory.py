"""Recognises a device that has run out of memory: a batch may be too large for it, and no picture is to blame."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from workers.detector import OutOfMemoryError


@contextmanager
def torch_memory() -> Iterator[None]:
    """Raises OutOfMemoryError in place of torch's own, after torch's cache has been given back to the device."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise OutOfMemoryError(str(error).splitlines()[0]) from error
