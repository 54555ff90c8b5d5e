"""10,000 schedules keep the promises; and each promise, broken on purpose, is seen to be broken."""

from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import count
from random import Random
from typing import Any, cast

import pytest

from andon.messages import ShedRange
from andon.stream.offsets import Ends, OffsetTracker, Partition
from andon.stream.step import Delivery
from ingest import queue
from ingest.queue import Freshest, Message
from ingest.spooled_queue import Row, SpooledQueue
from sinks.account import Account
from sinks.epoch import Epoch, another_log
from sinks.judgement.alarms import CameraAlarms
from sinks.judgement.consequences import Judgement
from sinks.judgement.ledger import SessionLedger
from sinks.judgement.part_scene import PartScene
from sinks.judgement.parts import PartHistory
from sinks.judgement.state import to_bytes
from sinks.partition_account import PartitionAccount
from sinks.store.stored import Batch as Transaction
from sinks.store.stored import Position, StoredPartition
from tests.simulation import store as model
from tests.simulation.__main__ import main
from tests.simulation.broker import World
from tests.simulation.ingester import Camera, Ingester
from tests.simulation.plan import drawn
from tests.simulation.schedule import FailedError, simulate
from tests.simulation.sink import Dispatch
from tests.simulation.spool import Spooling
from tests.simulation.store import ModelStore
from tests.simulation.video import Video
from tests.simulation.worker import Worker
from workers.batcher import Batcher, InferenceBatch
from workers.gaps import OffsetGaps

SCHEDULES = 10_000
SHARES = 4
"""Each test runs every fourth schedule."""
BY_THEN = 5_000
"""A broken promise must be seen within this number of schedules."""
Patch = pytest.MonkeyPatch


@pytest.mark.timeout(600)  # half a minute on a core of its own
@pytest.mark.parametrize("share", range(SHARES))
def test_whatever_dies_in_whatever_order_the_promises_hold(share: int) -> None:
    seeds = range(share, SCHEDULES, SHARES)
    sums: Counter[str] = Counter()
    for seed in seeds:
        sums.update(asdict(simulate(seed)))
    assert min(sums["frames"], sums["events"], sums["faults"]) > len(seeds)  # it was about something
    assert min(sums["redelivered"], sums["spooled"]) > len(seeds) // 4
    assert min(sums["shed"], sums["expired"]) > len(seeds) // 100


def test_a_seed_gives_the_same_schedule_again() -> None:
    one: list[str] = []
    other: list[str] = []
    simulate(11, one)
    simulate(12)
    simulate(11, other)
    assert one == other
    assert len(one) > 20


def test_a_killed_session_is_followed_by_frames_of_one_that_the_log_names() -> None:
    """The last one's frames are safe on disk, but its name never got out: they can't say that it came after."""
    rng = Random(1)
    world = World(rng, replace(drawn(rng), mailbox_frames=2, spool_bytes=1000), None)
    camera = Camera("cam-0", deque([1]), number=2, truth={"s1": 2, "s2": 0}, killed={"s1", "s2"})
    last = Ingester(world, camera)
    assert last.spooling is not None
    last.spooling.step()  # it knows its disk
    last._capture()
    last.end()
    assert [item.session for item in camera.disk.written] == ["s3", "s3"]  # the frame and the last word
    assert list(camera.sessions) == [1]


ONCE_FAILED = {
    25129: "frames of a killed session were in flight for ever",
    29340: "a frame expired that had overtaken the next one in the log",
}


@pytest.mark.parametrize("seed", ONCE_FAILED)
def test_a_schedule_that_once_failed_holds(seed: int) -> None:
    simulate(seed)


