"""The andon in a real browser: what it shows comes by itself, and nothing old looks like news."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from playwright.async_api import Page, expect

from tests.board import TestBoard, a_board, at_an_address
from tests.browser.axe import axe
from tests.browser.seeds import a_defect, live, put_frame
from tests.redis_server import MortalRedis


@asynccontextmanager
async def delivering(board: TestBoard, *cameras: str, **states: str) -> AsyncIterator[None]:
    """Within the block news of these cameras come again and again. `states`: of those that are not online."""
    shown = {camera: states.get(camera.replace("-", "_"), "online") for camera in cameras}

    async def deliver() -> None:
        while True:
            for camera, state in shown.items():
                await board.put_camera(camera, live(camera, state=state))
            await asyncio.sleep(0.3)

    task = asyncio.create_task(deliver())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_the_andon_says_how_the_line_is_and_when_it_knows_nothing(board: TestBoard, page: Page) -> None:
    await page.goto(board.url)
    word = page.locator(".line-word").first
    await expect(word).to_have_text("BLIND")
    await expect(page.get_by_text("No camera has been heard of yet.")).to_be_visible()
    assert await axe(page) == []
    await put_frame(board, "press-1", 4)
    async with delivering(board, "press-1", "press-2"):
        await expect(word).to_have_text("RUNS")
        tile = page.locator("#tile-press-1")
        await expect(tile).to_contain_text("delivers")
        await expect(tile).to_contain_text("good")
        await expect(tile.locator("img")).to_be_visible()  # its small picture has come
        await board.put_camera("press-3", live("press-3", state="offline", detail="10.0.0.5: no route to host"))
        await expect(word).to_have_text("ATTENTION")
        await expect(page.locator("#tile-press-3")).to_contain_text("no route to host")
        assert await axe(page) == []
    await expect(tile.locator("[data-fresh-text]")).to_contain_text("no data for")
    await expect(word).to_have_text("BLIND")
    assert await axe(page) == []


async def test_a_defect_appears_by_itself(board: TestBoard, page: Page) -> None:
    async with delivering(board, "press-1"):
        await page.goto(board.url)
        await expect(page.locator("#newest")).to_contain_text("No defect yet.")
        await expect(page.locator("#tile-press-1")).to_be_visible()
        await board.put_defects(a_defect(4, label="scratch"))
        await expect(page.locator("#newest")).to_contain_text("scratch")
        await expect(page.locator("#newest")).to_contain_text("major, 87 %")


async def test_without_redis_every_tile_says_since_when_it_is_blind(tmp_path: Path, page: Page) -> None:
    with MortalRedis() as redis:
        async with a_board(tmp_path, {"board": {"port": 0}}, redis.settings) as board, at_an_address(board):
            async with delivering(board, "press-1", "press-2"):
                await page.goto(board.url)
                await expect(page.locator(".line-word").first).to_have_text("RUNS")
            redis.kill()
            for camera in ("press-1", "press-2"):
                await expect(page.locator(f"#tile-{camera} [data-fresh-text]")).to_contain_text("no data for")
            await expect(page.locator("#faults")).to_contain_text("redis")


async def test_a_wall_screen_has_no_controls_and_goes_on_to_its_next_line(board: TestBoard, page: Page) -> None:
    async with delivering(board, "press-1", "weld-1"):
        await page.goto(f"{board.url}/?kiosk=hall-2")
        await expect(page.locator(".line-name")).to_have_text("presses")
        await expect(page.locator("#tile-press-1")).to_be_visible()
        await expect(page.locator("#tile-weld-1")).to_have_count(0)
        assert await page.locator("a:visible, button:visible, input:visible").count() == 0
        assert await axe(page) == []
        await expect(page.locator(".line-name")).to_have_text("welding")
        await expect(page.locator("#tile-weld-1")).to_contain_text("delivers")
        await expect(page.locator("#tile-press-1")).to_have_count(0)
