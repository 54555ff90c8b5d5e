"""What stands still in the line, as the store and the broker show it. Pure.

Each process says by itself what it can't get done (`andon.process.progress`). This is the view from outside, which also
shows what no process can say: that there is none.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from andon.process.progress import FACTOR
from sinks.circumstances import Circumstances, ConsumerGroup
from sinks.judgement.spans import Span
from sinks.judgement.state import JudgementState
from sinks.store.stored import StoredAccounts

NO_ANSWER = "the broker does not answer"


def stalls_of(
    stored: StoredAccounts, states: Mapping[str, JudgementState], spans: Iterable[Span], circumstances: Circumstances
) -> tuple[str, ...]:
    """A line for each group that finishes nothing, and for each camera whose frames are not inspected.

    `states`: of the cameras that are audited. `spans`: times without frames, those that last included.
    """
    silent = {span.camera_id: span for span in spans if span.ended_at is None and span.watched}
    cameras = {
        name: _camera(state, silent.get(name), circumstances)
        for name, state in states.items()
        if state.display.state != "stopped" and (circumstances.watched is None or name in circumstances.watched)
    }
    return (*_groups(stored, circumstances), *(f"{name}: {line}" for name, line in cameras.items() if line))


def never_captured(cameras: Iterable[str], circumstances: Circumstances) -> tuple[str, ...]:
    """A line for each of these cameras of the registry, of which no ingester has ever said anything."""
    since = {name: circumstances.now - circumstances.registered[name] for name in sorted(cameras)}
    return tuple(
        f"{name}: no ingester has captured it yet: is one of its site running?"
        for name, age in since.items()
        if age.total_seconds() > circumstances.stalled_s
    )


def _groups(stored: StoredAccounts, circumstances: Circumstances) -> list[str]:
    sinks = circumstances.sinks
    if sinks is not None and (line := _group(sinks, stored.changed_at, circumstances)):
        return [line]  # while the sinks stand still, the store does not know what the workers do
    lines = [_group(group, _finished_at(stored, group), circumstances) for group in circumstances.workers]
    return [line for line in lines if line]


def _group(group: ConsumerGroup, finished_at: datetime | None, circumstances: Circumstances) -> str:
    """Empty: its records are younger than `stalled_s`, or it works them off."""
    limit_s = circumstances.stalled_s
    idle_s = None if finished_at is None else (circumstances.now - finished_at).total_seconds()
    if group.oldest_s <= limit_s or (idle_s is not None and idle_s <= limit_s):
        return ""
    since = "it has never finished one" if idle_s is None else f"it has finished none for {idle_s:.0f} s"
    waiting = f"{group.records} records of {group.topic} wait for the group {group.name}"
    return f"{waiting}, the oldest for {group.oldest_s:.0f} s, and {since}: see /readyz of its processes"


def _finished_at(stored: StoredAccounts, group: ConsumerGroup) -> datetime | None:
    """When a worker of the group last finished a frame, by its own clock."""
    finished = [
        state.standing.accounted_at
        for _, state in stored.states
        if state.standing.accounted_at is not None and state.heard is not None and state.heard[0] == group.topic
    ]
    return max(finished, default=None)


def _camera(state: JudgementState, silent: Span | None, circumstances: Circumstances) -> str:
    """Empty: its frames are inspected, or it is a slow camera."""
    standing = state.standing
    limit_s = max(circumstances.stalled_s, FACTOR * (state.delivery.rhythm.usual_s or 0.0))
    if standing.reported:
        return standing.reported
    if silent is not None:
        silent_s = ((circumstances.known_at or silent.started_at) - silent.started_at).total_seconds()
        return f"no frame for {silent_s:.0f} s: {silent.reason}" if silent_s > limit_s else ""
    if standing.refused_since is None or standing.refused_at is None:
        return ""
    refused_s = (standing.refused_at - standing.refused_since).total_seconds()
    return f"no frame was inspected for {refused_s:.0f} s: {standing.refused}" if refused_s > limit_s else ""
