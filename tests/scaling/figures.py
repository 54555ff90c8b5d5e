"""Figures of a simulated day."""

from itertools import pairwise

from tests.scaling.day import SPIKE, Day


def drained_s(day: Day) -> float:
    """From the spike's begin until the lag is back under the threshold of the workers there are."""
    for moment in day.moments:
        if moment.at_s > SPIKE[1] and moment.lag <= day.rule.lag_threshold * max(moment.workers, 1):
            return moment.at_s - SPIKE[0]
    raise AssertionError("the spike was never worked off")


def turns(day: Day) -> list[float]:
    """When the number of workers changed its direction, in seconds since midnight."""
    found, direction = [], 0
    for before, after in pairwise(day.moments):
        change = (after.workers > before.workers) - (after.workers < before.workers)
        if change and direction and change != direction:
            found.append(after.at_s)
        direction = change or direction
    return found
