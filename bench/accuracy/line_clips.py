"""The lines to inspect: two cameras at each speed, with seeds that neither training nor the sample clips use."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from math import ceil
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from sample_streams import clips
from sample_streams.dataset import TEST_SEED, TRAIN_SEED, vary
from sample_streams.spec import LineSpec
from sample_streams.truth import ClipTruth, load

SPEEDS = (30, 60, 120, 240)
"""Parts a minute."""
FIRST_SEED = TEST_SEED + (TEST_SEED - TRAIN_SEED)
CAMERAS = 2
"""At each speed. Each has its own seed, light and noise."""
_LINE = LineSpec(defect_rate=0.25)


@dataclass(frozen=True, slots=True)
class LineClip:
    """One camera's clip and its truth."""

    camera_id: str
    parts_per_minute: int
    clip: Path
    truth: ClipTruth


def specs(parts: int, speeds: Sequence[int] = SPEEDS) -> dict[str, tuple[int, LineSpec]]:
    """Camera -> speed and line. Each line is long enough for at least `parts` parts.

    Cameras with the same number have the same light and noise at every speed; only the belt differs.
    """
    lines = {}
    for number in range(CAMERAS):
        seed = FIRST_SEED + number
        look = vary(replace(_LINE, seed=seed), np.random.default_rng([seed, 6])).look
        for speed in speeds:
            line = replace(_LINE, seed=seed + CAMERAS * speed, parts_per_minute=float(speed), look=look)
            lines[f"line-{speed}-{number + 1}"] = (speed, replace(line, n_frames=_frames(line, parts)))
    return lines


def draw_all(folder: Path, lines: Mapping[str, tuple[int, LineSpec]]) -> list[LineClip]:
    """`draw` each of `specs`, on all cores."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as cores:
        drawn = [cores.submit(draw, folder, name, speed, spec) for name, (speed, spec) in lines.items()]
        return [each.result() for each in drawn]


def draw(folder: Path, camera_id: str, speed: int, spec: LineSpec) -> LineClip:
    """Write the camera's clip and its truth into `folder`."""
    clip = clips.write(folder / f"{camera_id}.mp4", spec, preset="veryfast")
    return LineClip(camera_id, speed, clip, load(clips.truth_path(clip)))


def _frames(spec: LineSpec, parts: int) -> int:
    """Enough for `parts` pitches, and for an empty belt before the first part and after the last one."""
    way_px = parts * spec.pitch_px + 2 * spec.width_px
    return ceil(way_px / spec.step_px) + 2 * spec.margin_frames