def test_a_failure_names_its_seed_and_how_to_see_it_again(
    monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_condition(monkeypatch)
    seed = first_failure().seed
    monkeypatch.setattr("sys.argv", ["simulation", "--seed", str(seed)])
    assert main() == 1
    output = capsys.readouterr().out
    assert f"seed {seed}: " in output
    assert f"python -m tests.simulation --seed {seed}" in output


def first_failure() -> FailedError:
    for seed in count():
        if seed == BY_THEN:
            break
        try:
            simulate(seed)
        except FailedError as failed:
            return failed
    raise AssertionError(f"{BY_THEN} schedules have seen nothing")


# ---- promises broken on purpose


def commits_what_is_done_whatever_came_before(patch: Patch) -> None:
    genuine = OffsetTracker.done

    def done(self: OffsetTracker, offset: int) -> None:
        genuine(self, offset)
        self._next = max(offset + 1, self._next or 0)

    patch.setattr(OffsetTracker, "done", done)


def commits_one_too_many(patch: Patch) -> None:
    genuine = OffsetTracker.committable
    patch.setattr(OffsetTracker, "committable", property(lambda self: _more(genuine.fget(self))))  # type: ignore[attr-defined]  # a property


def _more(offset: int | None) -> int | None:
    return None if offset is None else offset + 1


def is_done_before_it_is_acknowledged(patch: Patch) -> None:
    genuine = Worker._begin

    def begin(self: Worker, slot: object) -> None:
        genuine(self, slot)  # type: ignore[arg-type]  # it is a Slot
        self.lanes.done(slot.lane, slot.record)  # type: ignore[attr-defined]

    patch.setattr(Worker, "_begin", begin)
    patch.setattr(Worker, "_done", lambda self, slot: None)


def no_condition(patch: Patch) -> None:
    patch.setattr(ModelStore, "conditional", False)


def stores_the_offset_without_its_events(patch: Patch) -> None:
    genuine = ModelStore._write

    def write(self: ModelStore, batch: Transaction) -> bool:
        stored = genuine(self, batch)
        self.durable.outbox.clear()
        return stored

    patch.setattr(ModelStore, "_write", write)


def counts_twice(patch: Patch) -> None:
    genuine = SessionLedger.add

    def add(self: SessionLedger, first_seq: int, last_seq: int, outcome: str, reason: str | None) -> int:
        genuine(self, first_seq, last_seq, outcome, reason)  # type: ignore[arg-type]  # an Outcome
        return last_seq + 1 - first_seq  # new, whether it is or not

    patch.setattr(SessionLedger, "add", add)


def takes_over_the_state_before_its_position(patch: Patch) -> None:
    genuine = ModelStore.load

    async def load(self: ModelStore, partitions: Collection[Partition]) -> dict[Partition, StoredPartition]:
        known = await genuine(self, partitions)
        stand = self._positions(partitions)
        return {item: StoredPartition(stand.get(item), known[item].cameras) for item in partitions}

    patch.setattr(ModelStore, "load", load)


def goes_on_from_a_state_that_a_cut_off_write_has_stepped(patch: Patch) -> None:
    """A drain that stores by itself, and an account that stays after its drain was cut off."""
    step = Account._step

    async def drain(self: PartitionAccount) -> None:
        account = cast(Account, self._on_discard.__self__)  # type: ignore[attr-defined]  # it is a bound method
        while self.waiting:
            work = await step(account, self, 0.0)
            if not await account._retrier.insist("the store", partial(account._store.write, [work.batch])):
                await account._stored(self, work, 0.0)

    def discard(self: PartitionAccount) -> None:
        if not self.waiting:
            self._on_discard(self)

    patch.setattr(PartitionAccount, "drain", drain)
    patch.setattr(PartitionAccount, "discard", discard)


def strikes_off_before_it_has_left(patch: Patch) -> None:
    patch.setattr(Dispatch, "marks_first", True)


def forgets_what_is_stale(patch: Patch) -> None:
    genuine = Freshest.take

    def take(self: Freshest) -> Message | None:
        taken = genuine(self)
        return None if isinstance(taken, ShedRange) and taken.reason == "stale" else taken

    patch.setattr(Freshest, "take", take)


def sheds_a_frame_and_its_neighbour(patch: Patch) -> None:
    genuine = queue.shed_range

    def shed_range(*arguments: Any) -> ShedRange:
        shed = genuine(*arguments)
        return shed.model_copy(update={"first_seq": max(0, shed.first_seq - 1)})

    patch.setattr(queue, "shed_range", shed_range)


def leaves_one_of_a_full_batch_out(patch: Patch) -> None:
    genuine = Batcher.take

    def take(self: Batcher[object], now: float) -> InferenceBatch[object] | None:
        batch = genuine(self, now)
        return batch if batch is None or len(batch.items) < 3 else replace(batch, items=batch.items[:2])

    patch.setattr(Batcher, "take", take)


def publishes_in_the_order_of_readiness(patch: Patch) -> None:
    genuine = Worker._publish

    def publish(self: Worker) -> None:
        for outlet in self.outlets.values():
            waiting = sorted(outlet.waiting, key=lambda slot: slot.result is None)
            outlet.waiting.clear()
            outlet.waiting.extend(waiting)
        genuine(self)

    patch.setattr(Worker, "_publish", publish)


def forgets_what_it_has_stored(patch: Patch) -> None:
    """A sink that takes a refusal for success."""
    genuine = ModelStore.write

    async def write(self: ModelStore, batches: Sequence[Transaction]) -> frozenset[Partition]:
        await genuine(self, batches)
        return frozenset()

    patch.setattr(ModelStore, "write", write)


def replays_the_newest_first(patch: Patch) -> None:
    def read(self: Spooling) -> None:
        position = max(position for position in self._disk.rows if position >= self._queue.to_read()[0])
        self._queue.read([(position, self._disk.rows[position])])

    patch.setattr(Spooling, "_read", read)


def removes_what_it_has_only_read(patch: Patch) -> None:
    patch.setattr(SpooledQueue, "wants_deletion", True)
    patch.setattr(SpooledQueue, "to_delete", lambda self: self._unread - 1)


def lets_what_is_new_pass_what_lies_on_disk(patch: Patch) -> None:
    patch.setattr(SpooledQueue, "behind", False)


def does_not_count_what_a_full_spool_costs(patch: Patch) -> None:
    genuine = queue._append

    def append(entries: deque[Message], entry: Message) -> None:
        if not isinstance(entry, ShedRange) or entry.reason != "spool_full":
            genuine(entries, entry)

    patch.setattr(queue, "_append", append)


def keeps_what_a_process_holds_behind_what_is_newer(patch: Patch) -> None:
    genuine = SpooledQueue.leftover

    def leftover(self: SpooledQueue) -> list[Row]:
        return [(position + 1000, message) for position, message in genuine(self)]

    patch.setattr(SpooledQueue, "leftover", leftover)


def writes_more_than_there_is_room_for(patch: Patch) -> None:
    patch.setattr(Spooling, "_fits", lambda self, rows: True)


def calls_what_expired_missing(patch: Patch) -> None:
    patch.setattr(SessionLedger, "expire", lambda self, below: 0)


def tells_no_camera_of_a_gap(patch: Patch) -> None:
    patch.setattr(OffsetGaps, "before", lambda self, delivery: range(0))


def reads_on_behind_a_gap_without_a_word(patch: Patch) -> None:
    genuine = PartitionAccount.submit

    def submit(self: PartitionAccount, deliveries: Sequence[Delivery]) -> None:
        self._due = deliveries[0].record.offset
        genuine(self, deliveries)

    patch.setattr(PartitionAccount, "submit", submit)


def goes_on_where_it_stood_though_that_has_expired(patch: Patch) -> None:
    def another(stored: Position | None, log: str, ends: Ends) -> Epoch | None:
        return another_log(stored, log, Ends(0, ends.end))

    patch.setattr("sinks.takeover.another_log", another)


def takes_another_log_for_the_one_it_knows(patch: Patch) -> None:
    def another(stored: Position | None, log: str, ends: Ends) -> Epoch | None:
        return another_log(stored, stored.log if stored else log, ends)

    patch.setattr("sinks.takeover.another_log", another)


def judges_a_part_twice(patch: Patch) -> None:
    genuine = PartScene._settle

    def settle(scene: PartScene, part: PartHistory, *rest: Any) -> Judgement:
        judgement = genuine(scene, part, *rest)
        part.judged = False
        return judgement

    patch.setattr(PartScene, "_settle", settle)


def stores_no_parts(patch: Patch) -> None:
    patch.setattr(model, "to_bytes", lambda memory: to_bytes(replace(memory, parts=None)))


def commits_behind_a_keyframe_that_is_needed(patch: Patch) -> None:
    patch.setattr(Video, "needed_from", None)


def sheds_no_frames_that_refer_to_one_that_was_shed(patch: Patch) -> None:
    patch.setattr(queue, "depends", lambda frame: False)


def raises_no_alarm_of_a_rejected_part(patch: Patch) -> None:
    patch.setattr("sinks.judgement.alarm_step._Scene.follow_part", lambda self, verdict: None)


def stores_no_alarms(patch: Patch) -> None:
    patch.setattr(model, "to_bytes", lambda memory: to_bytes(replace(memory, alarms=CameraAlarms())))


BROKEN: Mapping[str, Callable[[Patch], None]] = {
    broken.__name__: broken
    for broken in (
        commits_what_is_done_whatever_came_before,
        commits_one_too_many,
        is_done_before_it_is_acknowledged,
        no_condition,
        stores_the_offset_without_its_events,
        counts_twice,
        takes_over_the_state_before_its_position,
        goes_on_from_a_state_that_a_cut_off_write_has_stepped,
        strikes_off_before_it_has_left,
        forgets_what_is_stale,
        sheds_a_frame_and_its_neighbour,
        leaves_one_of_a_full_batch_out,
        publishes_in_the_order_of_readiness,
        forgets_what_it_has_stored,
        replays_the_newest_first,
        removes_what_it_has_only_read,
        lets_what_is_new_pass_what_lies_on_disk,
        does_not_count_what_a_full_spool_costs,
        keeps_what_a_process_holds_behind_what_is_newer,
        writes_more_than_there_is_room_for,
        calls_what_expired_missing,
        tells_no_camera_of_a_gap,
        reads_on_behind_a_gap_without_a_word,
        goes_on_where_it_stood_though_that_has_expired,
        takes_another_log_for_the_one_it_knows,
        judges_a_part_twice,
        stores_no_parts,
        commits_behind_a_keyframe_that_is_needed,
        sheds_no_frames_that_refer_to_one_that_was_shed,
        raises_no_alarm_of_a_rejected_part,
        stores_no_alarms,
    )
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_line_that_is_broken_on_purpose_is_caught(broken: str, monkeypatch: Patch) -> None:
    BROKEN[broken](monkeypatch)
    first_failure()
