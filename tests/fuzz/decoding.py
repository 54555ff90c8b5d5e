"""Decodes mutated pictures in this process, whose memory is limited: `python -m tests.fuzz.decoding FIRST COUNT`.

It runs as a child, because a decoder's crash ends it. Prints one line of JSON; after a crash the process' name holds
the seed.
"""

import faulthandler
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from andon.errors import PoisonError
from andon.pictures.picture import PictureLimits
from andon.pictures.reader import decode
from tests.fuzz.pictures import bombs, mutated, originals
from tests.fuzz.reading import naming_seed

LIMITS = PictureLimits(max_bytes=1_000_000, max_pixels=1_000_000)
ENOUGH_PX = 64
"""The side of a detector's input: every other picture may be decoded at a reduced size for it."""
HEADROOM_BYTES = 300_000_000
"""Address space beyond that of the process before the first picture."""


@dataclass(slots=True)
class Figures:
    decoded: int = 0
    quarantined: int = 0
    most_grown_bytes: int = 0
    """The peak of resident memory, minus its value before the first mutated picture."""
    slowest_cpu_s: float = 0.0
    slowest_seed: int = -1


def run(first: int, count: int) -> Figures:
    bombs()
    for picture, kind in originals():
        decode(picture, kind, LIMITS)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # reset the peak
    _limit_memory()
    before = _peak_bytes()
    figures = Figures()
    for seed in range(first, first + count):
        _decode(seed, figures)
    figures.most_grown_bytes = _peak_bytes() - before
    return figures


def _decode(seed: int, figures: Figures) -> None:
    picture, kind = mutated(seed)
    Path("/proc/self/comm").write_text(f"fuzz-{seed}", encoding="ascii")  # the name of a core dump
    begun_s = time.process_time()
    with naming_seed("pictures", seed):
        try:
            decoded = decode(picture, kind, LIMITS, ENOUGH_PX if seed % 2 else None)
        except PoisonError as error:
            assert "\n" not in str(error)
            figures.quarantined += 1
        else:
            height, width, channels = decoded.pixels.shape
            assert channels == 3
            assert decoded.pixels.dtype == np.uint8
            assert height * width <= decoded.height * decoded.width <= LIMITS.max_pixels
            figures.decoded += 1
    took_s = time.process_time() - begun_s
    if took_s > figures.slowest_cpu_s:
        figures.slowest_cpu_s, figures.slowest_seed = took_s, seed


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + HEADROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _peak_bytes() -> int:
    """The peak of this process alone: getrusage includes its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


if __name__ == "__main__":
    faulthandler.enable()
    first, count = (int(given) for given in sys.argv[1:3])
    print(json.dumps(asdict(run(first, count))))  # noqa: T201
