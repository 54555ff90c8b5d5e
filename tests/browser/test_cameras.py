"""A camera's page in a real browser: its live view, its form, and who may change it."""

import asyncio

from playwright.async_api import Page, expect

from andon.cameras.changing import Decide
from andon.messages import CameraConfig
from tests.board import TestBoard
from tests.browser.axe import axe
from tests.browser.seeds import live, now, put_frame

LOOK = """() => {
  const image = document.querySelector(".live-picture"), svg = document.querySelector(".live-boxes");
  const rect = svg.querySelector("rect.box");
  const size = {width: image.naturalWidth, height: image.naturalHeight};
  const canvas = Object.assign(document.createElement("canvas"), size);
  const drawing = canvas.getContext("2d");
  drawing.drawImage(image, 0, 0);
  const bright = (x, y) => drawing.getImageData(x, y, 1, 1).data[0] > 150;
  const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number(rect.getAttribute(name)));
  const inside = [[x + 3, y + 3], [x + width - 4, y + height - 4], [x + width / 2, y + height / 2]];
  const outside = [[x - 6, y + 5], [x + width + 6, y + 5], [x + 5, y - 6], [x + 5, y + height + 6]];
  return {frame: svg.dataset.frame, fits: inside.every((at) => bright(...at)) && !outside.some((at) => bright(...at))};
}"""
"""Whether the box on the page lies around the bright part in the picture on the page."""


async def test_live_boxes_always_belong_to_the_picture_that_is_shown(board: TestBoard, page: Page) -> None:
    await board.put_camera("press-1", live("press-1"))
    await put_frame(board, "press-1", 0)
    await page.goto(f"{board.url}/")  # the board has heard of the camera
    await page.locator("#tile-press-1 a").click()
    await expect(page.locator(".live-picture")).to_be_visible()
    assert await axe(page) == []
    frames = set()
    for seq in range(1, 12):
        await put_frame(board, "press-1", seq)
        await page.wait_for_function(
            "frame => document.querySelector('.live-boxes').dataset.frame?.endsWith(frame)", arg=f"/{seq}"
        )
        for _ in range(3):  # also while the next one is under way
            view = await page.evaluate(LOOK)
            assert view["fits"], view
            frames.add(view["frame"])
    assert len(frames) >= 11
    await page.get_by_role("button", name="Hold the picture").click()
    held = await page.evaluate(LOOK)
    await put_frame(board, "press-1", 15)
    await asyncio.sleep(0.5)
    assert (await page.evaluate(LOOK))["frame"] == held["frame"]
    await page.get_by_label("Show boxes").uncheck()
    await expect(page.locator(".live-boxes")).to_have_css("visibility", "hidden")


async def test_nothing_is_read_for_a_camera_at_which_nobody_looks(board: TestBoard, page: Page) -> None:
    await board.put_camera("press-1", live("press-1"))
    await put_frame(board, "press-1", 0)
    await page.goto(f"{board.url}/cameras")
    await expect(page.locator("#cameras")).to_contain_text("press-1")
    before = board.board.live.pictures.reads
    for seq in range(1, 4):
        await put_frame(board, "press-1", seq)
        await asyncio.sleep(0.2)
    assert board.board.live.pictures.reads == before
    assert board.board.hub.asked_for("camera:") == frozenset()


async def test_an_engineer_changes_a_camera_with_the_keyboard_alone(board: TestBoard, page: Page) -> None:
    registry = board.board.live.registry
    section = {"url": "rtsp://viewer:${PASSWORD}@10.0.0.5/s", "fps": 5}
    registry.cameras = {"press-1": CameraConfig(camera_id="press-1", settings=section, at=now())}

    async def change(camera_id: str, decide: Decide) -> tuple[CameraConfig | None, CameraConfig | None]:
        known = dict(registry.cameras or {})
        before, after = known.pop(camera_id, None), decide(known | dict(registry.cameras or {}))
        registry.cameras = known | ({} if after is None else {camera_id: after})
        return before, after

    registry.change = change  # type: ignore[method-assign]  # there is no broker here
    await board.put_camera("press-1", live("press-1"))
    await page.goto(f"{board.url}/cameras")
    await page.get_by_role("link", name="press-1").press("Enter")
    await expect(page.get_by_text("rtsp://10.0.0.5")).to_be_visible()
    assert "PASSWORD" not in await page.content()
    await page.get_by_role("link", name="Change").press("Enter")
    assert await axe(page) == []
    rate = page.get_by_label("Frames a second at most")
    await rate.fill("ten")
    await rate.press("Enter")
    await expect(page.get_by_role("alert").filter(has_text="fps")).to_be_visible()
    await rate.fill("10")
    await rate.press("Enter")
    await expect(page.get_by_role("heading", name="press-1")).to_be_visible()
    assert (registry.cameras["press-1"].settings or {})["fps"] == 10
    await page.get_by_role("button", name="Switch off").press("Enter")
    await expect(page.get_by_role("button", name="Switch on")).to_be_visible()
    await page.get_by_text("Remove this camera").click()
    await page.get_by_label("Type its id to remove it").fill("press-1")
    await page.get_by_role("button", name="Remove press-1").click()
    await expect(page.get_by_text("This line has no camera yet.")).to_be_visible()
    assert registry.cameras == {}
