import asyncio

from prometheus_client import CollectorRegistry

from andon.events import silent
from andon.process.metrics import Metrics
from andon.stream.gauges import WINDOW_S, StageGauges, watch_stage
from andon.stream.offsets import Partition
from andon.stream.stage import Limits, Stage
from tests.fakes import START, FakeClock, MemoryConsumer, MemoryLog
from tests.unit.andon.stream.holding import Holding

LANE = Partition("t", 0)


class Bench:
    def __init__(self, room: int = 10) -> None:
        self.log = MemoryLog("t", 1)
        self.consumer = MemoryConsumer(self.log, "g")
        self.clock = FakeClock()
        self.step = Holding()
        self.stage = Stage("workers", self.consumer, self.step, Limits(room, 10**9, poll_ms=1), self.clock, silent)
        self.gauges = StageGauges(self.stage, self.consumer, self.clock)

    async def read(self) -> None:
        """Let the stage take what it has room for."""
        stop = asyncio.Event()
        running = asyncio.create_task(self.stage.run(["t"], stop), name="stage")
        for _ in range(30):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_lag_is_what_lies_behind_the_record_read_last() -> None:
    bench = Bench(room=10)
    bench.log.append(0, *[b"x"] * 25)
    await bench.read()
    assert bench.gauges.lag_records() == [(("workers", "0"), 15.0)]


async def test_lag_in_seconds_is_the_age_of_the_record_read_last_and_nothing_without_lag() -> None:
    bench = Bench(room=1)
    bench.log.append(0, b"x", b"x")
    await bench.read()
    ((labels, age_s),) = bench.gauges.lag_seconds()
    assert (labels, age_s) == (("workers", "0"), START.timestamp()), "the records' timestamp is 0"
    bench.step.finish_first(1)
    await bench.read()
    assert bench.gauges.lag_seconds() == [(("workers", "0"), 0.0)]


async def test_below_one_lag_grows_and_above_one_it_shrinks() -> None:
    bench = Bench(room=10)
    bench.log.append(0, *[b"x"] * 10)
    await bench.read()
    assert bench.gauges.ratio() == [], "one look tells no rate"
    bench.step.finish_first(2)
    bench.log.append(0, *[b"x"] * 8)
    bench.clock.advance(5)
    assert bench.gauges.ratio() == [(("workers",), 0.25)]
    bench.step.finish_first(8)
    bench.log.append(0, *[b"x"] * 2)
    bench.clock.advance(5)
    assert bench.gauges.ratio() == [(("workers",), 1.0)], "10 done, 10 arrived since the first look"
    bench.clock.advance(WINDOW_S - 5)
    assert bench.gauges.ratio() == [(("workers",), 4.0)], "8 done, 2 arrived within the window"
    bench.clock.advance(1)
    bench.gauges.ratio()
    bench.clock.advance(WINDOW_S)
    assert bench.gauges.ratio() == [(("workers",), 1.0)], "nothing came and nothing was done"


async def test_a_partition_that_the_client_does_not_own_any_more_is_left_out() -> None:
    bench = Bench()
    bench.log.append(0, b"x")
    await bench.read()
    bench.consumer.highwater = lambda partition: None  # type: ignore[method-assign]  # as it is in a rebalance
    assert bench.gauges.lag_records() == []
    assert bench.gauges.lag_seconds() == []


async def test_the_gauges_are_on_the_metrics_page() -> None:
    bench = Bench(room=7)
    registry = CollectorRegistry()
    watch_stage(Metrics(registry), bench.stage, bench.consumer, bench.clock)
    bench.log.append(0, *[b"x"] * 9)
    await bench.read()
    labels = {"stage": "workers"}
    assert registry.get_sample_value("andon_stage_in_flight_records", labels) == 7
    assert registry.get_sample_value("andon_stage_in_flight_capacity_records", labels) == 7
    assert registry.get_sample_value("andon_stage_lag_records", labels | {"partition": "0"}) == 2
