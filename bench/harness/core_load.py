"""The CPU cost of one part of the work while every core is busy with it."""

import os
import threading
import time
from collections.abc import Callable, Iterator

WARM_S = 0.2


def on_all_cores(work: Callable[[], Iterator[int]], span_s: float, threads: int | None = None) -> float:
    """CPU ms a frame of the whole process while `threads` threads (default: one for each core) each run `work()`.

    Each item of `work()` is the number of frames that it took; it should release the interpreter's lock. Blocks.
    """
    done = [0] * (threads or os.cpu_count() or 1)
    stop = threading.Event()

    def busy(index: int) -> None:
        for frames in work():
            done[index] += frames
            if stop.is_set():
                return

    running = [threading.Thread(target=busy, args=(index,), daemon=True) for index in range(len(done))]
    for thread in running:
        thread.start()
    time.sleep(WARM_S)
    frames, cpu_s = sum(done), time.process_time()
    time.sleep(span_s)
    frames, cpu_s = sum(done) - frames, time.process_time() - cpu_s
    stop.set()
    for thread in running:
        thread.join()
    return 1000 * cpu_s / max(1, frames)
