"""A page that stays open for a day: it keeps reading news, and does not grow."""

from playwright.async_api import Page, expect

from tests.board import TestBoard
from tests.browser.test_frame import online

HOURS = 24
NODES = "() => document.getElementsByTagName('*').length"


async def test_a_day_of_simulated_time_does_not_make_the_page_grow(board: TestBoard, page: Page) -> None:
    await page.clock.install()
    for number in range(8):
        await board.put_camera(f"press-{number}", online(0.0))
    await page.goto(board.url)
    await expect(page.locator(".tile")).to_have_count(8)
    session = await page.context.new_cdp_session(page)
    sizes = []
    for _hour in range(HOURS):
        await page.clock.run_for(20_000)  # each timer of the page runs
        await page.clock.fast_forward(3_580_000)
        await page.evaluate(
            "() => { for (let n = 0; n < 200; n++) document.body.dispatchEvent(new CustomEvent('news:none')); }"
        )
        await session.send("HeapProfiler.collectGarbage")
        heap = await session.send("Runtime.getHeapUsage")
        sizes.append((heap["usedSize"], await page.evaluate(NODES)))
    grown = sizes[-1][0] - sizes[4][0]
    assert grown < 1_000_000, sizes
    assert sizes[-1][1] <= sizes[4][1] + 20, sizes
