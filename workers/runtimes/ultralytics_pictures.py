"""Lets ultralytics' training read pictures as a line does: upright, at the same depth, and no damaged ones.

Its own loader reads 16 bits a sample by their upper half only, decodes a truncated JPEG as far as it goes, leaves
pictures out with a line that nobody sees, and writes JPEGs anew that end with other bytes than it expects.
"""

from pathlib import Path
from typing import Any

import cv2
from numpy.typing import NDArray

from andon.errors import ConfigError, PoisonError
from andon.pictures.reader import read_file

_unreadable: dict[str, str] = {}
"""By path, the pictures that ultralytics was about to leave out. It looks at them on threads."""


def use_the_lines_reader(trainer: object = None) -> None:
    """A callback for the start of a training, in each of its processes. Replaces two functions of ultralytics."""
    from ultralytics.data import base, utils  # noqa: PLC0415 - only after the environment says offline

    _unreadable.clear()
    for module, name, function in (
        (base, "imread", imread),
        (utils, "imread", imread),
        (utils, "check_image", check_image),
    ):
        setattr(module, name, function)


def require_readable(trainer: object = None) -> None:
    """A callback for when all pictures have been looked at. Raises ConfigError: one of them can't be read."""
    if _unreadable:
        path, reason = min(_unreadable.items())
        more = f" (and {len(_unreadable) - 1} more)" if len(_unreadable) > 1 else ""
        raise ConfigError(f"{path}: not a picture: {reason}{more}")


def imread(filename: str | Path, flags: int = cv2.IMREAD_COLOR) -> NDArray[Any] | None:
    """In place of `ultralytics.utils.patches.imread`; other flags than those for colour go there."""
    if flags != cv2.IMREAD_COLOR:
        from ultralytics.utils import patches  # noqa: PLC0415 - as above

        other: NDArray[Any] | None = patches.imread(filename, flags)
        return other
    try:
        return read_file(Path(filename))
    except (OSError, PoisonError):
        return None


def check_image(im_file: str) -> tuple[str, tuple[int, int]]:
    """In place of `ultralytics.data.utils.check_image`: no message, height and width. Writes nothing."""
    try:
        height, width = read_file(Path(im_file)).shape[:2]
    except (OSError, PoisonError) as error:
        _unreadable[im_file] = str(error)
        raise
    return "", (height, width)
