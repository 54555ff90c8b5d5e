"""What decoding and encoding a picture costs here, by the code that ingest and workers run.

The pictures are drawn: the demo's line at the asked resolution, with a sensor's noise. A quiet scene costs less.
"""

import tempfile
from itertools import islice
from pathlib import Path

import cv2
from pydantic import SecretStr

from andon.clock import SystemClock
from andon.pictures.picture import Bgr, PictureLimits
from andon.pictures.reader import decode
from andon.settings import CameraSettings, WorkerSettings
from deploy.sizing.bench.timing import time_rounds
from deploy.sizing.costs import Resolution
from deploy.sizing.measured import PictureFigures
from ingest.encode import jpeg
from ingest.sources.choice import open_source
from sample_streams.clips import encode
from sample_streams.render import frames
from sample_streams.spec import LineSpec

COUNT = 15
"""Pictures of a round, a second of video with one keyframe."""
SEED = 64
PRESET = "veryfast"
"""Of x264: the decoder's work hardly depends on it."""
SETTINGS = CameraSettings(id="bench", url=SecretStr("bench.mp4"))
LIMITS = PictureLimits(WorkerSettings().max_frame_bytes * 8, WorkerSettings().max_frame_pixels)
STEPS = 4


def drawn(at: Resolution) -> list[Bgr]:
    """COUNT pictures of a synthetic line."""
    spec = LineSpec(seed=SEED, width_px=at.width, height_px=at.height, fps=COUNT, n_frames=4 * COUNT, margin_frames=0)
    return [picture for picture, _ in islice(frames(spec), COUNT, 2 * COUNT)]


def measure(at: Resolution, pictures: list[Bgr], enough_px: int, seconds: float) -> PictureFigures:
    """`enough_px`: of the model's input; see `ModelInfo`. Blocks for about `seconds` and for the drawing of a clip."""
    each_s = seconds / STEPS
    jpegs = [jpeg(picture, SETTINGS).payload for picture in pictures]
    pngs = [cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes() for picture in pictures[:3]]

    def decode_all(payloads: list[bytes], content_type: str) -> None:
        for payload in payloads:
            decode(payload, content_type, LIMITS, enough_px)

    return PictureFigures(
        width=at.width,
        height=at.height,
        jpeg_bytes=round(sum(map(len, jpegs)) / len(jpegs)),
        h264_decode_ms=_h264_ms(at, pictures, each_s),
        jpeg_encode_ms=_ms(
            time_rounds(lambda: [jpeg(each, SETTINGS) for each in pictures], each_s).cpu_ms, len(pictures)
        ),
        jpeg_decode_ms=_ms(time_rounds(lambda: decode_all(jpegs, "image/jpeg"), each_s).cpu_ms, len(jpegs)),
        png_decode_ms=_ms(time_rounds(lambda: decode_all(pngs, "image/png"), each_s).cpu_ms, len(pngs)),
    )


def _h264_ms(at: Resolution, pictures: list[Bgr], seconds: float) -> float:
    spec = LineSpec(width_px=at.width, height_px=at.height, fps=COUNT)
    with tempfile.TemporaryDirectory(prefix="andon-bench-") as folder:
        clip = Path(folder) / "clip.mp4"
        encode(clip, pictures, spec, PRESET)
        camera = CameraSettings(id="bench", url=SecretStr(str(clip)), pace="fast")

        def decode_clip() -> None:
            source = open_source(camera, SystemClock())
            try:
                while (picture := source.read()) is not None:
                    if picture.bgr is not None:
                        picture.bgr()
            finally:
                source.close()

        return _ms(time_rounds(decode_clip, seconds).cpu_ms, len(pictures))


def _ms(round_ms: float, count: int) -> float:
    return round(round_ms / count, 3)
