"""The frames that a tuning measures on: read back from the pool's topic, or the pictures of a folder or a dataset."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from andon.errors import ConfigError, DecodeError, FatalError, RetryableError
from andon.events import silent
from andon.frame import Frame
from andon.settings import KafkaSettings
from andon.stream.sampling import sample_topic
from andon.wire import Record, decode
from workers.model.dataset import read_dataset
from workers.model.layout import pictures
from workers.tuning.keyframes import as_jpeg, is_keyframe
from workers.tuning.order import CALIBRATION, MOST_FRAMES, SkippedError, TuningFrames

ENDINGS = {"image/jpeg": ".jpg", "image/png": ".png"}
"""The content types that are kept as files, byte for byte."""
READ_S = 20.0
"""Time limit for reading frames back. What was read until then counts."""


def topic_frames(kafka: KafkaSettings, topic: str, folder: Path) -> TuningFrames:
    """Up to MOST_FRAMES frames, spread evenly over the topic, as files in `folder`, which is new. Blocks for seconds.

    Raises SkippedError while the broker does not answer or has no such topic, and OSError.
    """
    try:
        records = asyncio.run(sample_topic(kafka, topic, MOST_FRAMES, _is_usable, silent, READ_S))
    except (FatalError, RetryableError) as error:
        raise SkippedError(f"the frames of the topic {topic} can't be read: {error}") from None
    folder.mkdir(parents=True)
    cameras: dict[str, list[Path]] = {}
    for number, record in enumerate(records):
        frame = _frame(record)
        payload = None if frame is None else _picture(frame)
        if frame is None or payload is None:
            continue
        path = folder / f"{number:04}{ENDINGS.get(frame.content_type, '.jpg')}"
        path.write_bytes(payload)
        cameras.setdefault(frame.camera_id, []).append(path)
    return _by_time(f"the topic {topic}", list(cameras.values()))


def _is_usable(record: Record) -> bool:
    return _frame(record) is not None


def _frame(record: Record) -> Frame | None:
    """None: not a frame, a damaged one, or one that does not decode without others."""
    try:
        message = decode(record)
    except DecodeError:
        return None
    if not isinstance(message, Frame) or message.corrupt or not message.payload:
        return None
    return message if message.content_type in ENDINGS or is_keyframe(message) else None


def _picture(frame: Frame) -> bytes | None:
    return frame.payload if frame.content_type in ENDINGS else as_jpeg(frame)


def folder_frames(path: Path) -> TuningFrames:
    """Up to MOST_FRAMES pictures, spread evenly. `path`: a folder of pictures, or a dataset. Raises ConfigError."""
    found = _pictures(path)
    if len(found) > MOST_FRAMES:
        found = [found[index * len(found) // MOST_FRAMES] for index in range(MOST_FRAMES)]
    held_out = found[::3]
    taken = set(held_out)
    calibration = [one for one in found if one not in taken]
    return TuningFrames(source=str(path), calibration=tuple(calibration), held_out=tuple(held_out))


def _pictures(path: Path) -> Sequence[Path]:
    if path.is_dir() and not [*path.glob("*.yaml"), *path.glob("*.yml")]:
        return pictures(str(path.absolute()), (path.absolute(),), str(path))
    if not path.exists():
        raise ConfigError(f"{path}: no such folder of pictures, and no dataset's YAML")
    splits = read_dataset(path).splits
    return [one for split in ("train", "val") for one in splits.get(split, ())]


def _by_time(source: str, cameras: Sequence[Sequence[Path]]) -> TuningFrames:
    """The earlier frames of each camera calibrate, its later ones are held out."""
    calibration: list[Path] = []
    held_out: list[Path] = []
    for paths in cameras:
        middle = round(len(paths) * CALIBRATION)
        calibration += paths[:middle]
        held_out += paths[middle:]
    return TuningFrames(source=source, calibration=tuple(calibration), held_out=tuple(held_out))
