"""The pictures of the board in docs/images: `python -m tests.browser.screenshots`. Takes Chromium."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import av
from PIL import Image
from playwright.async_api import Page, async_playwright

from andon.messages import Box, CameraConfig
from sample_streams.clips import CLIPS, FOLDER
from sample_streams.truth import Label, load
from sinks.board.latencies import InspectionSample
from sinks.board.models.system import ChannelDepth, GroupLag
from tests.board import TestBoard, a_board, at_an_address
from tests.browser.conftest import CHROMIUM, FLAGS, SCREENS
from tests.browser.seeds import FRAMES, a_defect, live, now, put_frame
from tests.outbox import a_part
from tests.redis_server import MortalRedis
from tests.unit.sinks.board.test_alarms import alarm

IMAGES = Path(__file__).parents[2] / "docs" / "images"
DESK, WALL, PHONE = (1280, 800), (1920, 1080), (390, 844)
DEFECT = "a defect's page"
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
    *(
        (f"board-{name}-{kind}", path, size, "dark" if kind == "dark" else "light")
        for name, path in (
            ("alarms", "/alarms"),
            ("evidence", "/evidence"),
            ("defect", DEFECT),
            ("shift", "/shift"),
            ("system", "/system"),
        )
        for kind, size in (("light", DESK), ("dark", DESK), ("phone", PHONE))
    ),
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
    await put_history(board)


def flaws() -> Iterator[tuple[bytes, tuple[int, int], Label]]:
    """Each defect of the demo's clips: the picture in which it is seen whole, its size, and its truth."""
    for name in CLIPS:
        truth, shown = load(FOLDER / f"{name}.truth.json"), set[str]()
        with av.open(str(FOLDER / f"{name}.mp4")) as clip:
            for frame, true in zip(clip.decode(video=0), truth.frames, strict=True):
                for flaw in true.labels:
                    if flaw.visible == 1 and flaw.box[0] > truth.width_px / 3 and flaw.defect_id not in shown:
                        shown.add(flaw.defect_id)
                        drawn = BytesIO()
                        Image.fromarray(frame.to_ndarray(format="rgb24")).save(drawn, "JPEG", quality=92)
                        yield drawn.getvalue(), (truth.width_px, truth.height_px), flaw


async def put_history(board: TestBoard) -> None:
    """Alarms, defects with their pictures, a shift's parts, and the latency of the last hours."""
    at = now()
    dark = alarm("press-3", "blind", "dark", severity="major", raised_at=at - timedelta(minutes=4), at=at)
    gone = alarm("press-4", "blind", "offline", severity="critical", raised_at=at - timedelta(minutes=9), at=at)
    known = alarm("press-2", state="acknowledged", by="Anna", note="knife is changed", raised_at=at, at=at)
    await board.put_alarms(dark, gone, known)
    for number, (picture, size, flaw) in enumerate(flaws()):
        opened, (x1, y1, x2, y2) = at - timedelta(minutes=7 * number, seconds=20), flaw.box
        changes = {"opened_at": opened, "at": opened, "box": Box(x1=x1, y1=y1, x2=x2, y2=y2)}
        defect = a_defect(number, f"press-{1 + number % 3}", flaw.defect_class).model_copy(update=changes)
        await board.put_defects(defect)
        board.put_evidence(defect, picture, size)
    verdicts = ("pass",) * 18 + ("reject", "unknown")
    parts = [a_part(n, verdicts[n % 20], crossed_at=at - timedelta(seconds=15 * n), at=at) for n in range(400)]
    await board.put_parts(*parts)
    for minute in range(180):
        when, busy = at - timedelta(minutes=minute), 40 < minute < 60
        for number in range(20):
            latency = timedelta(milliseconds=70 + 6 * number + (400 if busy else 0) + minute % 7)
            board.board.system.latencies.add(InspectionSample(when - latency, when, 4, "3f1c" * 16, "openvino"))
    for minute in reversed(range(180)):
        behind = 900 - 80 * abs(minute - 50) if 40 < minute < 60 else minute % 5
        lag = GroupLag(group="andon.workers.default", topic=FRAMES, records=max(0, behind), seconds=behind / 40)
        waiting = ChannelDepth(channel="redis", waiting=minute % 4, since=at)
        board.board.system.backlogs.add(at - timedelta(minutes=minute), [lag], [waiting])


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
        await page.goto(url + ("/evidence" if path == DEFECT else path))
        if path == DEFECT:
            await page.locator("a.card").first.click()
            await page.wait_for_selector("#stage img")
        await asyncio.sleep(SETTLE_S)
        with Image.open(BytesIO(await page.screenshot())) as shot:
            shot.convert("RGB").save(IMAGES / f"{name}.webp", quality=70, method=6)


async def main() -> None:
    settings = {"line": "Press hall", "parts": {"class": "part"}, "board": {"port": 0, "screens": SCREENS}}
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
