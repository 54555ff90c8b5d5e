"""How a packet goes from the file to the client: once, or not at all."""

import asyncio
import threading

import pytest
from aio_rtsp_toolkit.server_session import RtspServerSession

from sample_streams import serve


class CountingQueue(asyncio.Queue[str]):
    """A queue that remembers how often something was put."""

    puts = 0

    async def put(self, item: str) -> None:
        self.puts += 1
        await super().put(item)


class CountingEvent(threading.Event):
    """Counts how often it is asked whether it is set."""

    looks = 0

    def is_set(self) -> bool:
        self.looks += 1
        return super().is_set()


def session() -> serve.ClipSession:
    return object.__new__(serve.ClipSession)  # a real one wants a socket, which handing over does not


async def test_a_packet_that_waits_for_a_full_queue_is_put_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_POLL_S", 0.0)  # every look finds the queue still full
    queue, loop = CountingQueue(maxsize=1), asyncio.get_running_loop()
    queue.put_nowait("before")
    ended = CountingEvent()
    handed = asyncio.create_task(asyncio.to_thread(session()._threadsafe_queue_put, loop, queue, "packet", ended))
    while not queue.puts or ended.looks < 10:
        await asyncio.sleep(0)
    assert [await queue.get(), await queue.get()] == ["before", "packet"]
    assert await handed is True
    assert queue.puts == 1
    assert queue.empty()


async def test_a_packet_of_a_session_that_ended_is_not_put() -> None:
    queue, ended = CountingQueue(maxsize=1), threading.Event()
    queue.put_nowait("before")
    ended.set()
    loop = asyncio.get_running_loop()
    assert await asyncio.to_thread(session()._threadsafe_queue_put, loop, queue, "packet", ended) is False
    assert [queue.get_nowait()] == ["before"]
    assert queue.empty()


async def test_a_stream_s_first_timestamp_is_not_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[float] = []

    async def record(self: object, state: object, data: bytes, media_time: float, *rest: object) -> None:
        sent.append(media_time)

    monkeypatch.setattr(RtspServerSession, "_send_video_packet", record)
    for media_time in (0.0, 1 / 15):
        await session()._send_video_packet(None, b"", media_time, 1 / 15, True)
    assert [round(at * 90_000) for at in sent] == [1, 6001]
