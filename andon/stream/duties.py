"""What a stage must get done: its records while it has any, and answers of the broker while it has none."""

from collections.abc import Collection
from dataclasses import dataclass

from andon.process.metrics import Metrics
from andon.process.progress import KAFKA, Progress, Work
from andon.stream.consumer import Consumer
from andon.stream.lanes import Lane
from andon.stream.offsets import Partition
from andon.stream.stage import Stage


@dataclass(frozen=True, slots=True)
class StageDuties:
    """Two duties, so that neither's rhythm is taken for the other's."""

    stage: Stage
    consumer: Consumer

    def records(self) -> Work:
        """Records in flight or behind, and partitions that are being opened."""
        reason = "partitions are not open yet" if self._opening else ""
        return Work(self.stage.records_done, self._opening or self._busy, reason)

    def answers(self) -> Work:
        """While there is nothing to do, only the broker's empty answers show that there isn't."""
        answered = [self.consumer.answered_ms(partition) or 0 for partition in self.stage.lanes]
        return Work(min(answered, default=0), bool(answered) and not self._busy and not self.stage.opening)

    @property
    def _opening(self) -> bool:
        """Not before the first time: until then the process is not ready anyway."""
        return self.stage.opening and self.stage.joined.is_set()

    @property
    def _busy(self) -> bool:
        return self.stage.in_flight > 0 or any(map(self._behind, self.stage.lanes.items()))

    def _behind(self, item: tuple[Partition, Lane]) -> bool:
        """Not while all that is unread has expired: nothing follows until the next record comes."""
        partition, lane = item
        position = max(lane.position, self.consumer.position(partition) or 0)
        return (self.consumer.highwater(partition) or 0) > position


def watch_duties(
    progress: Progress, metrics: Metrics, stage: Stage, consumer: Consumer, sources: Collection[str]
) -> None:
    """Watch the stage's progress. `sources`: whose complaints say why it has none, besides the stage's own."""
    duties = StageDuties(stage, consumer)
    own = (*sources, f"{stage.name} offsets", "commit", KAFKA)
    both = (
        progress.duty(f"the stage {stage.name}", duties.records, own),
        progress.duty(f"the reading of the stage {stage.name}", duties.answers, (KAFKA,)),
    )
    metrics.watch("andon_stage_stalled_seconds", lambda: [((stage.name,), max(duty.stalled_s for duty in both))])
