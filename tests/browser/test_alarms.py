"""An operator acknowledges an alarm on the page, by touch."""

from playwright.async_api import Page, expect

from tests.board import TestBoard, reading_news
from tests.browser.axe import axe
from tests.unit.sinks.board.test_alarms import FLOOD, alarm

MOST_STOPS = 60
"""Of the Tab key, from the top of the page to a button."""


async def tab_to(page: Page, words: str) -> None:
    """Reach a button by Tab, from wherever the focus is."""
    for _ in range(MOST_STOPS):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.textContent.trim()") == words:
            return
    raise AssertionError(f"Tab does not reach {words!r}")


async def test_an_alarm_appears_is_acknowledged_by_touch_and_goes(board: TestBoard, page: Page) -> None:
    await page.goto(f"{board.url}/alarms")
    async with reading_news(board.board):
        await expect(page.get_by_text("no alarm stands")).to_be_visible()
        await board.put_alarms(alarm("press-1"), *FLOOD)
        await expect(page.get_by_role("heading", name="Blind camera: offline")).to_be_visible()
        assert await axe(page) == []
        button = page.get_by_role("button", name="Acknowledge", exact=True).last
        box = await button.bounding_box()
        assert box is not None
        assert box["height"] >= 76
        await button.tap()
        await expect(page.get_by_text("Sent. The alarm changes")).to_be_visible()
        assert board.requests.sent[-1].alarms == ("press-1/defect/scratch",)
        await board.put_alarms(alarm("press-1", event_id="2", state="acknowledged", by="Ann", note="seen"))
        await expect(page.get_by_text("Ann: seen")).to_be_visible()
        sent = len(board.requests.sent)
        await page.reload()
        await tab_to(page, "Acknowledge all of this cause")
        await page.keyboard.press("Enter")
        await expect(page.locator("#alarms-said")).to_contain_text("Sent")
        assert len(board.requests.sent) > sent
        await page.goto(board.url)
        await expect(page.locator("#unacknowledged")).to_contain_text("Blind camera: offline")
        await expect(page.locator(".line-word").first).to_have_text("STOP")
        assert await axe(page) == []
    await page.goto(f"{board.url}/alarms/history")
    await expect(page.get_by_role("heading", name="What happened to alarms")).to_be_visible()
    assert await axe(page) == []
