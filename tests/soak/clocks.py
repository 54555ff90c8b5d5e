"""Sets the clock of one role of the line: each role's process reads its own shift from a file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

STEPS_S = (3600.0, -3600.0, 60.0, -7.0, 10 * 365 * 86_400.0)
_SHIFTED = """
import datetime, os, pathlib
import andon.clock

place = pathlib.Path(os.environ["SOAK_CLOCKS"]) / os.environ.get("ANDON_HTTP__PORT", "none")
now = andon.clock.SystemClock.now

def shifted(self):
    try:
        ahead_s = float(place.read_text())
    except OSError:
        return now(self)
    return now(self) + datetime.timedelta(seconds=ahead_s)

andon.clock.SystemClock.now = shifted
"""
"""Every process of the line imports this first. The monotonic clock, as a host's, is not shifted."""


class Clocks:
    """The clocks of the processes that are started from now on."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        (folder / "sitecustomize.py").write_text(_SHIFTED)
        os.environ["PYTHONPATH"] = str(folder)
        os.environ["SOAK_CLOCKS"] = str(folder)

    @contextmanager
    def set(self, url: str, ahead_s: float) -> Iterator[None]:
        """The clock of the role that serves its health at `url` is set, and set right again at the end."""
        place = self._folder / str(urlsplit(url).port)
        new = place.with_suffix(".new")
        new.write_text(str(ahead_s))
        new.rename(place)  # it is read all the time
        try:
            yield
        finally:
            place.unlink()
