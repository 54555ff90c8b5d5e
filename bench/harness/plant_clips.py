"""The input of a plant: 1080p at 25 frames/s, H.264 at 8 Mbit/s, a keyframe every two seconds, with noise."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from bench.harness.clips import repeat
from sample_streams.clips import CLIPS
from sample_streams.render import frames

WIDTH_PX, HEIGHT_PX, FPS = 1920, 1080, 25
BITS_PER_S = 8_000_000
DRAWN = 50
"""Frames that are drawn: one group of pictures. The files repeat it."""
IMGSZ = 640
NOISE = 4.0
"""Standard deviation in grey levels, as a camera has it in a hall: without it 8 Mbit/s would not be used."""


def plant_clips(folder: Path, count: int, rounds: int) -> dict[str, Path]:
    """`count` files of DRAWN x `rounds` frames, by camera. All show the same, since drawing takes seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    once = folder / "once.mp4"
    if not once.exists():
        name = next(iter(CLIPS))
        wide = replace(CLIPS[name], width_px=WIDTH_PX, height_px=HEIGHT_PX, fps=FPS, n_frames=DRAWN, margin_frames=0)
        _encode(once, (image for image, _ in frames(wide)))
    files = {name: folder / f"{name}-{rounds}.mp4" for name in list(CLIPS)[:count]}
    for file in files.values():
        if not file.exists():
            repeat(once, file, rounds, DRAWN)
    return files


def _encode(path: Path, images: Iterator[np.ndarray]) -> None:
    noise = np.random.default_rng(5)
    grain = noise.normal(0, NOISE, (8, HEIGHT_PX, WIDTH_PX, 1)).astype(np.int16)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as output:
        stream = output.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.bit_rate, stream.gop_size = BITS_PER_S, DRAWN
        stream.options = {"preset": "veryfast", "tune": "zerolatency", "maxrate": "8M", "bufsize": "8M"}
        for number, image in enumerate(images):
            noisy = np.clip(image.astype(np.int16) + grain[number % len(grain)], 0, 255).astype(np.uint8)
            picture = av.VideoFrame.from_ndarray(noisy, format="bgr24")
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
