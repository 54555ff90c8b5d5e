"""One worker: the real lanes, offset trackers and batcher, and around them the rules of `Stage` and
`OrderedPublisher`: results leave in the order of a partition's records, and a record is done when the broker has
acknowledged its result."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from andon.messages import ExpiredRange, Frame
from andon.stream.lanes import Lane, Lanes
from andon.stream.offsets import Partition
from andon.stream.step import Delivery, PartitionStep
from andon.wire import Outgoing, Record, encode
from ingest.queue import Message
from tests.simulation.broker import FRAMES, INSPECTIONS, Answer, Result, World
from tests.simulation.plan import INSPECTED, Ending, encoded, inspection
from tests.simulation.video import Video
from workers.batcher import Batcher
from workers.gaps import OffsetGaps

GROUP = 3
"""Number of results that are sent and acknowledged together."""


@dataclass(slots=True, eq=False)
class Slot:
    """One record on its way through the worker."""

    record: Record
    message: Message | None
    """None: the slot reports the hole before the record."""
    lane: Lane
    result: Result | None = None
    outgoing: Outgoing | None = None


@dataclass(slots=True, eq=False)
class Outlet:
    """One assignment of a partition: its results in order, and the group of them that is being sent."""

    video: Video
    gaps: OffsetGaps = field(default_factory=OffsetGaps)
    waiting: deque[Slot] = field(default_factory=deque)
    group: list[Slot] = field(default_factory=list)
    sent: list[bool] = field(default_factory=list)
    """Whether the broker has acknowledged each result sent since the last failure, in the order of the group."""
    settling: list[Slot] = field(default_factory=list)
    """The results that are not done yet, once the whole group is acknowledged."""
    acknowledged: int = 0
    """Number of results at the front of the group that were acknowledged before the last failure."""

    @property
    def needed_from(self) -> int | None:
        return self.video.needed_from


class Worker:
    def __init__(self, world: World, number: int) -> None:
        self.name = f"worker {number}"
        self.alive = True
        self.stopped = False
        self.world = world
        self.lanes = Lanes(max_in_flight=6, max_in_flight_bytes=10_000)
        self.batcher: Batcher[Slot] = Batcher(size=3, max_wait_s=0.2)
        self.ending = False
        """The worker has the signal to end: it reads no more, finishes the records it holds, and leaves."""
        self.outlets: dict[Partition, Outlet] = {}

    @property
    def settling(self) -> bool:
        return False

    @property
    def midway(self) -> bool:
        return any(outlet.group for outlet in self.outlets.values())

    @property
    def partitions(self) -> Mapping[Partition, Lane]:
        return self.lanes.by_partition

    @property
    def idle(self) -> bool:
        return self.lanes.in_flight == 0 and not self.lanes.committable()

    @property
    def ended(self) -> bool:
        """The worker had the signal to end, and holds nothing any more."""
        return self.ending and self.idle

    def end(self) -> None:
        """Begin to drain, as SIGTERM makes a process do."""
        self.ending = True

    def step(self) -> None:
        if self.world.calm:  # straight on: what remains is to see that it comes to an end
            for _ in range(12):
                if not self.lanes.in_flight and not self._behind:
                    break
                self._poll()
                self._detect()
                self._publish()
            self._commit()
            return
        draw = self.world.rng.random()
        if draw < 0.25:
            self._poll()
        elif draw < 0.5:
            self._detect()
        elif draw < 0.8:
            self._publish()
        else:
            self._commit()

    def kill(self) -> None:
        self.alive = False

    # ---- the group

    def give_up(self) -> None:
        """Finish as many records as the time allows, and abandon the rest."""
        for _ in range(self.world.rng.choice((0, 5, 40))):
            self._detect() if self.world.rng.random() < 0.3 else self._publish()
        self._commit()
        for lane in list(self.lanes.by_partition.values()):
            self.lanes.close(lane)
        self.outlets.clear()
        self.batcher = Batcher(size=3, max_wait_s=0.2)

    def take_over(self, partitions: frozenset[int]) -> None:
        for number in sorted(partitions) if not self.ending else ():
            partition = Partition(FRAMES, number)
            outlet = self.outlets[partition] = Outlet(Video(self.world.clock))
            self.lanes.open(partition, cast(PartitionStep, outlet), self.world.workers.committed[number])

    # ---- the stage and the step

    @property
    def _behind(self) -> bool:
        """Whether there is a record to read."""
        logs = self.world.frames
        if self.ending:
            return False
        for partition, lane in self.lanes.by_partition.items():
            if lane.position != len(logs[partition.partition]):
                return True
        return False

    def _poll(self) -> None:
        if not self._behind:
            return
        for lane, room in self.lanes.rooms():
            log, number = self.world.frames[lane.partition.partition], lane.partition.partition
            first = max(lane.position, self.world.workers.first[number])
            for offset in range(first, min(len(log), first + room)):
                message = log[offset]
                record = Record(FRAMES, number, offset, 0, message.camera_id.encode(), b"frame", ())
                expired = range(lane.position, offset)
                self.lanes.take(lane, record)
                self._say_expired(lane, Delivery(record, _not_done_here, expired))
                self._begin(Slot(record, message, lane))

    def _say_expired(self, lane: Lane, delivery: Delivery) -> None:
        outlet = self.outlets[lane.partition]
        gap = outlet.gaps.before(delivery)
        if gap:
            record = delivery.record
            notice = ExpiredRange(
                camera_id=(record.key or b"").decode(),
                topic=FRAMES,
                partition=record.partition,
                first_offset=gap.offsets.start,
                last_offset=gap.offsets.stop - 1,
                at=self.world.clock.now(),
            )
            outlet.video.lose(notice.camera_id, "records before it are gone from the log")
            outlet.waiting.append(Slot(record, None, lane, notice, encode(notice)))

    def _begin(self, slot: Slot) -> None:
        message, outlet = slot.message, self.outlets[slot.lane.partition]
        assert message is not None
        outlet.waiting.append(slot)
        if not isinstance(message, Frame):
            outlet.video.passes(message)
            slot.result, slot.outgoing = message, encode(message)
        elif ending := self._refused(outlet, message, slot.record.offset):
            _decided(slot, message, ending)
        else:
            self.batcher.add(message.camera_id, slot, self.world.clock.monotonic())

    def _refused(self, outlet: Outlet, frame: Frame, offset: int) -> Ending | None:
        """How a frame ends that is not inspected; None: it is inspected."""
        age_s = (self.world.clock.now() - frame.captured_at).total_seconds()
        stale = frame.max_age_s is not None and age_s > frame.max_age_s
        error = outlet.video.take(frame, offset, stale=stale).error if self.world.plan.video else None
        if error is not None:
            return "quarantined", error.reason
        if frame.corrupt:
            return "quarantined", "undecodable"
        return ("shed", "stale") if stale else None

    def _detect(self) -> None:
        batch = self.batcher.take(self.world.clock.monotonic()) if len(self.batcher) else None
        for slot in batch.items if batch else ():
            assert isinstance(slot.message, Frame)
            _decided(slot, slot.message, INSPECTED)

    def _publish(self) -> None:
        """One record of one partition, or what follows from its group's acknowledgement."""
        outlets = [item for item in self.outlets.values() if item.group or (item.waiting and item.waiting[0].result)]
        if not outlets:
            return
        outlet = self.world.rng.choice(outlets)
        while len(outlet.group) < GROUP and not outlet.sent and outlet.waiting and outlet.waiting[0].result is not None:
            outlet.group.append(outlet.waiting.popleft())
        begun = outlet.acknowledged + len(outlet.sent)
        if begun < len(outlet.group):
            answer = self._send(outlet.group[begun])
            # the client keeps the order: the records behind one that it gives up fail too
            all_fail = answer == "refused" and not self.world.plan.reorders
            outlet.sent += [False] * (len(outlet.group) - begun) if all_fail else [answer == "acked"]
            return
        failed = outlet.sent.index(False) if False in outlet.sent else None
        if failed is not None:  # send again, from the first that failed
            outlet.acknowledged += failed
            outlet.sent.clear()
            return
        outlet.settling = outlet.settling or list(outlet.group)
        # one by one and in any order: the offset tracker must cope with it
        slot = outlet.settling.pop(self.world.rng.randrange(len(outlet.settling)))
        self._done(slot)
        if not outlet.settling:
            outlet.group, outlet.sent, outlet.acknowledged = [], [], 0

    def _send(self, slot: Slot) -> Answer:
        assert slot.outgoing is not None
        assert slot.result is not None
        result, number = slot.outgoing, slot.lane.partition.partition
        offset = len(self.world.inspections[number])
        record = Record(INSPECTIONS, number, offset, 0, result.key, result.value, result.headers)
        answer = self.world.append_inspection(number, record, slot.result)
        self.world.trace(self.name, f"publishes {number}/{slot.record.offset} at {offset}", answer)
        if answer == "acked" and slot.message is not None:
            self.world.workers.finished[number].add(slot.record.offset)
        return answer

    def _done(self, slot: Slot) -> None:
        if not slot.lane.revoked and slot.message is not None:
            self.outlets[slot.lane.partition].video.settled(slot.message.camera_id, slot.record.offset)
            self.lanes.done(slot.lane, slot.record)

    def _commit(self) -> None:
        ahead = self.lanes.committable()
        if ahead and self.world.commit(self.world.workers, self, ahead):
            self.lanes.committed(ahead)


def _not_done_here() -> None:
    """The slot reports the end, not the delivery."""


def _decided(slot: Slot, picture: Frame, ending: Ending) -> None:
    slot.result = inspection(picture, slot.record.offset, ending)
    slot.outgoing = encoded(picture, slot.record.offset, ending)
