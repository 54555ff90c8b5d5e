"""The line that faults are tried on: its roles as processes, its account read from the store, its events from Redis."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import redis

from andon.config import load
from andon.errors import RetryableError
from andon.events import silent
from andon.messages import Defect, Message
from andon.settings import KafkaSettings, RedisSettings, Settings
from andon.stream.clients import producer, started
from andon.stream.publisher import KafkaPublisher
from andon.wire import Outgoing, encode
from tests.e2e.line import Line, read_store
from tests.faults.recording import FRAMES, Encoding, Recording, Step, step_of

SETTLE_S = 90.0
"""How long a line may take to work off what a fault has held up, on a busy machine."""


class Rig(Line):
    """A Line that knows what a run without a fault gives."""

    def __init__(
        self, folder: Path, kafka: KafkaSettings, redis: RedisSettings, cache: Path, encoding: Encoding
    ) -> None:
        super().__init__(folder, kafka, redis, cache)
        self.folder = folder
        self.kafka = kafka
        self.encoding = encoding
        self._redis = redis
        self._feeds: list[Feed] = []

    @property
    def settings(self) -> Settings:
        return load(self.config)

    def write(self, cameras: Sequence[dict[str, Any]] = ()) -> None:
        super().write([{"encoding": self.encoding, **camera} for camera in cameras])

    def play(self, clips: Mapping[str, Path | str], **values: object) -> None:
        """Write line.yaml with a camera for each clip."""
        base: dict[str, Any] = {"longest_side": 320, "mailbox_frames": 1000}
        self.write([{"id": name, "url": str(path), **base, **values} for name, path in clips.items()])

    def feed(self, messages: Sequence[Message | Outgoing], per_second: float | None = None) -> "Feed":
        """Publish in the background, as ingest would; None: as fast as the broker takes it."""
        feed = Feed(self.kafka, messages, per_second)
        self._feeds.append(feed)
        return feed

    def gauge(self, name: str, metric: str) -> float:
        """The sum of a metric of a process over its labels."""
        lines = [line for line in self.metrics(name).splitlines() if line.startswith(metric + "{")]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def live(self, camera: str) -> dict[str, str]:
        """What Redis shows of a camera."""
        url = self.document["redis"]["url"]
        with self.host("redis").inside(), redis.Redis.from_url(url, decode_responses=True) as client:
            shown: Any = client.hgetall(f"{self._redis.prefix}:camera:{camera}")
        return {"state": "", **shown}

    # ---- what became of it

    def wait_inspected(self, count: int, timeout_s: float = SETTLE_S) -> float:
        """Wait until `count` frames are inspected; returns how many seconds that took."""
        return self.timed(lambda: self.inspected() >= count, timeout_s, f"{count} inspected frames")

    def timed(self, reached: Callable[[], bool], timeout_s: float, what: str) -> float:
        since = time.monotonic()
        self.wait_for(reached, timeout_s, f"{what}; inspected {self.inspected()}")
        return time.monotonic() - since

    def settle(self) -> None:
        """Wait until nothing is in flight: by the store, which is asked cheaply, then by the audit itself."""
        self.wait_for(lambda: self.account().total.in_flight == 0, SETTLE_S, "nothing in flight")
        self.wait_for(lambda: self.audit()["ledger"]["in_flight"] == 0, SETTLE_S, "the audit to say so")

    def alerts(self) -> list[Defect]:
        """Every alert on the Redis stream, in order."""
        url = self._redis.url.get_secret_value()
        with self.host("redis").inside(), redis.Redis.from_url(url) as client:
            entries = client.xrange(f"{self._redis.prefix}:alerts")
        return [Defect.model_validate_json(fields[b"event"]) for _, fields in entries]

    def alert_ids(self) -> list[str]:
        return [event.event_id for event in self.alerts()]

    def steps(self, sessions: Collection[str] | None = None) -> frozenset[Step]:
        """The events, of these sessions or of all."""
        return frozenset(step_of(event) for event in self.alerts() if sessions is None or event.session in sessions)

    def sessions(self) -> list[tuple[str, str]]:
        """(camera, session), in the order of their names."""
        return sorted(read_store(self.folder / "andon.db").ledgers)

    def wait_for_all(self, recording: Recording, frames: int = 2 * FRAMES) -> None:
        """Everything is accounted for, and every event of the run without a fault has been raised, once."""
        self.wait_for(lambda: self.inspected() >= frames, SETTLE_S, f"{frames} inspected; there are {self.inspected()}")
        self.wait_for(lambda: self.steps() >= recording.steps, SETTLE_S, "every event")
        self.settle()
        self.expect(recording, captured=frames, inspected=frames)

    def expect(self, recording: Recording, **ledger: int) -> None:
        """The account is this (0 where nothing is said), it balances, and the events are those without a fault."""
        report = self.audit()
        names = ("captured", "inspected", "shed", "quarantined", "lost", "in_flight", "duplicates")
        assert report["ledger"] == {name: ledger.get(name, 0) for name in names}
        assert report["balanced"]
        assert all(camera["conflicts"] == 0 for camera in report["cameras"])
        assert {event: count for event, count in Counter(self.alert_ids()).items() if count > 1} == {}
        assert self.steps() == recording.steps

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for feed in self._feeds:
            feed.cancel()
        super().__exit__(kind, error, at)


class Feed:
    """Publishes on a thread of its own; what the broker does not take is sent again, in order."""

    def __init__(self, kafka: KafkaSettings, messages: Sequence[Message | Outgoing], per_second: float | None) -> None:
        self._kafka = kafka
        self._topic = kafka.frames_topic
        self._messages = messages
        self._pause_s = 0.0 if per_second is None else 1 / per_second
        self._cancelled = threading.Event()
        self._error: BaseException | None = None
        self.sent = 0
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float = SETTLE_S) -> None:
        """Until the broker has everything."""
        self._thread.join(timeout_s)
        if self._error is not None:
            raise self._error
        assert not self._thread.is_alive(), f"{self.sent} of {len(self._messages)} records are published"

    def cancel(self) -> None:
        self._cancelled.set()
        self._thread.join(20)

    def _run(self) -> None:
        try:
            asyncio.run(self._publish())
        except BaseException as error:  # raised again in whoever waits
            self._error = error

    async def _publish(self) -> None:
        async with started(lambda: producer(self._kafka), self._kafka, silent) as client:
            publisher = KafkaPublisher(client)
            due = time.monotonic()
            for message in self._messages:
                await self._send(publisher, message)
                self.sent += 1
                due += self._pause_s
                if self._cancelled.is_set():
                    return
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _send(self, publisher: KafkaPublisher, message: Message | Outgoing) -> None:
        record = message if isinstance(message, Outgoing) else encode(message)
        while not self._cancelled.is_set():
            try:
                await (await publisher.send(self._topic, record))
                return
            except RetryableError:
                await asyncio.sleep(0.2)
