"""Threads for the detector and the decoders. They are never joined: a call that hangs would hold up the shutdown."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext

TimeLimit = Callable[[], AbstractContextManager[object]]
"""A context for one call. A call that stays in it too long ends the process (see `andon.process.watchdog`)."""
NO_LIMIT: TimeLimit = nullcontext


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
