"""`python -m workers.tuning.measuring ROOM`: measures the candidates of ROOM/order.json into ROOM/candidates.json.

It runs as a process of its own: a worker then carries neither torch nor the memory of a calibration, and what hangs or
crashes in a library is killed without it. The report is written anew after each candidate, so that it survives that.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from andon.errors import AndonError, ConfigError, PoisonError
from andon.pictures.reader import read
from workers.detector import Detections, Detector, Picture
from workers.model.timing import Speed, time_in_turns
from workers.runtimes.choice import open_model
from workers.runtimes.setup import Setup
from workers.runtimes.tuned import Candidate, setup_of
from workers.tuning.agreement import compare
from workers.tuning.artifacts import Int8Maker
from workers.tuning.candidates import arrangements, candidates, not_installed, on_cpu
from workers.tuning.choosing import choose, complaint
from workers.tuning.order import ORDER, REPORT, TuningOrder

MAKING = 0.75
"""The part of the time in which candidates are made. The rest is for timing them in turns."""
TIMED = 24
"""Frames of a turn."""
FIRST_TURNS, TURNS = 2, 7
TIMING = 0.6
"""The part of the time that is left then, for timing in turns at most."""
HOPELESS = 2.0
"""INT8 isn't made in a runtime whose floats cost that many times the best so far: it gains less than that."""
FIRST_FLOATS = (0, 3)
"""INT8 is made again with more in floats if it disagrees."""
POLITE = 10
"""Niceness: a worker that inspects on the same machine goes first. CPU time does not suffer from it."""
GRACE_S = 5.0
"""Past the limit this process ends even if the one that started it is gone."""
MESSAGE = 200


@dataclass(slots=True)
class TuningReport:
    """What was measured so far, on disk after each change."""

    path: Path
    candidates: list[Candidate] = field(default_factory=list)

    def add(self, candidate: Candidate) -> int:
        self.candidates.append(candidate)
        self._write()
        return len(self.candidates) - 1

    def time(self, speeds: Sequence[tuple[int, Speed]]) -> None:
        for index, speed in speeds:
            timed = {"cpu_ms": speed.cpu_ms, "wall_ms": speed.wall_ms}
            self.candidates[index] = self.candidates[index].model_copy(update=timed)
        self._write()

    def _write(self) -> None:
        draft = self.path.with_suffix(".draft")
        draft.write_text(json.dumps([one.model_dump(exclude_none=True) for one in self.candidates]), encoding="utf-8")
        os.replace(draft, self.path)


@dataclass(frozen=True, slots=True)
class ReferenceFrames:
    """The frames, and what the source sees in them."""

    order: TuningOrder
    room: Path
    source: Detector
    held_out: list[Picture]
    expected: list[Detections]
    maker: Int8Maker
    began_s: float

    @property
    def left_s(self) -> float:
        """Until the process is killed."""
        return self.began_s + self.order.limit_s - time.monotonic()

    @property
    def making(self) -> bool:
        """Whether there is time for another candidate."""
        return self.left_s > (1 - MAKING) * self.order.limit_s

    def open(self, setup: Setup) -> Detector:
        order = self.order
        return open_model(order.model, order.batch_size, order.where, setup=setup)

    def timed(self, detectors: Sequence[Detector], turns: int) -> list[Speed]:
        return time_in_turns(detectors, self.held_out[:TIMED], self.order.batch_size, turns)


def measure(order: TuningOrder, room: Path) -> None:
    """Blocks for a minute or more. Raises AndonError if the source itself can't be served."""
    began_s = time.monotonic()
    report = TuningReport(room / REPORT)
    fp32 = order.model.model_copy(update={"runtime": "torch", "precision": "fp32"})
    source = open_model(fp32, order.batch_size, order.where, setup=Setup("torch", "fp32"))
    held_out = [picture(path) for path in order.held_out]
    expected = detect_all(source, held_out, order.batch_size)
    contest = ReferenceFrames(
        order, room, source, held_out, expected, Int8Maker(order, room, source.info, picture), began_s
    )
    rivals: dict[int, Detector] = {}
    for setup in candidates(order.model):
        for first_floats in FIRST_FLOATS if setup.precision == "int8" else (0,):
            if setup.precision == "int8" and _is_hopeless(setup, report.candidates):
                break
            opened, measured = _measured(contest, setup, first_floats)
            index = report.add(measured)
            if opened is not None:
                rivals[index] = opened
            if not complaint(measured, order.model.min_agreement) or measured.left_out:
                break
    for missing in not_installed(order.model):
        report.add(missing)
    _arrange(contest, report, rivals)


