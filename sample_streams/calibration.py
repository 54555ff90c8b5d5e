"""Frames of the demo's clips as pictures: on them a worker measures how this machine serves the demo's model fastest.

A demo's topic is empty when its workers start, so the demo brings frames along; `pools.X.model.calibration` names them.
"""

import tempfile
from pathlib import Path

import av

from sample_streams import clips, model_card

EVERY = 8
"""Of each clip's frames, so that its parts are seen all along the belt."""
QSCALE = 2
"""FFmpeg's scale for JPEG, 2 to 31. 2: hardly any loss."""


def folder(cache: Path) -> Path:
    """Where they lie, or will lie, below the cache of models."""
    return cache / f"demo-frames-{model_card.digest(model_card.MODEL)[-12:]}"


def write(cache: Path) -> None:
    """Write them, unless they are there. Blocks for seconds. Raises OSError."""
    target = folder(cache)
    if not target.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="demo-frames-") as room:
            scratch = Path(room) / "made"
            scratch.mkdir()
            for name in clips.CLIPS:
                _write(clips.FOLDER / f"{name}.mp4", scratch)
            if not target.is_dir():
                scratch.rename(target)


def _write(clip: Path, folder: Path) -> None:
    with av.open(str(clip)) as video:
        for number, frame in enumerate(video.decode(video=0)):
            if number % EVERY == 0:
                frame.save(folder / f"{clip.stem}-{number:04}.jpg", qscale=QSCALE)
