"""One reader of news for all pages, with a real Redis, a real store and real connections."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from andon.events import NewsFound, NewsLost, ViewerCutOff
from andon.settings import RedisSettings
from sinks.board import events
from tests.board import a_board, at_an_address
from tests.outbox import a_defect
from tests.redis_server import MortalRedis

WAIT_S = 60.0
FILLERS = 60
"""Some 18 MB in all: more than the kernel's buffers of a connection on loopback take."""
SETTINGS = {"board": {"port": 0, "poll_s": 0.05}}


async def messages(answer: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    """The topic and the data of each message of a stream."""
    topic = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            topic = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield topic, json.loads(line.removeprefix("data: "))


async def until(answer: AsyncIterator[tuple[str, Any]], wanted: Callable[[str, Any], bool]) -> Any:
    async with asyncio.timeout(WAIT_S):
        async for topic, data in answer:
            if wanted(topic, data):
                return data
    raise AssertionError("the stream has ended")


async def test_a_stream_brings_cameras_and_defects_and_goes_on_where_it_ended(
    tmp_path: Path, valkey: RedisSettings
) -> None:
    async with a_board(tmp_path, SETTINGS, valkey) as ours, at_an_address(ours) as url, httpx.AsyncClient() as client:
        async with client.stream("GET", f"{url}/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            news = messages(answer)
            await until(news, lambda topic, data: topic == "hello")
            await ours.put_camera("press-3", {"camera": "press-3", "state": "online"})
            changed = await until(news, lambda topic, data: topic == "cameras")
            assert changed == {"changed": ["press-3"], "gone": []}
            await until(news, lambda topic, data: topic == "beat")
            last = ours.board.hub.last_id
        await ours.put_defects(a_defect(1, at=datetime.now(UTC) - timedelta(minutes=3)))
        async with client.stream("GET", f"{url}/events", headers={"last-event-id": last}) as answer:
            news = messages(answer)
            shown = await until(news, lambda topic, data: topic == "defects")
            assert [defect["label"] for defect in shown["defects"]] == ["scratch"]
            late = a_defect(2, at=datetime.now(UTC) - timedelta(minutes=10))
            await ours.put_defects(late)  # its frames are older than those of the one before
            shown = await until(news, lambda topic, data: topic == "defects")
            assert [defect["id"] for defect in shown["defects"]] == [late.defect_id]
    assert [defect.defect_id for defect in ours.board.news.defects][-1] == late.defect_id


async def test_a_redis_that_dies_is_named_on_every_page_until_it_is_back(tmp_path: Path) -> None:
    with MortalRedis() as redis:
        async with (
            a_board(tmp_path, SETTINGS, redis.settings) as ours,
            at_an_address(ours) as url,
            httpx.AsyncClient() as client,
            client.stream("GET", f"{url}/events") as answer,
        ):
            news = messages(answer)
            await until(news, lambda topic, data: topic == "hello")
            await ours.put_camera("press-3", {"camera": "press-3", "state": "online"})
            await until(news, lambda topic, data: topic == "cameras")
            redis.kill()
            beat = await until(news, lambda topic, data: topic == "beat" and "redis" in data["faults"])
            assert "redis at 127.0.0.1" in beat["faults"]["redis"]
            assert "press-3" in ours.board.news.cameras  # the last that is known
            redis.start()
            await until(news, lambda topic, data: topic == "beat" and not data["faults"])
    kinds = [
        type(event) for event in ours.events if isinstance(event, NewsLost | NewsFound) and event.source == "redis"
    ]
    assert kinds[0] is NewsLost
    assert kinds[-1] is NewsFound
    assert len(kinds) == 2


async def test_a_viewer_that_does_not_read_is_cut_off_and_the_others_get_everything(
    tmp_path: Path, valkey: RedisSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "SEND_S", 5.0)
    async with a_board(tmp_path, SETTINGS, valkey) as ours, at_an_address(ours) as url:
        host, port = url.removeprefix("http://").split(":")
        _, idle = await asyncio.open_connection(host, int(port), limit=1)
        idle.write(f"GET /events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        async with httpx.AsyncClient() as client, client.stream("GET", f"{url}/events") as answer:
            news = messages(answer)
            await reached(lambda: ours.board.hub.viewers == 2)
            for number in range(FILLERS):
                ours.board.hub.publish("filler", {"n": number, "text": "x" * 300_000})
                assert (await until(news, lambda topic, data: topic == "filler"))["n"] == number
            await reached(lambda: any(isinstance(event, ViewerCutOff) for event in ours.events))
            assert ours.board.hub.viewers == 1
            await until(news, lambda topic, data: topic == "beat")
        idle.transport.abort()


async def reached(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not true():
            await asyncio.sleep(0.01)
