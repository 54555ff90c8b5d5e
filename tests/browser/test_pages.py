"""All pages in a row: nothing on them keeps people away, and each says that it has nothing, or can't have it now."""

from urllib.parse import quote

from playwright.async_api import Page, ViewportSize, expect

from andon.messages import CameraConfig
from tests.board import TestBoard
from tests.browser.axe import axe
from tests.browser.seeds import a_defect, live, now, put_frame
from tests.browser.test_evidence import picture
from tests.outbox import a_part
from tests.unit.sinks.board.test_alarms import FLOOD, alarm

PASSWORD = "eight words are enough"  # of a user of this test
DEFECT = a_defect(4, "press-2")
PAGES = (
    "/",
    "/?kiosk=hall-2",
    "/alarms",
    "/alarms/history",
    "/evidence",
    f"/evidence/{quote(DEFECT.defect_id)}",
    "/cameras",
    "/cameras/press-1",
    "/cameras/-/new",
    "/cameras/press-1/edit",
    "/shift",
    "/system",
    "/actions",
    "/no-such-page",
)
DESK, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=390, height=844)


async def fill(board: TestBoard) -> None:
    """A line with something of everything."""
    states = {"press-1": "online", "press-2": "dark", "weld-1": "offline"}
    section = {"url": "rtsp://10.0.0.5/stream1", "fps": 10}
    board.board.live.registry.cameras = {
        name: CameraConfig(camera_id=name, settings=section, at=now()) for name in (*states, "press-4")
    }
    for number, (name, state) in enumerate(states.items()):
        await put_frame(board, name, number)
        await board.put_camera(name, live(name, state=state, detail="as it says itself"))
    await board.put_defects(DEFECT, a_defect(5))
    board.put_evidence(DEFECT, picture(), (640, 480))
    await board.put_parts(a_part(1, "reject"), a_part(2), a_part(3, "unknown"))
    await board.put_alarms(alarm("press-1"), alarm("press-2", state="acknowledged", by="Ann"), *FLOOD)


async def objections(page: Page, name: str) -> list[str]:
    """What axe says of the page at both sizes and in both schemes; colours don't depend on the size."""
    found = []
    for size, scheme in ((DESK, "light"), (PHONE, "dark")):
        await page.set_viewport_size(size)
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found += [f"{name} {size['width']} px, {scheme}: {line}" for line in await axe(page)]
    return found


async def test_nothing_on_any_page_keeps_people_away(board: TestBoard, page: Page) -> None:
    await fill(board)
    await board.add_user("anna", "admin", PASSWORD)
    await page.goto(f"{board.url}/login")
    found = await objections(page, "/login")
    await page.get_by_label("Name").fill("anna")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator("#tile-press-1")).to_be_visible()
    for path in PAGES:
        await page.goto(board.url + path)
        await expect(page.locator("h1, #line").first).to_be_visible()
        found += await objections(page, path)
    assert found == []
