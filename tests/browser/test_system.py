"""The page of processes and servers, in a real browser."""

import json
from datetime import UTC, datetime, timedelta

from playwright.async_api import Page, expect

from tests.board import TestBoard
from tests.browser.axe import axe


async def test_the_system_is_measured_for_who_looks_and_says_what_it_does_not_know(
    page: Page, board: TestBoard
) -> None:
    now = datetime.now(UTC)
    content = {
        "outcome": "inspected",
        "captured_at": (now - timedelta(milliseconds=250)).isoformat(),
        "inspected_at": now.isoformat(),
        "timings": {"batch_size": 8},
        "model": "ab" * 32,
        "runtime": "openvino",
    }
    await board.board.redis.xadd(
        f"{board.board.settings.redis.prefix}:inspections", {"inspection": json.dumps(content)}
    )
    await page.goto(f"{board.url}/system")
    await expect(page.get_by_role("heading", name="System", exact=True)).to_be_visible()
    await expect(page.get_by_text("The broker does not answer")).to_be_visible()
    await expect(page.get_by_text("Every captured frame is accounted for.")).to_be_visible()
    await expect(page.get_by_text("ab" * 32)).to_be_visible()
    await expect(page.locator("#trend canvas")).to_be_visible()
    for name in ("records", "seconds", "outbox"):
        await expect(page.locator(f"#trend-{name} canvas")).to_be_visible()
    await expect(page.locator("#system-now")).to_contain_text("0.2")
    assert await axe(page) == []
