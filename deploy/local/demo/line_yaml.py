"""The demo's line: four clips as four live cameras, and the line.yaml for them."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from andon.errors import FatalError
from andon.settings import ModelSettings
from deploy.local.child import Child
from deploy.local.places import Places
from deploy.local.server import answers
from sample_streams import calibration, clips, model_card, serve
from sample_streams.truth import ClipTruth, load

START_S = 20.0
STOP_S = 5.0
PARTITIONS = 17
"""With this number the hashes of the four camera names spread evenly over two workers, and well over three."""
CONFIDENCE = 0.4
"""Nine in ten of the demo model's defects below it are false, one in eighteen above it (sample_streams/README.md)."""
PART = "part"
"""The model's class for the part itself."""
SEVERITIES = {"crack": "critical", "missing_hole": "critical", "scratch": "major", "dent": "major", "stain": "minor"}


def truths() -> dict[str, ClipTruth]:
    """The truth of each camera's clip; camera and clip have the same name."""
    return {name: load(clips.truth_path(_clip(name))) for name in clips.CLIPS}


def document(folder: Path, port: int) -> dict[str, Any]:
    """The line.yaml of a demo in `folder` (absolute) whose cameras are served at `port`."""
    frames = calibration.folder(Path(ModelSettings().cache).expanduser())
    model = {
        "weights": str(model_card.MODEL),
        "digest": _digest(),
        "confidence": CONFIDENCE,
        "calibration": str(frames),
    }
    return {
        "line": "demo",
        "kafka": {"partitions": PARTITIONS},
        "cameras": [{"id": name, "url": serve.url(port, _clip(name))} for name in clips.CLIPS],
        "pools": {"default": {"model": model}},
        "parts": {"class": PART},
        "defects": {"classes": {name: {"severity": severity} for name, severity in SEVERITIES.items()}},
        "sinks": {"store": f"sqlite:///{folder / 'andon.db'}", "evidence": {"url": str(folder / "evidence")}},
        "spool": {"folder": str(folder / "spool")},
    }


def with_addresses(content: dict[str, Any], at: Places) -> dict[str, Any]:
    """The same with the servers' addresses: other commands find the line while it runs, and its account afterwards."""
    kafka, redis = at.settings.kafka, at.settings.redis
    where = {key: getattr(kafka, key) for key in ("bootstrap_servers", "idempotent", "epoch")}
    return {**content, "kafka": {**content["kafka"], **where}, "redis": {"url": redis.url.get_secret_value()}}


def write(content: dict[str, Any], path: Path) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


@contextmanager
def cameras(port: int, log: Path) -> Iterator[None]:
    """Serve the clips at `port`. Blocks until they answer; raises FatalError if they do not."""
    command = [sys.executable, "-P", "-m", "sample_streams", "serve", "--port", str(port)]
    child = Child("cameras", command, log)
    try:
        deadline = time.monotonic() + START_S
        while not answers(port):
            if child.returncode is not None or time.monotonic() > deadline:
                raise FatalError(f"the cameras did not start: {child.last_words()} (their log: {child.log})")
            time.sleep(0.05)
        yield
    finally:
        child.stop(STOP_S)


def _clip(name: str) -> Path:
    return clips.FOLDER / f"{name}.mp4"


def _digest() -> str:
    return model_card.digest(model_card.MODEL).removeprefix("sha256:")
