"""Runs a camera's capture on a thread of its own, and goes on without a thread that hangs.

A look-up of a name, a network disk or a driver can block for ever, and nothing can stop a thread from outside. It is
left behind: its session is sealed, so whatever it still delivers is refused, and it ends with the process.
"""

import asyncio

from ingest.capture import Capture
from ingest.sources.source import SourceError
from ingest.threads import either, on_thread

MAX_HANGING = 2
"""Threads of one camera that may hang at once; with more of them there is no further attempt until one returns."""
STOP_S = 1.0
"""How long a camera that is stopped waits for its thread."""


class CaptureThreads:
    """One camera's. Event loop only."""

    def __init__(self, camera_id: str, check_s: float) -> None:
        """`check_s`: interval between two looks at a running capture."""
        self._camera_id = camera_id
        self._check_s = check_s
        self._hanging: set[asyncio.Future[bool]] = set()

    async def run(self, capture: Capture, stop: asyncio.Event) -> bool | None:
        """The result of `capture.run`; None if it was stopped before it ended.

        Raises what `capture.run` raises, and SourceError if it hangs.
        """
        running = on_thread(capture.run, f"camera.{self._camera_id}")
        try:
            while not running.done() and not stop.is_set():
                await either(stop.wait(), asyncio.shield(running), asyncio.sleep(self._check_s))
                if not running.done() and (call := capture.overdue()) is not None:
                    raise SourceError(f"{call}: its thread is left behind{self._consequence()}")
            if stop.is_set():
                capture.stop()
                await asyncio.wait({running}, timeout=STOP_S)
                return None
            return running.result()
        finally:
            capture.stop()
            self._leave(running)

    async def free(self, stop: asyncio.Event) -> None:
        """Wait until another attempt may be made, or until `stop`."""
        while len(self._hanging) >= MAX_HANGING and not stop.is_set():
            await either(stop.wait(), *(_ended(thread) for thread in self._hanging))

    def _leave(self, running: "asyncio.Future[bool]") -> None:
        if not running.done():
            self._hanging.add(running)
            running.add_done_callback(self._hanging.discard)

    def _consequence(self) -> str:
        if len(self._hanging) + 1 < MAX_HANGING:
            return ""
        return f"; {MAX_HANGING} of them hang now, and the camera is not tried again until one returns"


async def _ended(thread: "asyncio.Future[bool]") -> None:
    """When the thread has ended, however."""
    await asyncio.wait({thread})
