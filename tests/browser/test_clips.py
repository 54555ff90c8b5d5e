"""A clip in a real browser: its video element reports the duration and draws a frame.

H.265 is not among them: whether a browser plays it depends on the machine. PyAV reads such a clip back
(tests/unit/sinks/channels/test_clips.py).
"""

from datetime import timedelta

import numpy as np
import pytest
from playwright.async_api import Page, Route

from sinks.channels.clip_making import clip
from sinks.channels.frame_pictures import FramePicture
from tests.fakes import START
from tests.unit.sinks.channels.test_clips import a_frame
from tests.video_units import B_FRAMES_264, GROUP, Bgr, Encoder, stream

ADDRESS = "http://clip.test/"
AT = 13
"""The picture that is drawn."""
DRAW = """async (seconds) => {
  const video = document.querySelector("video");
  await new Promise((seeked, failed) => {
    video.onerror = () => failed(new Error(video.error.message));
    video.onseeked = seeked;
    video.currentTime = seconds;
  });
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const paper = canvas.getContext("2d");
  paper.drawImage(video, 0, 0);
  const pixels = paper.getImageData(0, 0, canvas.width, canvas.height).data;
  return {duration: video.duration, width: canvas.width, height: canvas.height, pixels: Array.from(pixels)};
}"""


def of_video(encoder: Encoder) -> tuple[bytes, Bgr]:
    """A clip of this camera's stream, and the picture that is shown as number AT."""
    camera = stream(encoder)
    frames = [
        a_frame(
            number,
            payload=unit,
            content_type=camera.content_type,
            keyframe=number % GROUP == 0,
            captured_at=START + timedelta(seconds=camera.order[number] / 25),
        )
        for number, unit in enumerate(camera.units)
    ]
    return clip(frames, frames[25].frame_id, "mjpeg"), camera.pictures[camera.shown[AT]]


def of_jpegs() -> tuple[bytes, Bgr]:
    frames = [a_frame(number, captured_at=START + timedelta(seconds=number / 25)) for number in range(50)]
    drawn = np.asarray(FramePicture(frames[0]).image())[..., ::-1]
    return clip(frames, frames[25].frame_id, "h264"), drawn


@pytest.mark.parametrize("kind", ["video", "jpegs"])
async def test_a_browser_plays_the_clip(page: Page, kind: str) -> None:
    content, expected = of_video(B_FRAMES_264) if kind == "video" else of_jpegs()

    async def serve(route: Route) -> None:
        if route.request.url.endswith(".mp4"):
            first = int((route.request.headers.get("range") or "bytes=0-")[len("bytes=") :].split("-")[0])
            span = {"Content-Range": f"bytes {first}-{len(content) - 1}/{len(content)}", "Accept-Ranges": "bytes"}
            await route.fulfill(status=206, body=content[first:], headers={**span, "Content-Type": "video/mp4"})
        else:
            await route.fulfill(body='<video src="clip.mp4" muted preload="auto"></video>', content_type="text/html")

    await page.route(f"{ADDRESS}**", serve)
    await page.goto(ADDRESS)
    await page.wait_for_function("document.querySelector('video').readyState >= 2")
    shown = await page.evaluate(DRAW, (AT + 0.5) / 25)
    assert shown["duration"] == pytest.approx(2.0, abs=0.05)
    assert (shown["width"], shown["height"]) == (expected.shape[1], expected.shape[0])
    drawn = np.array(shown["pixels"], float).reshape(*expected.shape[:2], 4)[..., 2::-1]
    assert np.abs(drawn - expected).mean() < 12, "the browser's own colours differ a little"
