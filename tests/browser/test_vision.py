"""A board for eyes that tell red from green badly: what colour says, shape and brightness say, too.

Chromium shows the page as deuteranopes see it; shapes and brightness are measured on the pixels of its screenshot.
"""

from io import BytesIO
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.async_api import Locator, Page, expect

from andon.messages import CameraConfig
from tests.board import TestBoard
from tests.browser.seeds import live, now
from tests.browser.test_andon import delivering

LINEAR = np.where(
    np.arange(256) / 255 <= 0.04045, np.arange(256) / 255 / 12.92, ((np.arange(256) / 255 + 0.055) / 1.055) ** 2.4
)
"""Of an sRGB value: its light, as WCAG 2.2 defines it."""
SEEN_CONTRAST = 7.0
SIDE = 24
"""Pixels of a shape's edge, however large the symbol is drawn."""
GAP_PX = 4
"""More empty columns than within a symbol, fewer than before the word after it."""
APART = 0.15
"""Share of the ink of two shapes that is of one of them only. A disc in its square lacks 0.21 of it."""
STATES = {"press-1": "online", "press-2": "dark", "press-3": "offline", "press-4": "blind", "press-5": "off"}


async def luminance(page: Page, area: Locator) -> NDArray[np.float64]:
    """The light of each pixel of an area, from 0 to 1."""
    with Image.open(BytesIO(await area.screenshot())) as shot:
        light: NDArray[np.float64] = LINEAR[np.asarray(shot.convert("RGB"))] @ np.array([0.2126, 0.7152, 0.0722])
    return light


def contrast(light: NDArray[np.float64]) -> float:
    """Between the ground of an area and what stands out from it most."""
    ground = float(np.median(light))
    return max(
        (max(ground, float(ink)) + 0.05) / (min(ground, float(ink)) + 0.05) for ink in (light.min(), light.max())
    )


def shape(light: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The first symbol of an area, without its colour, at one size."""
    away = np.abs(light - np.median(light))
    ink = away > away.max() / 2
    columns = np.flatnonzero(ink.any(axis=0))
    ends = np.flatnonzero(np.diff(columns) > GAP_PX)
    first = ink[:, columns[0] : (columns[ends[0]] if len(ends) else columns[-1]) + 1]
    rows = np.flatnonzero(first.any(axis=1))
    whole = Image.fromarray(first[rows[0] : rows[-1] + 1].astype(np.uint8) * 255)
    return np.asarray(whole.resize((SIDE, SIDE))) > 127


def apart(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """0: the same shape; 1: no ink in common."""
    return float((one ^ other).sum() / (one | other).sum())


async def shapes_of(page: Page) -> dict[str, NDArray[np.bool_]]:
    """The shape of each state; each of them stands out from its ground."""
    shapes = {}
    for name, state in STATES.items():
        place = "[data-fresh-text]" if state == "blind" else ".camera-state"
        light = await luminance(page, page.locator(f"#tile-{name} {place}"))
        assert contrast(light) >= SEEN_CONTRAST, (state, contrast(light))
        shapes[state] = shape(light)
    return shapes


async def test_every_state_has_a_shape_and_a_contrast_for_who_sees_no_green(board: TestBoard, page: Page) -> None:
    configs = {name: CameraConfig(camera_id=name, settings={"url": "clip.mp4"}, at=now()) for name in STATES}
    off = CameraConfig(camera_id="press-5", settings={"url": "clip.mp4", "enabled": False}, at=now())
    board.board.live.registry.cameras = configs | {"press-5": off}
    await board.put_camera("press-4", live("press-4", ago_s=100))
    session = await page.context.new_cdp_session(page)
    await session.send("Emulation.setEmulatedVisionDeficiency", {"type": "deuteranopia"})
    async with delivering(board, "press-1", "press-2", "press-3", press_2="dark", press_3="offline"):
        await page.goto(board.url)
        await expect(page.locator("#tile-press-4 [data-fresh-text]")).to_contain_text("no data")
        await expect(page.locator(".tile [data-part=symbol]")).to_have_text(["●", "▲", "■", "◌", "⊘"])
        words = page.locator(".tile [data-part=state]")
        await expect(words).to_have_text(["delivers", "dark picture", "offline", "no data", "switched off"])
        light = await shapes_of(page)
        await page.emulate_media(color_scheme="dark")
        dark = await shapes_of(page)
    for one, other in combinations(STATES.values(), 2):
        assert apart(light[one], light[other]) >= APART, (one, other)
        assert apart(dark[one], dark[other]) >= APART, (one, other)
    for state in ("online", "dark", "offline"):  # the measure itself: what is the same (and filled) is not apart
        assert apart(light[state], dark[state]) < APART, state
