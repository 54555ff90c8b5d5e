"""`andon work` with a part that blocks, for ever or until a test lets it go on.

`python -m tests.integration.workers.hanging PART -c line.yaml`
"""

import sys
import threading
import time
from functools import partial
from pathlib import Path

from andon.config import load
from andon.pictures import reader
from andon.pictures.picture import Bgr, PixelLayout
from andon.process import lifecycle
from andon.settings import PoolSettings
from tests.detectors import FakeDetector
from workers.detector import Detector
from workers.role import work
from workers.runtimes import cache
from workers.runtimes.cache import Exporter
from workers.runtimes.choice import load as load_model


def block(*_: object) -> None:
    sys.stderr.write("it blocks\n")
    threading.Event().wait()


def blocked_read(_payload: bytes, _layout: PixelLayout, _width: int, _height: int) -> Bgr:
    block()
    raise AssertionError


class HangingDetector(FakeDetector):
    """Never returns from its first batch."""

    def warm_up(self) -> None:
        """Returns, as a driver does that hangs only later."""


def wait_for(file: Path) -> None:
    """Block until a file of this name is there."""
    sys.stderr.write("it blocks\n")
    while not file.exists():
        time.sleep(0.05)


def open_detector(part: str, folder: Path, pool: PoolSettings, name: str, exporter: Exporter) -> Detector:
    match part:
        case "slow detector":
            return HangingDetector(lambda _: wait_for(folder / "go on"))
        case "slow load":
            wait_for(folder / "go on")
            return FakeDetector()
        case "detector":
            return HangingDetector(block)
        case "load":
            block()
            raise AssertionError
        case "export":
            return load_model(pool, name, exporter)
        case _:
            return FakeDetector()


def main(part: str, path: str) -> int:
    if part == "decoder":
        reader.DECODERS["image/jpeg"] = reader.JPEG._replace(read=blocked_read)
    if part == "export":
        cache.COMMAND = (sys.executable, "-c", "import time; time.sleep(1e6)")
    role = partial(work, pool_name="default", open_detector=partial(open_detector, part, Path(path).parent))
    return lifecycle.run("work", role, load(Path(path)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[3]))
