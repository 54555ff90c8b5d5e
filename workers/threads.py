"""Threads for the detector and the decoders. They are never joined: a call that hangs would hold up the shutdown."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext

TimeLimit = Callable[[], AbstractContextManager[object]]
"""A context for one call. A call that stays in it too long ends the process (see `andon.process.watchdog`)."""
NO_LIMIT: TimeLimit = nullcontext
MOST_DECODERS = 16
"""Threads that nobody asked for. A worker inspects some 900 frames/s, and a frame of 1080p takes 9 ms to decode."""


def decoders(configured: int | None, cores: int) -> int:
    """How many threads decode pictures. At least two, unless fewer are asked for: one decodes while another waits."""
    return configured or max(2, min(cores, MOST_DECODERS))


@contextmanager
def detector_threads(count: int = 1) -> Iterator[Executor]:
    """One thread loads the model. It also runs it, unless the model takes several batches at once."""
    with _threads(count, "detector") as threads:
        yield threads


@contextmanager
def decoder_threads(count: int) -> Iterator[Executor]:
    with _threads(count, "decoder") as threads:
        yield threads


@contextmanager
def _threads(count: int, name: str) -> Iterator[Executor]:
    threads = ThreadPoolExecutor(count, thread_name_prefix=name)
    try:
        yield threads
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
