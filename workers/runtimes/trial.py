"""Refuses a loaded model that can't do what its settings ask for: once, in one line, before it takes traffic."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from andon.errors import AndonError, ConfigError, FatalError
from workers.detector import WARM_UP_PX, BuiltIn, Detector, ModelInfo, OutOfMemoryError


@contextmanager
def in_one_line(detector: Detector, named: str) -> Iterator[None]:
    """For the first calls of a detector. `named` begins each message.

    Raises ConfigError with the runtime's reason, or FatalError if the device has too little memory.
    """
    try:
        yield
    except AndonError:
        raise
    except OutOfMemoryError as error:
        raise FatalError(f"{named}: {detector.info.device} has too little memory for it: {error}") from None
    except Exception as error:  # whatever a runtime raises about a model that it can't run
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ConfigError(f"{named}: the {detector.info.runtime} runtime can't serve it: {reason}") from None


def try_out(detector: Detector, named: str) -> None:
    """Show it one picture. Blocks for seconds. Raises as `in_one_line` does."""
    with in_one_line(detector, named):
        detector.detect([np.zeros((*WARM_UP_PX[0], 3), np.uint8)])


def require_confidence(wanted: float, built_in: BuiltIn | None, where: str) -> None:
    """Raises ConfigError if the model itself drops detections that `model.confidence` asks for."""
    least = built_in.confidence if built_in is not None else None
    if least is not None and wanted < least:
        raise ConfigError(
            f"{where}.confidence: {wanted:g} finds nothing more than {least:g}, below which this export drops "
            f"detections itself (nms=True): set {least:g}, or export it again with conf={wanted:g} or without nms"
        )


def require_imgsz(wanted: int | None, info: ModelInfo, where: str) -> None:
    """Raises ConfigError if `model.imgsz` is not the only size that the model takes."""
    if wanted is not None and info.canvas is not None and wanted != max(info.canvas):
        taken = " x ".join(str(side) for side in reversed(info.canvas))
        raise ConfigError(f"{where}.imgsz: {wanted}, but this export takes {taken} pixels only: export it again")
