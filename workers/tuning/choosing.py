"""Which of the measured candidates serves the model. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from workers.runtimes.tuned import Candidate

LEAST_BOXES = 30
"""Confident detections that must have been compared before INT8 is trusted: 0.99 of fewer says nothing."""
FLOAT_AGREEMENT = 0.95
"""Of a float format. It is what a runtime serves by itself, and its export was compared with its source."""
LEAST_GAIN = 0.05
"""INT8 has to be faster by this part than the fastest float format: less is within the scatter of the timing."""


@dataclass(frozen=True, slots=True)
class CandidateChoice:
    index: int | None
    """Of the candidate. None: none agrees."""
    reason: str


def choose(candidates: Sequence[Candidate], min_agreement: float, *, on_cpu: bool) -> CandidateChoice:
    """The fastest candidate that agrees with its source.

    On a CPU it is the one that costs the least CPU time: with many cameras all cores are busy, and other programs on
    the machine don't distort it. On a GPU it is the one with the shortest time.
    """

    def cost_ms(index: int) -> float:
        return (candidates[index].cpu_ms if on_cpu else candidates[index].wall_ms) or float("inf")

    timed = sorted(
        (i for i, one in enumerate(candidates) if not one.left_out and cost_ms(i) < float("inf")), key=cost_ms
    )
    agreeing = [index for index in timed if not complaint(candidates[index], min_agreement)]
    if not agreeing:
        return CandidateChoice(None, _none(candidates, min_agreement))
    best = agreeing[0]
    floats = [index for index in agreeing if candidates[index].precision != "int8"]
    if candidates[best].precision == "int8" and floats and cost_ms(best) > (1 - LEAST_GAIN) * cost_ms(floats[0]):
        best = floats[0]
    unit = "ms of CPU a frame" if on_cpu else "ms a frame"
    words = [f"{candidates[best].name}: {cost_ms(best):.1f} {unit}", agreed(candidates[best])]
    words += [_refused(candidates[index], cost_ms(index), min_agreement) for index in timed[: timed.index(best)]]
    others = [index for index in agreeing if _kind(candidates[index]) != _kind(candidates[best])]
    if others:
        words.append(f"next best is {candidates[others[0]].name} with {cost_ms(others[0]):.1f}")
    return CandidateChoice(best, "; ".join(word for word in words if word))


def complaint(candidate: Candidate, min_agreement: float) -> str:
    """Why the candidate must not serve, in a few words. Empty: it agrees."""
    if candidate.agreement is None:
        return "not compared"
    if candidate.precision == "int8" and candidate.boxes < LEAST_BOXES:
        return f"only {candidate.boxes} confident detections to compare, {LEAST_BOXES} are needed"
    if candidate.precision != "int8":
        min_agreement = min(min_agreement, FLOAT_AGREEMENT)
    if candidate.agreement < min_agreement:
        return (
            f"{candidate.agreement:.3f} of {candidate.boxes} confident detections agree, {min_agreement:g} are needed"
        )
    return ""


def agreed(candidate: Candidate) -> str:
    if not candidate.boxes:
        return "no confident detection to compare"
    return f"{candidate.agreement:.3f} of {candidate.boxes} confident detections agree"


def _kind(candidate: Candidate) -> tuple[str, str]:
    return candidate.runtime, candidate.precision


def _refused(candidate: Candidate, cost_ms: float, min_agreement: float) -> str:
    """Why a faster one was not taken."""
    reason = complaint(candidate, min_agreement)
    return f"{candidate.name} takes {cost_ms:.1f}, but {reason}" if reason else ""


def _none(candidates: Sequence[Candidate], min_agreement: float) -> str:
    if not candidates:
        return "nothing was measured"
    first = candidates[0]
    return f"no candidate can serve; {first.name}: {first.left_out or complaint(first, min_agreement) or 'not timed'}"
