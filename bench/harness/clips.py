"""The input of all contenders: the sample line's four clips, longer versions of them, and their JPEGs."""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from andon.pictures.picture import Bgr
from andon.settings import CameraSettings
from ingest.encode import encode
from sample_streams import clips, model_card

MODEL = model_card.MODEL
IMGSZ = 320
CONFIDENCE = 0.4
CAMERAS = tuple(clips.CLIPS)
"""press-1, press-2, weld-1, weld-2. A clip stands for the camera of the same name."""
FRAMES = 330
"""In each clip: 640x480, H.264, 15 a second."""
FPS = 15
SIZE_PX = (640, 480)


def path(camera: str) -> Path:
    """The clip of a camera."""
    return clips.FOLDER / f"{camera}.mp4"


def longer(folder: Path, rounds: int) -> dict[str, Path]:
    """Write each clip `rounds` times into one file in `folder`, unless that exists. Packets stay as they are."""
    files = {}
    for camera in CAMERAS:
        files[camera] = folder / f"{camera}-{rounds}.mp4"
        if not files[camera].exists():
            folder.mkdir(parents=True, exist_ok=True)
            repeat(path(camera), files[camera], rounds, FRAMES)
    return files


def frames(videos: Mapping[str, Path]) -> int:
    """The number of frames in all files that `longer` wrote."""
    return sum(FRAMES * int(video.stem.rpartition("-")[2]) for video in videos.values())


def repeat(source: Path, target: Path, rounds: int, frames: int) -> None:
    """Write the packets of `source`, which has that many frames, `rounds` times into one file."""
    with av.open(str(source)) as clip, av.open(str(target), "w", options={"movflags": "faststart"}) as output:
        stream = clip.streams.video[0]
        copy = output.add_stream_from_template(stream)
        for again in range(rounds):
            clip.seek(0)
            for packet in clip.demux(stream):
                if packet.pts is None or packet.dts is None or packet.duration is None:
                    continue  # the empty packet at the end
                shift = again * frames * packet.duration
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = copy
                output.mux(packet)


def pictures(camera: str) -> Iterator[Bgr]:
    """Decode and convert the clip's pictures on one thread, as cheaply as PyAV can."""
    converter = VideoReformatter()  # one for all pictures: a new one computes its tables first
    with av.open(str(path(camera))) as clip:
        clip.streams.video[0].codec_context.thread_type = "NONE"
        for frame in clip.decode(video=0):
            yield np.asarray(converter.reformat(frame, format="bgr24", threads=1).to_ndarray(), np.uint8)


def jpegs(camera: str, count: int = FRAMES) -> list[bytes]:
    """The first `count` pictures of a clip, or all, as ingest encodes them: about 30 KB each, in memory."""
    settings = CameraSettings.model_validate({"id": camera, "url": str(path(camera))})
    return [encode(picture, settings).payload for picture in islice(pictures(camera), count)]


def all_jpegs(count: int = FRAMES) -> dict[str, list[bytes]]:
    """`jpegs` of every camera."""
    return {camera: jpegs(camera, count) for camera in CAMERAS}
