"""The gauges of a stage, for workers and sinks: records in flight, lag, and whether the stage catches up."""

import threading
from collections import deque
from dataclasses import dataclass

from andon.clock import Clock
from andon.process.metrics import Metrics, Reading
from andon.stream.consumer import Consumer
from andon.stream.offsets import Partition
from andon.stream.stage import Stage

WINDOW_S = 30.0
"""Service and arrival are compared over this window: several scrapes, so that a burst does not raise an alarm."""


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    done: dict[Partition, int]
    arrived: dict[Partition, int]


class StageGauges:
    """Reads a stage at each scrape, from the scraping thread. Nothing runs between scrapes."""

    def __init__(self, stage: Stage, consumer: Consumer, clock: Clock) -> None:
        self._stage = stage
        self._consumer = consumer
        self._clock = clock
        self._samples: deque[_Sample] = deque()
        self._turn = threading.Lock()

    def lag_records(self) -> list[Reading]:
        return [((self._stage.name, str(p.partition)), float(lag)) for p, lag in self._lags().items()]

    def lag_seconds(self) -> list[Reading]:
        """Age of the record that was read last; 0 if no record follows it."""
        now_s = self._clock.now().timestamp()
        lanes = dict(self._stage.lanes)
        readings: list[Reading] = []
        for partition, lag in self._lags().items():
            read_ms = lanes[partition].last_timestamp_ms if partition in lanes else None
            age_s = 0.0 if lag == 0 or read_ms is None else max(0.0, now_s - read_ms / 1000)
            readings.append(((self._stage.name, str(partition.partition)), age_s))
        return readings

    def ratio(self) -> list[Reading]:
        """Records done to records arrived since the oldest scrape of the window; nothing at the first scrape.

        1 where nothing arrived and nothing was left to do. Above 1 the stage catches up, below 1 lag grows.
        """
        with self._turn:
            sample = self._sample()
            while len(self._samples) > 1 and sample.at - self._samples[1].at >= WINDOW_S:
                self._samples.popleft()
            first = self._samples[0] if self._samples else None
            self._samples.append(sample)
        if first is None:
            return []
        done = _growth(first.done, sample.done)
        arrived = _growth(first.arrived, sample.arrived)
        return [((self._stage.name,), 1.0 if done == arrived else done / max(1, arrived))]

    def _lags(self) -> dict[Partition, int]:
        lags = {}
        for partition, lane in dict(self._stage.lanes).items():
            end = self._consumer.highwater(partition)
            if end is not None:
                lags[partition] = max(0, end - max(lane.position, self._consumer.position(partition) or 0))
        return lags

    def _sample(self) -> _Sample:
        done, arrived = {}, {}
        for partition, lane in dict(self._stage.lanes).items():
            end = self._consumer.highwater(partition)
            if end is not None:
                done[partition] = lane.position - lane.offsets.in_flight
                arrived[partition] = end
        return _Sample(self._clock.monotonic(), done, arrived)


def watch_stage(metrics: Metrics, stage: Stage, consumer: Consumer, clock: Clock) -> None:
    """Put the gauges of `stage` on /metrics."""
    gauges = StageGauges(stage, consumer, clock)
    name = (stage.name,)
    metrics.watch("andon_stage_in_flight_records", lambda: [(name, float(stage.in_flight))])
    metrics.watch("andon_stage_in_flight_capacity_records", lambda: [(name, float(stage.limits.max_in_flight))])
    metrics.watch("andon_stage_lag_records", gauges.lag_records)
    metrics.watch("andon_stage_lag_seconds", gauges.lag_seconds)
    metrics.watch("andon_stage_service_to_arrival_ratio", gauges.ratio)


def _growth(first: dict[Partition, int], last: dict[Partition, int]) -> int:
    """The growth of the partitions that are in both. A partition that came or went says nothing about the rate."""
    return sum(last[partition] - first[partition] for partition in last if partition in first)
