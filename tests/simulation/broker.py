"""Everything outside the simulated processes: a broker with two topics and two groups, and an alert channel.

It checks the invariants that every call can break: nothing is committed before it is acknowledged, and committed
offsets only grow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal, Protocol

from andon.messages import CameraStatus, ExpiredRange, Frame, Inspection, ShedRange
from andon.stream.offsets import Partition
from andon.wire import Record
from ingest.queue import Message
from sinks.outbox_item import OutboxItem
from tests.fakes import FakeClock
from tests.simulation.plan import PARTITIONS, Plan, numbers_of

FRAMES, INSPECTIONS = "andon.frames", "andon.inspections"
Result = Inspection | ShedRange | CameraStatus | ExpiredRange
Answer = Literal["acked", "lost", "refused"]
"""`lost`: the broker appended the record, but its answer never arrived."""


class ViolationError(AssertionError):
    """An invariant does not hold."""


def require(holds: bool, what: str) -> None:
    if not holds:
        raise ViolationError(what)


class Member(Protocol):
    """A process in a group."""

    name: str
    alive: bool
    stopped: bool

    @property
    def ended(self) -> bool:
        """The process had the signal to end, and has drained and ended."""
        ...

    @property
    def idle(self) -> bool: ...
    def step(self) -> None: ...
    def kill(self) -> None: ...
    def end(self) -> None: ...
    def give_up(self) -> None: ...
    def take_over(self, partitions: frozenset[int]) -> None: ...
    @property
    def settling(self) -> bool:
        """The process still takes over the partitions of a rebalance."""
        ...

    @property
    def midway(self) -> bool:
        """The process is between two awaits of a write."""
        ...


@dataclass(slots=True, eq=False)
class Group:
    topic: str
    members: list[Member] = field(default_factory=list)
    owners: dict[int, Member] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(PARTITIONS), 0))
    first: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(PARTITIONS), 0))
    """Offset of the oldest record by partition: retention has deleted those before it."""
    finished: dict[int, set[int]] = field(default_factory=lambda: {number: set() for number in range(PARTITIONS)})
    """Offsets of records whose results are durable: the broker has acknowledged them, or the store has them."""


class World:
    """The state that all processes of a schedule share."""

    def __init__(self, rng: Random, plan: Plan, trace: list[str] | None) -> None:
        self.rng = rng
        self.plan = plan
        self.clock = FakeClock()
        self.broker_up = True
        self.calm = False
        """True: the schedule injects no further fault."""
        self.frames: list[list[Message]] = [[] for _ in range(PARTITIONS)]
        self.inspections: list[list[Record]] = [[] for _ in range(PARTITIONS)]
        self.results: list[list[Result]] = [[] for _ in range(PARTITIONS)]
        """The decoded records of `inspections`, by partition."""
        self.unread: set[tuple[str, str]] = set()
        """(camera, session) whose records expired before a group had finished them."""
        self.unread_frames: set[tuple[str, str, int]] = set()
        self.log = "log-1"
        self.logs = {self.log: self.results}
        """Every log since the beginning, by name."""
        self.emptied: set[tuple[str, str]] = set()
        """(camera, session) that may have had records in a log that is gone."""
        self.sent: list[list[Message]] = [[] for _ in range(PARTITIONS)]
        """Messages that ingest has appended to any log, by partition."""
        self.blurred: set[int] = set()
        """Partitions that changed hands after frames expired. A camera that had no notice of it from the last worker by
        then gets none, and its missing frames are lost as `missing`."""
        self.workers = Group(FRAMES)
        self.sinks = Group(INSPECTIONS)
        self.received: list[OutboxItem] = []
        """Items that have left the outbox, in the order in which they arrived outside."""
        self._trace = trace

    def trace(self, *what: object) -> None:
        if self._trace is not None:
            self._trace.append(f"{self.clock.monotonic():8.2f}  " + " ".join(str(item) for item in what))

    def chance(self, fault: str, likely: float = 0.2) -> bool:
        return not self.calm and fault in self.plan.faults and self.rng.random() < likely

    # ---- the broker

    def append_frame(self, partition: int, message: Message) -> Answer:
        if not self.broker_up:
            return "refused"
        self.frames[partition].append(message)
        self.sent[partition].append(message)
        return "lost" if self.chance("ack_lost") else "acked"

    def append_inspection(self, partition: int, record: Record, result: Result) -> Answer:
        if not self.broker_up:
            return "refused"
        self.results[partition].append(result)
        self.inspections[partition].append(record)
        return "lost" if self.chance("ack_lost") else "acked"

    def commit(self, group: Group, member: Member, offsets: Mapping[Partition, int]) -> bool:
        """Commit, unless the broker is away or the member does not own every partition. Returns whether it did."""
        if not self.broker_up or any(group.owners.get(item.partition) is not member for item in offsets):
            self.trace(member.name, "commit refused", dict(offsets))
            return False
        for item, offset in offsets.items():
            number, before = item.partition, group.committed[item.partition]
            require(offset >= before, f"{member.name} committed {offset} of {item} after {before}: commits only grow")
            held = range(max(before, group.first[number]), offset)
            early = [at for at in held if at not in group.finished[number]]
            require(not early, f"{member.name} committed {offset} of {item}, but {early} is not acknowledged")
            group.committed[number] = offset
        self.trace(member.name, "committed", dict(offsets))
        return True

    def rebalance(self, group: Group) -> bool:
        """Assign the partitions anew. Running members give up theirs and take over others; stopped ones learn nothing.

        Returns False if it comes later: it seldom interrupts a member that still takes over its last partitions.
        """
        able = [member for member in group.members if not member.stopped]
        if any(member.settling for member in able) and self.rng.random() < 0.9:
            return False
        for member in able:
            member.give_up()
        if group is self.workers:
            self.blurred |= {number for number, first in group.first.items() if first}
        group.owners.clear()
        for number in range(PARTITIONS) if able else ():
            group.owners[number] = self.rng.choice(able)
        for member in able:
            owned = frozenset(number for number, owner in group.owners.items() if owner is member)
            self.trace(member.name, "owns", sorted(owned))
            member.take_over(owned)
        return True

    def expire(self, group: Group, partition: int) -> bool:
        """Delete the oldest records, never the newest. Returns False if there are too few."""
        log: Sequence[Message | Result] = (self.frames if group is self.workers else self.results)[partition]
        before = group.first[partition]
        if len(log) - before < 2:
            return False
        unread = min(group.committed[partition], len(log) - 2)  # prefer records that nobody has read
        low = max(before, unread) if self.rng.random() < 0.7 else before
        first = group.first[partition] = self.rng.randrange(low + 1, len(log))
        for offset in {*range(before, first)} - group.finished[partition]:
            message = log[offset]
            if not isinstance(message, ExpiredRange) and message.session is not None:
                self.unread.add((message.camera_id, message.session))
            if isinstance(message, Frame | ShedRange):
                self.unread_frames |= {(message.camera_id, message.session, seq) for seq in numbers_of(message)}
        self.trace("retention", group.topic, partition, "begins at", first)
        return True

    def come_back_empty(self) -> None:
        self.frames = [[] for _ in range(PARTITIONS)]
        self.inspections = [[] for _ in range(PARTITIONS)]
        self.results = [[] for _ in range(PARTITIONS)]
        self.log = f"log-{len(self.logs) + 1}"
        self.logs[self.log] = self.results
        for group in (self.workers, self.sinks):
            group.first, group.committed = _numbers(), _numbers()
            group.finished = {number: set() for number in range(PARTITIONS)}
            group.owners.clear()
        self.broker_up = True
        self.trace("the broker is back, empty:", self.log)

    # ---- the channel

    def receive(self, item: OutboxItem) -> bool:
        """Returns False if the channel is busy, or if it received the item and the answer was lost."""
        if self.chance("channel_busy", 0.1):
            return False
        self.received.append(item)
        return not self.chance("channel_busy", 0.1)

    def tick(self) -> None:
        self.clock.advance(0.02 + 0.1 * self.rng.random())


def _numbers() -> dict[int, int]:
    return dict.fromkeys(range(PARTITIONS), 0)


def first_ones(items: Sequence[OutboxItem]) -> list[OutboxItem]:
    """The first copy of each event."""
    found: dict[str, OutboxItem] = {}
    for item in items:
        found.setdefault(item.event_id, item)
    return list(found.values())
