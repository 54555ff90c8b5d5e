"""What a line can do on this machine, its cameras in real time: what is inspected while more than that arrives."""

from andon.errors import FatalError
from bench.harness.context import Room
from bench.harness.realtime_line import Running

FIRST_GUESS_PER_S = 100.0
"""Where no measurement of this run says what the line does."""
MORE = 1.3
KEPT_UP = 1.03
"""Offered beside inspected: below it the line may be able to do more."""
TOO_MUCH = 1.6
ATTEMPTS = 5


async def capacity_per_s(line: Running, room: Room) -> float:
    """Offer more than is known to be inspected, until less is inspected than offered.

    What is too much costs capture and encoding all the same; so the offer must not be far above what is inspected.
    Raises FatalError where the line keeps up with everything.
    """
    known_per_s = float(room.found.get("line", {}).get("frames_per_s", FIRST_GUESS_PER_S))
    for attempt in range(ATTEMPTS):
        offered_per_s = MORE * known_per_s
        seen = await line.offer(f"capacity{attempt}", offered_per_s, room.warm_s, 0.75 * room.span_s)
        room.say(f"latency: {seen.inspected_per_s:.1f} frames/s are inspected of {offered_per_s:.1f}")
        if KEPT_UP < offered_per_s / seen.inspected_per_s < TOO_MUCH:
            return seen.inspected_per_s
        known_per_s = seen.inspected_per_s
    raise FatalError(f"{known_per_s:.0f} frames/s were inspected, and that was not all that the line can do")
