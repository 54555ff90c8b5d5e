"""Lets FFmpeg make a GPU's context before the model takes it over: both decode and compute in the same one.

FFmpeg wants a context whose waiting threads sleep. It sets that before the context is active, and refuses one that is
active without it (`hwcontext_cuda.c`: ENOTSUP); torch takes over what is there, and would make another kind.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import av
from av.codec.hwaccel import HWAccel

REFUSALS = (av.FFmpegError, NotImplementedError, RuntimeError)
"""What PyAV raises where a card can't decode: without a card PermissionError, whatever fallback is allowed."""


@contextmanager
def made_by_ffmpeg(device: str) -> Iterator[None]:
    """Load the model in the block. `device`: as in `model.device`. Without such a GPU it changes nothing."""
    number = _card_of(device)
    opened: list[av.CodecContext] = []
    if number is not None:
        with suppress(*REFUSALS):
            opened.append(av.CodecContext.create("h264", "r", hwaccel=HWAccel("cuda", number, is_hw_owned=True)))
    try:
        yield
    finally:
        opened.clear()  # from here on the model keeps the context


def _card_of(device: str) -> str | None:
    """The number of the GPU, as CUDA counts. None: it is another kind of device."""
    kind, _, index = device.partition(":")
    return (index or "0") if kind in ("auto", "cuda") and (index or "0").isdigit() else None
