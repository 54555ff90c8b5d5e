"""What the log gives where nothing dies: every inspection gone through once more, by one process, in memory.

What sinks know is a function of the log. So the events that this raises are those of a run without a fault, and every
one of them, and no other, has to stand in the line's store and to have left it, whatever was killed in between.
"""

from collections import Counter
from datetime import UTC, datetime

from andon.events import silent
from andon.settings import Settings
from andon.stream.offsets import Partition
from andon.stream.step import Delivery
from andon.wire import Record
from sinks.batch import gather
from sinks.judgement.state import CameraState
from sinks.role import rules_of
from sinks.store.stored import Position


class Replay:
    """Fed with every record of the inspections topic, each partition's in order."""

    def __init__(self, settings: Settings) -> None:
        self._policy = rules_of(settings).policy
        self._positions: dict[Partition, Position] = {}
        self._cameras: dict[Partition, dict[str, CameraState]] = {}
        self.events: Counter[str] = Counter()
        """How often each event was raised, by its id."""

    def take(self, record: Record) -> None:
        """One record; what was taken before changes nothing."""
        partition = Partition(record.topic, record.partition)
        position = self._positions.get(partition, Position(1, "", 0))
        work = gather(partition, position, [Delivery(record, _nobody_waits)], datetime.now(UTC), silent)
        work.step(self._cameras.setdefault(partition, {}), self._policy, ())
        self._positions[partition] = work.after
        self.events.update(event.event_id for event in work.batch.events)


def _nobody_waits() -> None:
    """The log is only read."""
