"""What one part of the work costs, with every core busy doing it."""

import os
import threading
import time
from collections.abc import Callable, Iterator

WARM_S = 0.2


def on_all_cores(work: Callable[[], Iterator[int]], span_s: float, threads: int | None = None) -> float:
    """CPU ms a frame of the whole process while `threads` (as many as cores) each do their own `work()`.

    An item of `work()` says how many frames it did. It should let go of the interpreter's lock while it works. Blocks.
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
