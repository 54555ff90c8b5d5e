"""A line of real processes loses its broker: each tile of the board says that it is blind, and since when."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from andon.settings import KafkaSettings, RedisSettings
from deploy.local.broker import EmbeddedBroker
from tests.browser.conftest import browser, page
from tests.conftest import kafka_settings
from tests.e2e.line import CLIPS, READY_S
from tests.faults.recording import Encoding
from tests.faults.rig import Rig

__all__ = ["browser", "page"]
pytestmark = [pytest.mark.faults, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="session")]
CAMERAS = ("press-1", "press-2")


@asynccontextmanager
async def a_line(
    folder: Path, kafka: KafkaSettings, redis: RedisSettings, cache: Path, encoding: Encoding
) -> AsyncIterator[str]:
    """Two cameras, and all roles between them and the page. Yields the board's address."""
    with Rig(folder, kafka, redis, cache, encoding) as line:
        line.document["board"] = {"port": 0}
        await asyncio.to_thread(_start, line)
        yield await asyncio.to_thread(_address, line)


def _start(line: Rig) -> None:
    line.write([{"id": name, "url": str(CLIPS / f"{name}.mp4"), "loop": True, "fps": 2} for name in CAMERAS])
    line.start("worker", "work", ready=False)
    line.start("sink", "sink", ready=False)
    line.start("ingest", "ingest", "--alone", ready=False)
    line.start("board", "board", ready=False)


def _address(line: Rig) -> str:
    opened = re.compile(r"board\.opened .*url=(\S+)")
    line.wait_for(lambda: opened.search(line.whole_log("board")) is not None, READY_S, "the board to be open")
    found = opened.search(line.whole_log("board"))
    assert found is not None
    return found[1]


async def test_without_a_broker_every_tile_says_since_when_it_is_blind(
    tmp_path: Path, valkey: RedisSettings, model_cache: Path, encoding: Encoding, page: Page
) -> None:
    """Prints the time that it took: the aim is 5 s, and most of it is `board.fresh_s`."""
    with EmbeddedBroker(tmp_path) as broker:
        kafka = kafka_settings(broker.bootstrap_servers, embedded=True)
        async with a_line(tmp_path, kafka, valkey, model_cache, encoding) as url:
            await page.goto(url)
            for camera in CAMERAS:
                delivers = page.locator(f"#tile-{camera} [data-part=state]")
                await expect(delivers).to_have_text("delivers", timeout=READY_S * 1000)
            await asyncio.to_thread(broker.kill)
            stopped_s = time.monotonic()
            for camera in CAMERAS:
                blind = page.locator(f"#tile-{camera} [data-fresh-text]")
                await expect(blind).to_have_text(re.compile(r"no data for \d+ s"))
            print(f"every tile is blind {time.monotonic() - stopped_s:.1f} s after the broker stopped")  # noqa: T201  # for people
            await expect(page.locator("#stopped")).to_be_hidden()  # the board itself lives
