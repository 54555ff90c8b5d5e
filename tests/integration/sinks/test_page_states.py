"""Each page says that it has nothing, that it waits, or that it can't know: never what is not true."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
from sqlalchemy import Connection, text

from andon.messages import CameraConfig
from andon.settings import RedisSettings
from sinks.store import tables
from tests.board import TestBoard, a_board, reading_news
from tests.fakes import START
from tests.outbox import a_defect

PASSWORD = "eight words are enough"
DEFECT = a_defect(1)
CANT = "can\N{RIGHT SINGLE QUOTATION MARK}t be read now."
ON_DEFECT = f"/evidence/{quote(DEFECT.defect_id)}"
CONFIG = CameraConfig(camera_id="press-1", settings={"url": "rtsp://10.0.0.5/s"}, at=START)
EMPTY = {
    "/": ("This line has no camera yet.", "No defect yet.", "This line follows no parts."),
    "/alarms": ("Nothing is wrong: no alarm stands.",),
    "/alarms/unacknowledged": ("No alarm waits for you.",),
    "/alarms/history": ("No alarm was ever raised.",),
    "/evidence": ("No defect fits.",),
    "/cameras": ("This line has no camera yet.",),
    "/shift": ("Nothing is known of this shift",),
    "/system": ("Nothing was inspected in the last hour.", "Loading …"),
}
OF_ROWS = ("/alarms", "/alarms/unacknowledged", "/alarms/history", "/evidence", ON_DEFECT, "/shift", "/actions")
"""Pages that consist of what the store has."""


@asynccontextmanager
async def a_line(folder: Path) -> AsyncIterator[tuple[TestBoard, httpx.AsyncClient]]:
    """A board with an administrator, who is logged in; Redis and the broker are away."""
    async with a_board(folder) as board, board.client(follow_redirects=True) as client:
        await board.add_user("anna", "admin", PASSWORD)
        await client.post("/login", data={"name": "anna", "password": PASSWORD, "csrf": await _token(client)})
        yield board, client


async def _token(client: httpx.AsyncClient) -> str:
    page = (await client.get("/login")).text
    return page.split('name="csrf-token" content="', 1)[1].split('"', 1)[0]


async def page_text(client: httpx.AsyncClient, path: str, status: int = 200) -> str:
    answer = await client.get(path)
    assert answer.status_code == status, (path, answer.status_code)
    return answer.text


async def becomes(true: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.02)


def lose(connection: Connection) -> None:
    """Every query of a page is refused from now on; who is who stays known."""
    for name in tables.metadata.tables.keys() - {"users", "api_tokens", "board_keys"}:
        connection.execute(text(f"drop table {name}"))


async def test_a_page_without_content_says_that_there_is_none(tmp_path: Path, valkey: RedisSettings) -> None:
    async with a_board(tmp_path, redis_at=valkey) as board, board.client() as client:
        board.board.live.registry.cameras = {}
        await board.board.live.production.look()
        for path, words in EMPTY.items():
            page = await page_text(client, path)
            assert [word for word in words if word not in page] == [], path
        board.board.live.registry.cameras = {"press-1": CONFIG}
        await board.board.live.andon.look()
        await board.put_defects(DEFECT)
        camera, defect = await page_text(client, "/cameras/press-1"), await page_text(client, ON_DEFECT)
        for word in ("No frame of this camera", "No ingester has reported", "No time without frames is known."):
            assert word in camera
        assert "No picture is stored" in defect
        assert "Nobody has judged this defect yet." in defect


async def test_what_has_not_been_read_yet_is_loading_and_not_empty(tmp_path: Path) -> None:
    async with a_board(tmp_path) as board, board.client() as client:
        for path in ("/", "/cameras", "/system"):
            assert "Loading …" in await page_text(client, path), path
        assert "This line has no camera yet." not in await page_text(client, "/cameras")


async def test_without_redis_nothing_is_claimed_of_what_only_redis_knows(tmp_path: Path) -> None:
    async with a_line(tmp_path) as (board, client), reading_news(board.board):
        await becomes(lambda: {"redis", "inspections"} <= board.board.news.faults().keys())
        assert f"states {CANT}" in await page_text(client, "/")
        system = await page_text(client, "/system")
        assert "Redis does not answer, so the latency is not known." in system
        assert "Nothing was inspected" not in system
        assert "neither Redis nor the registry" in await page_text(client, "/cameras/press-1", 503)
        board.board.live.registry.fault = "kafka: nobody answers"
        assert f"The registry of cameras {CANT}" in await page_text(client, "/cameras")
        board.board.live.registry.cameras = {"press-1": CONFIG}
        await becomes(lambda: board.board.live.andon.tiles)
        assert "◌" in await page_text(client, "/")
        camera = await page_text(client, "/cameras/press-1")
        assert "◌" in camera
        assert f"newest frame {CANT}" in camera
        assert "No frame of this camera" not in camera
        for path in ("/alarms", "/evidence", "/shift", "/actions", "/alarms/history"):
            await page_text(client, path)  # they don't need it


async def test_a_store_that_refuses_is_named_and_the_line_stays_to_be_seen(tmp_path: Path) -> None:
    async with a_line(tmp_path) as (board, client), reading_news(board.board):
        board.board.live.registry.cameras = {"press-1": CONFIG}
        await becomes(lambda: board.board.live.andon.tiles)
        await board.board.store.write(lose)
        await becomes(lambda: board.board.news.store_fault)
        for path in OF_ROWS:
            page = await page_text(client, path, 503)
            assert "not available now" in page, path
            assert "the store can" in page, path
        line = await page_text(client, "/")
        assert f"The defects {CANT}" in line
        assert 'id="tile-press-1"' in line
        assert "press-1" in await page_text(client, "/cameras")
        assert f"account of this camera {CANT}" in await page_text(client, "/cameras/press-1")
        assert "The store does not answer" in await page_text(client, "/system")
