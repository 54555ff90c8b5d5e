"""Sends what an earlier process has left in the spool of a camera that another ingester captures now."""

import asyncio
import fcntl
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from ingest.bridge import Bridge
from ingest.capture import Tools
from ingest.publisher import CameraPublisher, Route
from ingest.spool import LOCK, NAME, SpoolPlace
from ingest.spool_thread import SpoolThread
from ingest.spooled_queue import SpooledQueue


class Leftover:
    """One camera's. Event loop only."""

    def __init__(self, place: SpoolPlace, route: Route, tools: Tools, limits: tuple[int, int]) -> None:
        """`limits`: the frames and bytes that it may hold in memory."""
        self.place = place
        self._route = route
        self._tools = tools
        self._limits = limits

    async def run(self, stop: asyncio.Event) -> None:
        """Until the broker has acknowledged everything, or `stop` is set; what is left then stays on disk."""
        queue = SpooledQueue(*self._limits, self._tools.clock)
        bridge = Bridge(queue, self._tools.clock)
        spool = SpoolThread(self.place, queue, bridge, self._tools.clock, self._tools.emit)
        publisher = CameraPublisher(self._route, bridge, self._tools.clock, self._tools.emit)
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(spool.run(), name=f"camera.{self.place.camera_id}.spool")
            await spool.opened.wait()
            bridge.close()
            sending = group.create_task(publisher.run(), name=f"camera.{self.place.camera_id}.publish")
            stopping = group.create_task(stop.wait(), name=f"camera.{self.place.camera_id}.stop")
            try:
                await asyncio.wait({sending, stopping, keeping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                sending.cancel()
                stopping.cancel()
                spool.end()


def left_behind(folder: Path, without: Collection[str]) -> list[str]:
    """The cameras, but for those in `without`, whose spool in `folder` holds something that nobody sends. Blocks on the
    disk."""
    if not folder.is_dir():
        return []
    names = [entry.name for entry in folder.iterdir() if entry.name not in without and (entry / NAME).is_file()]
    return sorted(name for name in names if _waits(folder / name))


def _waits(place: Path) -> bool:
    """No process holds this spool, and it is not empty. One that can't be read waits to be salvaged."""
    try:
        with (place / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with closing(sqlite3.connect(place / NAME, timeout=0)) as database:
                return database.execute("SELECT 1 FROM message LIMIT 1").fetchone() is not None
    except OSError:
        return False
    except sqlite3.Error:
        return True
