"""The four clips that stand for four cameras: H.264 files with their truth beside them.

They are encoded as a camera encodes: no B-frames, one slice a picture, a keyframe each second. Each begins and ends
with an empty belt, so that playing it in a loop shows no part that jumps.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av

from sample_streams.render import Frame, frames
from sample_streams.spec import LineSpec, Look
from sample_streams.truth import clip_truth, save

FOLDER = Path(__file__).parent / "clips"

_LINE = LineSpec(fps=15, n_frames=330, defect_rate=0.25, second_defect_rate=0.4)
CLIPS = {
    "press-1": replace(_LINE, seed=64, parts_per_minute=40.0),
    "press-2": replace(
        _LINE, seed=55, parts_per_minute=46.0, look=Look(metal_grey=152.0, belt_grey=66.0, light_angle_rad=2.4)
    ),
    "weld-1": replace(
        _LINE, seed=294, parts_per_minute=36.0, look=Look(metal_grey=175.0, belt_grey=50.0, light_gradient=0.28)
    ),
    "weld-2": replace(
        _LINE, seed=145, parts_per_minute=50.0, look=Look(flicker=0.045, noise_grey=3.2, light_angle_rad=4.0)
    ),
}
"""Each clip's name and line. The seeds give four or five defects of at least three classes."""

_PRESET = "slow"
"""Small files. `veryfast` takes a quarter of the time for a tenth more bytes."""
_X264 = {
    "tune": "zerolatency",
    "profile": "baseline",
    "crf": "27",
    # One slice a picture and no scene cuts: every packet is a whole picture, keyframes lie exactly a second apart.
    "x264-params": "threads=1:sliced-threads=0:slices=1:scenecut=0:bframes=0",
}


def write_all(folder: Path = FOLDER, lines: Mapping[str, LineSpec] = CLIPS) -> Iterator[Path]:
    """Write each line's clip and its truth into the folder, named like the line; yields the paths of the MP4 files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, spec in lines.items():
        yield write(folder / f"{name}.mp4", spec)


def write(path: Path, spec: LineSpec, preset: str = _PRESET) -> Path:
    """Write one clip, and its truth as `<name>.truth.json` beside it. `preset`: x264's."""
    encode(path, (image for image, _ in frames(spec)), spec, preset)
    save(clip_truth(spec), truth_path(path))
    return path


def truth_path(clip: Path) -> Path:
    """The path of a clip's truth."""
    return clip.with_suffix(".truth.json")


def encode(path: Path, images: Iterable[Frame], spec: LineSpec, preset: str = _PRESET) -> None:
    """Encode BGR uint8 pictures of the spec's size and rate as an H.264 MP4 with its index in front."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=spec.fps, options={"preset": preset, **_X264})
        stream.width, stream.height = spec.width_px, spec.height_px
        stream.pix_fmt, stream.gop_size = "yuv420p", spec.fps
        for index, image in enumerate(images):
            picture = av.VideoFrame.from_ndarray(image, format="bgr24")
            picture.pts, picture.time_base = index, Fraction(1, spec.fps)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
