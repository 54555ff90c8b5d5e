"""The board as a process of its own: it starts, freezes, ends, and its pages notice."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import yaml
from playwright.async_api import Page, expect

from andon.settings import RedisSettings

START_S = 60.0


@asynccontextmanager
async def a_process(folder: Path, redis: RedisSettings) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """`andon board`, and its address from its log. It is killed at the end, if it still runs."""
    line = folder / "line.yaml"
    at_redis = {"url": redis.url.get_secret_value(), "prefix": redis.prefix}
    store = f"sqlite:///{folder}/board.db"
    line.write_text(yaml.safe_dump({"board": {"port": 0}, "redis": at_redis, "sinks": {"store": store}}))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "andon", "board", "-c", str(line)), cwd=folder, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process, await asyncio.wait_for(_address(process), START_S)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    lines = []
    async for line in process.stderr:
        lines.append(line.decode())
        if found := re.search(r"board\.opened .*url=(\S+)", lines[-1]):
            return found[1]
    raise AssertionError("".join(lines))


async def test_a_page_notices_that_the_board_is_frozen_and_that_it_goes_on(
    tmp_path: Path, valkey: RedisSettings, page: Page
) -> None:
    async with a_process(tmp_path, valkey) as (process, url):
        await page.goto(url)
        await expect(page.locator("#main")).to_be_visible()
        await expect(page.locator("#stopped")).to_be_hidden()
        process.send_signal(signal.SIGSTOP)
        await expect(page.locator("#stopped")).to_contain_text("Nothing on this page is current")
        process.send_signal(signal.SIGCONT)
        await expect(page.locator("#stopped")).to_be_hidden()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
