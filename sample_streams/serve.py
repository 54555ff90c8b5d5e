"""Serves a folder of clips as live cameras: one RTSP server, at 127.0.0.1 unless another address is named.

`rtsp://127.0.0.1:PORT/NAME.mp4?play_count=0` plays the clip in a loop for ever, for each client from the first frame;
without `play_count` it plays once. Over TCP every frame arrives once and in order. So the frame's count since the
connection, modulo the clip's length, is its number in the clip's truth. The timestamp in seconds times the clip's rate
gives the same number, also to a client that missed frames (FFmpeg gives the first frame no timestamp).
"""

import asyncio
import logging
import signal
import threading
from pathlib import Path
from typing import Any

from aio_rtsp_toolkit.server import RtspServer
from aio_rtsp_toolkit.server_session import RtspServerSession

HOST = "127.0.0.1"
_POLL_S = 0.05
_FIRST_TIMESTAMP_S = 1 / 90_000


def run(folder: Path, port: int, host: str = HOST) -> None:
    """Serve the folder until SIGTERM or SIGINT. Blocks; raises OSError if the port is taken."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    asyncio.run(_serve(folder, port, host))


def url(port: int, clip: Path) -> str:
    """The address at which the clip plays in a loop."""
    return f"rtsp://{HOST}:{port}/{clip.name}?play_count=0"


async def _serve(folder: Path, port: int, host: str) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    server = ClipServer(folder, port, host)
    await server.start()
    try:
        await stopped.wait()
    finally:
        await server.close()


class ClipServer(RtspServer):  # type: ignore[misc] # the toolkit has no types
    """The toolkit's server with sessions that send each frame once, and that end when the server does."""

    def __init__(self, folder: Path, port: int, host: str) -> None:
        super().__init__(str(folder), host=host, port=port)
        # the server logs every client and loop as info: too much beside a live table
        self.logger = logging.getLogger("sample_streams.rtsp")
        self._sessions: set[ClipSession] = set()

    async def close(self) -> None:
        """Stop listening, then end every session."""
        await super().close()
        await asyncio.gather(*(session.close() for session in tuple(self._sessions)))

    async def _handle_client(self, sock: Any) -> None:
        session = ClipSession(self, sock)
        self._sessions.add(session)
        try:
            await session.run()
        except ConnectionError:
            self.logger.info("client is gone")
        finally:
            self._sessions.discard(session)


class ClipSession(RtspServerSession):  # type: ignore[misc] # the toolkit has no types
    """One client's session."""

    async def _send_video_packet(self, state: Any, data: bytes, media_time: float, *rest: Any) -> None:
        """Send one picture, stamped one tick of the RTP clock late.

        A stream's timestamps may begin anywhere (RFC 3550, 5.1). The toolkit's begin at 0, which FFmpeg takes for
        unknown: it would count from the second frame on, and every timestamp would be one frame short.
        """
        await super()._send_video_packet(state, data, media_time + _FIRST_TIMESTAMP_S, *rest)

    def _threadsafe_queue_put(
        self, loop: asyncio.AbstractEventLoop, queue: asyncio.Queue[Any], item: object, stop_event: threading.Event
    ) -> bool:
        """Hand a packet from the reading thread to the loop, once; False if the session has ended.

        The toolkit (0.1.4) cancels a put that took 50 ms and puts again. Its queue is always full, so sometimes the
        first put succeeds at that moment, and the client gets the frame twice.
        """
        put = asyncio.run_coroutine_threadsafe(queue.put(item), loop)
        while not stop_event.is_set():
            try:
                put.result(timeout=_POLL_S)
            except TimeoutError:
                continue
            return True
        put.cancel()
        return False
