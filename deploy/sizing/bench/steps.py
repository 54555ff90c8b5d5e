"""The steps of `andon bench` in their order, and how the time is shared out among them.

A step that is interrupted or has no time left leaves its figures out; what was measured before it stands.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from andon.clock import Clock, SystemClock
from andon.errors import AndonError
from andon.pictures.picture import Bgr
from andon.pictures.reader import decode
from andon.settings import Settings
from deploy.sizing.bench import line, machine, model, pictures
from deploy.sizing.carried import carried
from deploy.sizing.costs import Resolution
from deploy.sizing.measured import BenchFigures, Encoding
from ingest.encode import jpeg
from workers.detector import Detector, Picture

PICTURES, MODEL = 0.2, 0.25
"""Their shares of the time. The rest is the whole line's."""
LINE_SIZE = Resolution(line.WIDTH, line.HEIGHT)
LOADED = 0.85
"""The whole line gets this share of the cameras that the machine is computed to carry: it must keep up."""
MOST_CAMERAS = 64
BUSY = "does the machine do something else, too?"
USUAL_GAPS = (
    "a network between cameras, brokers and workers: cameras were files, all processes ran on this machine",
    "Apache Kafka: the broker was the embedded one",
)


@dataclass(frozen=True, slots=True)
class BenchOrder:
    """What to measure, and for how long."""

    settings: Settings
    pool: str
    resolutions: Sequence[Resolution]
    rates: Sequence[float]
    latency_s: float
    encoding: Encoding
    seconds: float
    say: Callable[[str], None]


@dataclass(slots=True)
class Bench:
    """One run. `found` is always whole: Ctrl-C at any moment leaves what was measured before."""

    order: BenchOrder
    clock: Clock = field(default_factory=SystemClock)
    found: BenchFigures = field(init=False)
    _began_s: float = field(init=False)
    _gaps: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._began_s = self.clock.monotonic()
        here = machine.look()
        order = self.order
        self.found = BenchFigures(machine=here, seconds=0.0, latency_s=order.latency_s, encoding=order.encoding)
        if not here.gpu:
            self._gaps.append("a GPU: there is none, or no driver")

    def run(self) -> bool:
        """Measure. False: Ctrl-C stopped it. Raises ConfigError or FatalError if the model can't be served."""
        whole = True
        try:
            self._steps()
        except KeyboardInterrupt:
            self._gaps.append("what would have come after Ctrl-C")
            whole = False
        gaps = (*self._gaps, *USUAL_GAPS)
        rows = carried(self.found, self.order.resolutions, self.order.rates)
        seconds = round(self.clock.monotonic() - self._began_s, 1)
        self.found = self.found.model_copy(update={"carried": rows, "not_measured": gaps, "seconds": seconds})
        return whole

    def _steps(self) -> None:
        order = self.order
        pool = order.settings.pools[order.pool]
        order.say(f"loading {pool.model.weights}; the first time it is exported for this machine: a minute")
        detector = model.opened(pool, order.pool, order.settings.worker.export_timeout_s)
        self._began_s = self.clock.monotonic()
        sizes = list(dict.fromkeys((LINE_SIZE, *order.resolutions)))
        shown = self._pictures(sizes, detector)
        order.say(f"{detector.info.runtime} on {detector.info.device}, batches of {_listed(pool.batch.size)}")
        found = model.measure(detector, pool, shown, MODEL * order.seconds)
        self.found = self.found.model_copy(update={"model": found})
        del detector  # its memory and threads would disturb the worker's
        self._line()

    def _pictures(self, sizes: Sequence[Resolution], detector: Detector) -> list[Picture]:
        """Returns pictures of the first size as a worker gives them to the model."""
        each_s = PICTURES * self.order.seconds / len(sizes)
        enough_px = detector.info.enough_px
        first: list[Bgr] = []
        for size in sizes:
            if first and self.clock.monotonic() - self._began_s > PICTURES * self.order.seconds:
                self._gaps.append(f"decoding and encoding {size}: no time was left; give more --seconds")
                continue
            self.order.say(f"decoding and encoding {size}")
            drawn = pictures.drawn(size)
            first = first or drawn
            found = pictures.measure(size, drawn, enough_px, each_s)
            self.found = self.found.model_copy(update={"pictures": (*self.found.pictures, found)})
        if self.order.encoding == "passthrough":
            return list(first)
        payloads = [jpeg(picture, pictures.SETTINGS).payload for picture in first]
        return [decode(payload, "image/jpeg", pictures.LIMITS, enough_px).pixels for payload in payloads]

    def _line(self) -> None:
        order, here = self.order, self.found.machine
        deadline_s = self._began_s + order.seconds
        left_s = deadline_s - self.clock.monotonic()
        if left_s < line.STARTS_S + line.LEAST_S:
            self._gaps.append(f"a whole line: only {max(0.0, left_s):.0f} s were left; give more --seconds")
            return
        (row,) = carried(self.found, [LINE_SIZE], [line.FPS])
        cameras = max(1, min(MOST_CAMERAS, int(LOADED * row.cameras)))
        order.say(f"the whole line with {cameras} cameras of {LINE_SIZE}, {line.FPS} frames/s each")
        trial = line.LineTrial(order.settings, order.pool, cameras, here.cores, deadline_s, order.encoding)
        try:
            with tempfile.TemporaryDirectory(prefix="andon-bench-") as folder:
                found = line.measure(trial, Path(folder))
        except AndonError as error:
            self._gaps.append(str(error))
            return
        if found.behind:
            rates = f"{found.frames_per_s:.0f} of {found.captured_per_s:.0f} frames/s"
            self._gaps.append(f"latency: the whole line fell behind ({rates}); {BUSY}")
        elif found.p99_ms > 1000 * order.latency_s:
            self._gaps.append(f"latency as computed: the whole line's p99 was {found.p99_ms:.0f} ms; {BUSY}")
        self.found = self.found.model_copy(update={"line": found})


def _listed(size: int) -> str:
    return ", ".join(str(each) for each in model.batch_sizes(size))
