"""What decoding and encoding a picture costs here, by the code that ingest and workers run.

The pictures are drawn: the demo's line at the asked resolution, with a sensor's noise. A quiet scene costs less.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
from pydantic import SecretStr

from andon.clock import SystemClock
from andon.pictures.picture import Bgr, PictureLimits
from andon.pictures.reader import decode
from andon.settings import CameraSettings, WorkerSettings
from deploy.sizing.bench.timing import Time, time_rounds
from deploy.sizing.costs import Resolution
from deploy.sizing.measured import PictureFigures
from ingest.encode import jpeg
from ingest.sources.choice import open_source
from sample_streams.clips import encode
from sample_streams.render import LineRenderer
from sample_streams.spec import LineSpec

COUNT = 15
"""Pictures of a round, a second of video with one keyframe."""
FEW = 5
"""Of these, for what takes single pictures."""
SEED = 64
PRESET = "veryfast"
"""Of x264: the decoder's work hardly depends on it."""
SETTINGS = CameraSettings(id="bench", url=SecretStr("bench.mp4"))
LIMITS = PictureLimits(WorkerSettings().max_frame_bytes * 8, WorkerSettings().max_frame_pixels)
STEPS = 4


def drawn(at: Resolution) -> list[Bgr]:
    """COUNT pictures of a synthetic line."""
    spec = LineSpec(seed=SEED, width_px=at.width, height_px=at.height, fps=COUNT, n_frames=4 * COUNT, margin_frames=0)
    camera = LineRenderer(spec)
    return [camera.frame(COUNT + number) for number in range(COUNT)]


def measure(at: Resolution, pictures: list[Bgr], enough_px: int, seconds: float) -> PictureFigures:
    """`enough_px`: of the model's input; see `ModelInfo`. Blocks for about `seconds` and for the coding of a clip."""
    each_s = seconds / STEPS
    with _clip_of(at, pictures) as camera:
        delivered = _pictures_of(camera)
        h264_ms = _ms(time_rounds(lambda: _pictures_of(camera), each_s), len(delivered))
        h264_bytes = Path(camera.url.get_secret_value()).stat().st_size // len(delivered)
    few = delivered[:: COUNT // FEW]
    jpegs = [jpeg(picture, SETTINGS).payload for picture in few]
    pngs = [cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes() for picture in few[:2]]

    def decode_all(payloads: list[bytes], content_type: str) -> None:
        for payload in payloads:
            decode(payload, content_type, LIMITS, enough_px)

    encoding = time_rounds(lambda: [jpeg(picture, SETTINGS) for picture in few], each_s)
    return PictureFigures(
        width=at.width,
        height=at.height,
        jpeg_bytes=round(sum(map(len, jpegs)) / len(jpegs)),
        h264_bytes=h264_bytes,
        h264_decode_ms=h264_ms,
        jpeg_encode_ms=_ms(encoding, len(few)),
        jpeg_decode_ms=_ms(time_rounds(lambda: decode_all(jpegs, "image/jpeg"), each_s), len(jpegs)),
        png_decode_ms=_ms(time_rounds(lambda: decode_all(pngs, "image/png"), each_s), len(pngs)),
    )


@contextmanager
def _clip_of(at: Resolution, pictures: list[Bgr]) -> Iterator[CameraSettings]:
    """A camera that shows the pictures, decoded, as fast as they are read."""
    spec = LineSpec(width_px=at.width, height_px=at.height, fps=COUNT)
    with tempfile.TemporaryDirectory(prefix="andon-bench-") as folder:
        clip = Path(folder) / "clip.mp4"
        encode(clip, pictures, spec, PRESET)
        yield CameraSettings(id="bench", url=SecretStr(str(clip)), pace="fast", encoding="jpeg")


def _pictures_of(camera: CameraSettings) -> list[Bgr]:
    """The pictures as they come out of the camera: video coding takes noise away, so that JPEGs get smaller."""
    source, delivered = open_source(camera, SystemClock()), []
    try:
        while (picture := source.read()) is not None:
            if picture.bgr is not None:
                delivered.append(picture.bgr())
    finally:
        source.close()
    return delivered


def _ms(rounds: Time, count: int) -> float:
    return round(rounds.cpu_ms / count, 3)
