from typing import cast

import pytest

from andon.errors import FatalError
from andon.stream.lanes import Lane, Lanes
from andon.stream.offsets import Partition
from andon.stream.step import PartitionStep
from andon.wire import Record
from tests.unit.andon.stream.holding import Holding, HoldingPartition

LANE = Partition("t", 0)


def opened(lanes: Lanes, number: int = 0) -> Lane:
    partition = Partition("t", number)
    return lanes.open(partition, cast(PartitionStep, HoldingPartition(Holding(), partition, None)), 0)


def record(offset: int, size_bytes: int = 1) -> Record:
    return Record("t", 0, offset, 0, None, b"x" * size_bytes, ())


def test_one_large_record_narrows_its_lane_only_for_a_while() -> None:
    lanes = Lanes(max_in_flight=50, max_in_flight_bytes=1_000_000)
    lane = opened(lanes)
    for offset, size_bytes in enumerate([800_000, *[1_000] * 200]):
        lanes.take(lane, record(offset, size_bytes))
        lanes.done(lane, record(offset, size_bytes))
        if offset == 0:
            assert lanes.room(lane) == 1
    assert lanes.room(lane) == 50


def test_a_lane_that_is_closed_gives_its_share_back() -> None:
    lanes = Lanes(max_in_flight=2, max_in_flight_bytes=1_000)
    lane, other = opened(lanes), opened(lanes, 1)
    lanes.take(lane, record(0))
    lanes.take(lane, record(1))
    assert lanes.room(other) == 0
    assert lanes.close(lane) == 2
    assert (lanes.in_flight, lanes.room(other), lanes.room(lane)) == (0, 1, 0)


def test_only_lanes_with_records_in_flight_share_the_bound() -> None:
    lanes = Lanes(max_in_flight=12, max_in_flight_bytes=1_000)
    first, second, third = (opened(lanes, number) for number in range(3))
    for lane in (first, second, third):
        lanes.take(lane, record(0))
        lanes.done(lane, record(0))
    for offset in (1, 2):
        lanes.take(first, record(offset))
        lanes.take(second, record(offset))
    assert lanes.room(third) == 4
    lanes.done(first, record(1))
    assert lanes.room(third) == 4
    lanes.done(first, record(2))
    assert lanes.room(third) == 6
    lanes.close(second)
    assert lanes.room(third) == 12


def test_a_log_that_begins_anew_is_recognised_by_the_records_in_flight() -> None:
    lanes = Lanes(max_in_flight=10, max_in_flight_bytes=1_000)
    lane = opened(lanes)
    lanes.take(lane, record(7))
    with pytest.raises(FatalError, match="t/0: offset 0 follows on 7: the broker came back with another log"):
        lanes.take(lane, record(0))
    lanes.done(lane, record(7))
    lanes.take(lane, record(0))


def test_no_offset_is_committed_above_what_a_successor_needs() -> None:
    lanes = Lanes(max_in_flight=50, max_in_flight_bytes=1_000)
    lane = opened(lanes)
    step = cast(HoldingPartition, lane.step)
    for offset in range(8):
        lanes.take(lane, record(offset))
        lanes.done(lane, record(offset))
    step.needed_from = 3
    assert lanes.committable() == {LANE: 3}
    lanes.committed({LANE: 3})
    assert lanes.committable() == {}, "it stays there"
    step.needed_from = 6
    assert lanes.committable() == {LANE: 6}
    lanes.committed({LANE: 6})
    step.needed_from = 5
    assert lanes.committable() == {}, "an offset does not go back"
    step.needed_from = None
    assert lanes.committable() == {LANE: 8}


def test_what_is_needed_later_frees_no_record_that_is_in_flight() -> None:
    lanes = Lanes(max_in_flight=50, max_in_flight_bytes=1_000)
    lane = opened(lanes)
    lanes.take(lane, record(0))
    cast(HoldingPartition, lane.step).needed_from = 7
    assert lanes.committable() == {LANE: 0}
