"""The gallery, a defect and its labels, and a shift, in a real browser: by touch, by keys, for everybody."""

from datetime import timedelta
from io import BytesIO
from urllib.parse import quote

from PIL import Image, ImageDraw
from playwright.async_api import Page, expect

from andon.messages import Box, Defect
from sinks.store.labels import labels_of
from tests.board import TestBoard
from tests.browser.axe import axe
from tests.fakes import START
from tests.outbox import a_defect, a_part

BOX = Box(x1=200, y1=120, x2=320, y2=200)


def picture() -> bytes:
    """Grey, with a white patch where the defect's box is."""
    image = Image.new("RGB", (640, 480), (96, 96, 96))
    ImageDraw.Draw(image).rectangle((BOX.x1, BOX.y1, BOX.x2 - 1, BOX.y2 - 1), fill=(255, 255, 255))
    out = BytesIO()
    image.save(out, "JPEG", quality=95)
    return out.getvalue()


async def a_line(board: TestBoard) -> Defect:
    older = [a_defect(number, opened_at=START - timedelta(minutes=number)) for number in range(2, 32)]
    newest = a_defect(1, box=BOX, part_id="part-1")
    await board.put_defects(newest, *older)
    await board.put_parts(a_part(1, "reject", part_id="part-1"), a_part(2), a_part(3, "unknown"))
    board.put_evidence(newest, picture(), (640, 480))
    return newest


async def test_a_defect_is_found_judged_and_completed_with_a_keyboard_alone(page: Page, board: TestBoard) -> None:
    await page.goto(f"{board.url}/evidence")
    await expect(page.get_by_text("No defect fits.")).to_be_visible()
    newest = await a_line(board)
    await page.reload()
    cards = page.locator(".card")
    await expect(cards).to_have_count(24)
    assert await axe(page) == []
    await page.get_by_role("link", name="Older").press("Enter")
    await expect(cards).to_have_count(7)
    await page.go_back()
    await cards.first.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="scratch")).to_be_visible()
    mark = page.locator("#seen rect")
    await expect(mark).to_be_visible()
    assert await axe(page) == []
    await page.get_by_role("button", name="Marks").press("Space")
    await expect(mark).to_be_hidden()
    await page.get_by_role("button", name="False alarm").press("Enter")
    await expect(page.locator("#labels")).to_contain_text("false alarm")
    await page.get_by_role("button", name="Missed something").press("Enter")
    await expect(page.locator("#marks")).to_be_focused()
    left = page.get_by_label("Left")
    await expect(left).to_have_value("256")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Shift+ArrowDown")
    await expect(left).to_have_value("266")
    await expect(page.get_by_label("Bottom")).to_have_value("298")
    assert await axe(page) == []
    await page.keyboard.press("Enter")
    await page.keyboard.type("dent")
    await page.keyboard.press("Enter")
    await expect(page.locator("#labels")).to_contain_text("missed (dent)")
    await expect(page.locator("#missed rect")).to_have_count(1)
    labels = await board.board.store.read(lambda connection: labels_of(connection, [newest.defect_id]))
    assert [item.content.kind for item in labels] == ["false_alarm", "missed"]
    assert labels[1].content.box == Box(x1=266, y1=192, x2=394, y2=298)
    await page.get_by_role("button", name="Withdraw the label false alarm").press("Enter")
    await expect(page.locator("#labels del")).to_have_count(1)


async def test_a_box_is_drawn_by_the_pointer_and_the_mark_lies_on_the_defect(page: Page, board: TestBoard) -> None:
    newest = await a_line(board)
    await page.goto(f"{board.url}/evidence/{quote(newest.defect_id)}")
    image = page.locator("#stage img")
    await expect(image).to_be_visible()
    await page.wait_for_function("document.querySelector('#stage img').complete")
    stage, mark = await image.bounding_box(), await page.locator("#seen rect").bounding_box()
    assert stage is not None
    assert mark is not None
    scale = stage["width"] / 640
    assert abs(mark["x"] - stage["x"] - BOX.x1 * scale) < 4
    assert abs(mark["width"] - (BOX.x2 - BOX.x1) * scale) < 8
    await page.get_by_role("button", name="Missed something").click()
    await page.mouse.move(stage["x"] + 100 * scale, stage["y"] + 300 * scale)
    await page.mouse.down()
    await page.mouse.move(stage["x"] + 160 * scale, stage["y"] + 420 * scale)
    await page.mouse.up()
    for name, wanted in (("Left", 100), ("Top", 300), ("Right", 160), ("Bottom", 420)):
        assert abs(int(await page.get_by_label(name).input_value()) - wanted) <= 2
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.locator("#missed-form")).to_be_hidden()


async def test_a_shift_is_read_chosen_and_printed(page: Page, board: TestBoard) -> None:
    await a_line(board)
    await page.goto(f"{board.url}/shift")
    await expect(page.get_by_text("Nothing is known of this shift")).to_be_visible()
    await page.get_by_label("Date").fill("2026-03-01")
    await page.get_by_role("button", name="Show").press("Enter")
    await expect(page.locator("#yield")).to_contain_text("33.3")
    assert await axe(page) == []
    await page.emulate_media(media="print")
    await expect(page.get_by_role("button", name="Show")).to_be_hidden()
    await expect(page.locator("#yield")).to_be_visible()
    await page.emulate_media(media="screen", color_scheme="dark")
    assert await axe(page) == []
    await page.goto(f"{board.url}/shift?shift=noon")
    await expect(page.get_by_role("alert").filter(has_text="there is no shift")).to_be_visible()
