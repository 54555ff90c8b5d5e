"""Logging in and out with a keyboard, and what a role may not."""

from playwright.async_api import Page, expect

from tests.board import TestBoard
from tests.browser.axe import axe


async def test_a_person_logs_in_by_keyboard_and_out_and_sees_what_the_role_allows(board: TestBoard, page: Page) -> None:
    await board.add_user("anna", "admin", "eight words are enough")
    await board.add_user("vera", "viewer", "eight words are enough")
    await page.goto(f"{board.url}/actions")
    await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert await axe(page) == []
    for password, following in (
        ("wrong password", "do not belong together"),
        ("eight words are enough", "Who did what"),
    ):
        await page.get_by_label("Name").fill("anna")
        await page.get_by_label("Password").fill(password)
        await page.keyboard.press("Enter")
        await expect(page.get_by_text(following)).to_be_visible()
    await expect(page.get_by_text("session.begin")).to_be_visible()
    assert await axe(page) == []
    await page.get_by_role("button", name="Log out").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    await page.get_by_label("Name").fill("vera")
    await page.get_by_label("Password").fill("eight words are enough")
    await page.get_by_role("button", name="Log in").tap()
    await expect(page.get_by_role("button", name="Log out")).to_be_visible()
    await expect(page.get_by_role("link", name="Actions")).to_have_count(0)
    await page.goto(f"{board.url}/actions")
    await expect(page.get_by_text("this takes admin")).to_be_visible()
    assert await axe(page) == []


async def test_a_form_without_the_session_s_token_changes_nothing(board: TestBoard, page: Page) -> None:
    await page.goto(f"{board.url}/")
    await page.evaluate(
        """() => { const form = document.createElement("form"); form.method = "post"; form.action = "/logout";
        document.body.append(form); form.submit(); }"""
    )
    await expect(page.get_by_text("the page is out of date")).to_be_visible()