def _is_hopeless(setup: Setup, known: Sequence[Candidate]) -> bool:
    costs = {(one.runtime, one.precision): one.cpu_ms for one in known if one.cpu_ms is not None}
    floats = [cost for (runtime, precision), cost in costs.items() if runtime == setup.runtime and precision != "int8"]
    return bool(floats) and min(floats) > HOPELESS * min(costs.values())


def _measured(contest: ReferenceFrames, setup: Setup, first_floats: int) -> tuple[Detector | None, Candidate]:
    """One candidate's boundary: whatever fails in it leaves it out."""
    order = contest.order
    assert setup.precision is not None
    candidate = Candidate(runtime=setup.runtime, precision=setup.precision, first_floats=first_floats)
    if not contest.making:
        return None, candidate.model_copy(update={"left_out": "no time was left for it"})
    try:
        if setup.precision == "int8":
            artifact = contest.maker.make(setup.runtime, first_floats)
            candidate = candidate.model_copy(update={"artifact": artifact.name})
            setup = replace(setup, artifact=artifact)
        detector = contest.open(setup)
        detections = detect_all(detector, contest.held_out, order.batch_size)
        (speed,) = contest.timed([detector], FIRST_TURNS)
    except Exception as error:  # a library's, about a model or a processor that it can't serve
        return None, candidate.model_copy(update={"left_out": _reason(error)})
    agreement = compare(contest.expected, detections, order.model.confidence)
    measured = {
        "cpu_ms": speed.cpu_ms,
        "wall_ms": speed.wall_ms,
        "agreement": round(agreement.share, 4),
        "boxes": agreement.confident,
    }
    return detector, candidate.model_copy(update=measured)


def _arrange(contest: ReferenceFrames, report: TuningReport, rivals: dict[int, Detector]) -> None:
    """Time the best candidate with other numbers of requests, in turns with all others."""
    order = contest.order
    choice = choose(report.candidates, order.model.min_agreement, on_cpu=on_cpu(order.model))
    if choice.index is None:
        return
    best = report.candidates[choice.index]
    untimed = {"cpu_ms": None, "wall_ms": None}
    for setup in arrangements(setup_of(best, contest.room)):
        if not contest.making:
            break
        detector = contest.open(setup)
        update = {**untimed, "streams": setup.streams, "frames": setup.frames}
        rivals[report.add(best.model_copy(update=update))] = detector
    turn_s = TIMED / 1000 * sum(report.candidates[index].wall_ms or best.wall_ms or 0.0 for index in rivals)
    turns = min(TURNS, max(1, int(TIMING * contest.left_s / max(turn_s, 1e-3)) - 1))
    speeds = contest.timed(list(rivals.values()), turns)
    report.time(list(zip(rivals, speeds, strict=True)))


def detect_all(detector: Detector, pictures: Sequence[Picture], batch: int) -> list[Detections]:
    starts = range(0, len(pictures), batch)
    return [found for start in starts for found in detector.detect(pictures[start : start + batch])]


def picture(path: Path) -> Picture:
    """Raises ConfigError if it can't be read."""
    try:
        return read(path.read_bytes())
    except (OSError, PoisonError) as error:
        raise ConfigError(f"{path}: not a picture: {error}") from None


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return (text if isinstance(error, AndonError) else f"{type(error).__name__}: {text}")[:MESSAGE]


def main(arguments: Sequence[str]) -> int:
    """The last line on stderr names the error. Returns 2 for a wrong setting."""
    room = Path(arguments[0])
    order = TuningOrder.model_validate_json((room / ORDER).read_bytes())
    signal.setitimer(signal.ITIMER_REAL, order.limit_s + GRACE_S)  # SIGALRM ends the process
    os.nice(POLITE)
    try:
        measure(order, room)
    except AndonError as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, ConfigError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
