"""The lines that are inspected: two cameras at each speed, with seeds that neither training nor clips have used."""

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
"""At each speed; each has a seed, a light and a noise of its own."""
_LINE = LineSpec(defect_rate=0.25)


@dataclass(frozen=True, slots=True)
class Watched:
    """One camera's clip and what is true of it."""

    camera_id: str
    parts_per_minute: int
    clip: Path
    truth: ClipTruth


def specs(parts: int, speeds: Sequence[int] = SPEEDS) -> dict[str, tuple[int, LineSpec]]:
    """Camera -> speed and line, each line long enough for `parts` parts or some more.

    The cameras of one number see with the same eyes at every speed: only the belt differs.
    """
    made = {}
    for number in range(CAMERAS):
        seed = FIRST_SEED + number
        look = vary(replace(_LINE, seed=seed), np.random.default_rng([seed, 6])).look
        for speed in speeds:
            line = replace(_LINE, seed=seed + CAMERAS * speed, parts_per_minute=float(speed), look=look)
            made[f"line-{speed}-{number + 1}"] = (speed, replace(line, n_frames=_frames(line, parts)))
    return made


def draw_all(folder: Path, lines: Mapping[str, tuple[int, LineSpec]]) -> list[Watched]:
    """`draw` each of `specs`, on every core."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as cores:
        drawn = [cores.submit(draw, folder, name, speed, spec) for name, (speed, spec) in lines.items()]
        return [each.result() for each in drawn]


def draw(folder: Path, camera_id: str, speed: int, spec: LineSpec) -> Watched:
    """Write the camera's clip and its truth into the folder."""
    clip = clips.write(folder / f"{camera_id}.mp4", spec, preset="veryfast")
    return Watched(camera_id, speed, clip, load(clips.truth_path(clip)))


def _frames(spec: LineSpec, parts: int) -> int:
    """Each part takes a pitch; before the first and behind the last one the belt runs empty through the picture."""
    way_px = parts * spec.pitch_px + 2 * spec.width_px
    return ceil(way_px / spec.step_px) + 2 * spec.margin_frames
