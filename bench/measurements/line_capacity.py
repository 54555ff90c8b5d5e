"""The capacity of a line on this machine: the rate at which it inspects while its cameras deliver more."""

from andon.errors import FatalError
from bench.harness.consumer_log import ConsumerLog
from bench.harness.context import Context
from bench.harness.realtime_line import RealtimeLine

FIRST_GUESS_PER_S = 100.0
"""Used if this run has not measured the line's throughput."""
OFFER_FACTOR = 1.3
LEAST_EXCESS = 1.03
"""Offered rate ÷ inspected rate. Below it the line may be able to inspect more."""
MOST_EXCESS = 1.6
"""Above it capture and encoding of the excess frames take too much of the CPU."""
ATTEMPTS = 5


async def at_capacity(line: RealtimeLine, context: Context) -> ConsumerLog:
    """Raise the offered rate until the line inspects less than it is offered; what it inspects then is its capacity.

    Frames beyond the capacity still cost capture and encoding, so the offer must not be far above it. Raises FatalError
    if the line keeps up with every offer.
    """
    known_per_s = float(context.figures.get("line", {}).get("frames_per_s", FIRST_GUESS_PER_S))
    for attempt in range(ATTEMPTS):
        offered_per_s = OFFER_FACTOR * known_per_s
        log = await line.offer(f"capacity{attempt}", offered_per_s, context.warm_s, 0.75 * context.span_s)
        context.say(f"latency: the line inspects {log.inspected_per_s:.1f} of {offered_per_s:.1f} frames/s")
        if LEAST_EXCESS < offered_per_s / log.inspected_per_s < MOST_EXCESS:
            return log
        known_per_s = log.inspected_per_s
    raise FatalError(f"{known_per_s:.0f} frames/s were inspected, and the line could have done more")
