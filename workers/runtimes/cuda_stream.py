"""A network's own CUDA stream. Video is converted on the device's default stream, and would wait for whole batches."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

NONE = -1
"""To torch: no other device than the current one."""


class OwnStream:
    """On a CPU it changes nothing."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.cuda: torch.cuda.Stream | None = None
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # what loads the model stands on the default stream
            self.cuda = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch leaves it untyped

    @property
    def handle(self) -> int:
        """CUDA's own, for TensorRT."""
        return 0 if self.cuda is None else self.cuda.cuda_stream

    @contextmanager
    def current(self) -> Iterator[None]:
        """Work in the block stands on this stream, behind what the default stream has got so far."""
        if self.cuda is not None:
            self.cuda.wait_stream(torch.cuda.default_stream(self._device))
        with torch.cuda.device(NONE if self.cuda is None else self._device), torch.cuda.stream(self.cuda):
            yield

    def finish(self) -> None:
        """Blocks until its work is done."""
        if self.cuda is not None:
            self.cuda.synchronize()
