"""Replays the inspections topic in one process and in memory: the events of a run without faults.

The sinks' state is a function of the log. So the line's store must hold exactly the events that the replay raises, and
each must have been alerted, whatever was killed meanwhile.
"""

from collections import Counter
from datetime import UTC, datetime

from andon.events import silent
from andon.settings import Settings
from andon.stream.offsets import Partition
from andon.stream.step import Delivery
from andon.wire import Record
from sinks.batch import gather
from sinks.judgement.state import CameraAccount
from sinks.role import rules_of
from sinks.store.stored import Position


class Replay:
    """Takes every record of the inspections topic, in the order of each partition."""

    def __init__(self, settings: Settings) -> None:
        self._rules = rules_of(settings).judgement
        self._positions: dict[Partition, Position] = {}
        self._cameras: dict[Partition, dict[str, CameraAccount]] = {}
        self.events: Counter[str] = Counter()
        """By event id: how often the replay raised it."""

    def take(self, record: Record) -> None:
        """Step through one record; a record that was taken before changes nothing."""
        partition = Partition(record.topic, record.partition)
        position = self._positions.get(partition, Position(1, "", 0))
        work = gather(partition, position, [Delivery(record, _no_commit)], datetime.now(UTC), silent)
        work.step(self._cameras.setdefault(partition, {}), self._rules, ())
        self._positions[partition] = work.after
        self.events.update(event.event_id for event in work.batch.events)


def _no_commit() -> None:
    """A replay commits no offset."""
