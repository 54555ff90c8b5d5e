"""The pictures of the board in docs/images: `python -m tests.browser.screenshots`. Takes Chromium."""

import asyncio
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.async_api import Page, async_playwright

from andon.messages import CameraConfig
from tests.board import TestBoard, a_board, at_an_address
from tests.browser.conftest import CHROMIUM, FLAGS, SCREENS
from tests.browser.seeds import a_defect, live, now, put_frame
from tests.redis_server import MortalRedis

IMAGES = Path(__file__).parents[2] / "docs" / "images"
DESK, WALL, PHONE = (1280, 800), (1920, 1080), (390, 844)
SHOTS = (
    ("board-andon-light", "/", DESK, "light"),
    ("board-andon-dark", "/", DESK, "dark"),
    ("board-andon-phone", "/", PHONE, "light"),
    ("board-andon-kiosk", "/?kiosk=hall", WALL, "dark"),
    ("board-camera-light", "/cameras/press-2", DESK, "light"),
    ("board-camera-dark", "/cameras/press-2", DESK, "dark"),
    ("board-camera-phone", "/cameras/press-2", PHONE, "light"),
    ("board-cameras-light", "/cameras", DESK, "light"),
    ("board-camera-form", "/cameras/-/new", DESK, "light"),
)
STATES = {"press-1": "online", "press-2": "online", "press-3": "dark", "press-4": "offline"}
DETAILS = {"dark": "the picture is dark", "offline": "10.0.0.5: no route to host"}
SETTLE_S = 3.0
"""Until small pictures have come and ages are shown."""


async def fill(board: TestBoard) -> None:
    names = [*STATES, "press-5", "press-6"]
    for number, name in enumerate(names):
        await put_frame(board, name, 3 * number)
    await board.put_camera("press-6", live("press-6", ago_s=200))
    section = {"url": "rtsp://viewer:${CAMERA_PASSWORD}@10.0.0.5/stream1", "fps": 10}
    off = section | {"enabled": False}
    board.board.live.registry.cameras = {
        name: CameraConfig(camera_id=name, settings=off if name == "press-5" else section, at=now()) for name in names
    }
    await board.put_defects(a_defect(4, "press-2"))


async def deliver(board: TestBoard) -> None:
    while True:
        for name, state in STATES.items():
            verdict = {"press-1": "pass", "press-2": "fail"}.get(name, "unknown")
            detail = DETAILS.get(state, "")
            await board.put_camera(name, live(name, state=state, detail=detail, last_verdict=verdict))
        await asyncio.sleep(0.3)


async def shoot(page: Page, url: str) -> None:
    for name, path, (width, height), scheme in SHOTS:
        await page.set_viewport_size({"width": width, "height": height})
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        await page.goto(url + path)
        await asyncio.sleep(SETTLE_S)
        with Image.open(BytesIO(await page.screenshot())) as shot:
            shot.convert("RGB").save(IMAGES / f"{name}.webp", quality=70, method=6)


async def main() -> None:
    settings = {"line": "Press hall", "board": {"port": 0, "screens": SCREENS}}
    with TemporaryDirectory() as folder, MortalRedis() as redis:
        async with (
            a_board(Path(folder), settings, redis.settings) as board,
            at_an_address(board) as url,
            async_playwright() as playwright,
        ):
            await fill(board)
            delivering = asyncio.create_task(deliver(board))
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            await shoot(await browser.new_page(locale="en-GB"), url)
            delivering.cancel()
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
