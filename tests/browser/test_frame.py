"""What every page has, in a real browser."""

from datetime import UTC, datetime, timedelta

from playwright.async_api import Page, expect

from tests.board import TestBoard


async def test_a_page_whose_stream_of_news_stops_says_so(board: TestBoard, page: Page) -> None:
    await page.goto(board.url)
    await expect(page.locator("#main")).to_be_visible()
    await expect(page.locator("#stopped")).to_be_hidden()
    board.board.hub.close()
    await expect(page.locator("#stopped")).to_contain_text("No news from the board for")
    assert await page.evaluate("document.documentElement.hasAttribute('data-stopped')")


async def test_the_language_is_the_browsers_and_can_be_chosen(board: TestBoard, page: Page) -> None:
    await page.goto(board.url)
    await expect(page.get_by_text("open to this machine")).to_be_visible()
    await page.get_by_role("link", name="DE", exact=True).click()
    await expect(page.get_by_text("offen für diesen Rechner")).to_be_visible()
    await page.goto(f"{board.url}/")
    await expect(page.get_by_text("offen für diesen Rechner")).to_be_visible()
    assert await page.evaluate("document.documentElement.lang") == "de"


def online(seconds_ago: float) -> dict[str, str]:
    """The live state of a camera that delivers."""
    at = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat()
    return {"camera": "press-3", "state": "online", "last_frame_at": at, "updated_at": at, "fps": "10"}
