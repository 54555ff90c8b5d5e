"""The board in a real browser: Debian's Chromium by Playwright, one for the whole session."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from andon.settings import RedisSettings
from tests.board import TestBoard, a_board, at_an_address

CHROMIUM = os.environ.get("ANDON_CHROMIUM", "/usr/bin/chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SCREENS = {
    "hall-2": {
        "every_s": 3,
        "lines": [{"name": "presses", "cameras": ["press-*"]}, {"name": "welding", "cameras": ["weld-*"]}],
    }
}
HERE = Path(__file__).parent
WAIT_MS = 30_000
"""For what must come at some time, on a machine that does much else."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser lives on one event loop, so all tests of this folder share one."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if not shutil.which(CHROMIUM):
        pytest.skip(f"no browser here ({CHROMIUM}): apt-get install chromium, or set ANDON_CHROMIUM")
    expect.set_options(timeout=WAIT_MS)
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page of a browser without history, in English. An error in one of its scripts fails the test."""
    context = await browser.new_context(locale="en-GB", timezone_id="Europe/Berlin", has_touch=True)
    context.set_default_timeout(WAIT_MS)
    opened, errors = await context.new_page(), list[str]()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    await context.close()
    assert errors == []


@pytest_asyncio.fixture(loop_scope="session")
async def board(tmp_path: Path, valkey: RedisSettings) -> AsyncIterator[TestBoard]:
    """A board without users, at an address, on an empty store and an empty Redis."""
    async with (
        a_board(tmp_path, {"line": "press hall", "board": {"port": 0, "screens": SCREENS}}, valkey) as ours,
        at_an_address(ours),
    ):
        yield ours
