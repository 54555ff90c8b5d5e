"""Reads and writes the topic of the cameras: the whole of it at first, then each change."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from andon import wire
from andon.clock import Clock, SystemClock
from andon.errors import DecodeError, FatalError
from andon.events import CameraRecordUnreadable, Emit
from andon.messages import CameraConfig, RecordRef
from andon.settings import KafkaSettings
from andon.stream.clients import producer, started
from andon.stream.publisher import KafkaPublisher, Publisher
from andon.stream.reading import TopicReader, read_topic
from andon.wire import Outgoing, Record

REMEMBERED = 16
"""Records of one camera that are compared for a change by somebody else: more than are ever written within one."""
ATTEMPTS = 5
POLL_MS = 100
FOLLOW_MS = 1000
"""A question about all partitions costs 3 ms of CPU here and as much in the broker, so ten of them a second would cost
as much as the frames of a camera."""
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
Change = Callable[[CameraConfig | None], CameraConfig | None]
"""From a camera's present config to the one that it is to have; None: there is none. It may raise."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A camera as one record of the topic describes it."""

    config: CameraConfig
    """Its `settings` are None in a record that removes the camera."""
    partition: int
    offset: int


class Registry:
    """The cameras as far as the topic has been read. Event loop only."""

    def __init__(self, reader: TopicReader, emit: Emit) -> None:
        self.cameras: dict[str, Entry] = {}
        """Those that are not removed, by id."""
        self._reader = reader
        self._emit = emit
        self._records: dict[str, deque[Entry]] = {}

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions of the topic."""
        return frozenset(item.partition for item in self._reader.partitions)

    async def poll(self, timeout_ms: int = POLL_MS) -> set[str]:
        """Read what has come; wait at most `timeout_ms` for it. Returns the ids of the cameras that changed.

        Raises FatalError where Kafka refuses it for good.
        """
        changed: set[str] = set()
        for records in (await self._reader.poll(timeout_ms)).values():
            for record in records:
                changed |= self._take(record)
        return changed

    async def read_whole(self) -> None:
        """Read up to the present end of the topic."""
        # an answer that comes now may be to a question from before; the one after it is not
        for _ in range(1 if None in self._reader.answers.values() else 2):
            before = self._reader.answers
            while any(answer in (None, before[item]) for item, answer in self._reader.answers.items()):
                await self.poll()
        while not self._reader.at_end:
            await self.poll()

    def ask_seldom(self) -> None:
        """For a process that follows the topic for long, with `poll(FOLLOW_MS)`."""
        self._reader.wait_longer(FOLLOW_MS)

    async def read_through(self, partition: int, offset: int) -> None:
        """Read on until this record has been read."""
        while self._reader.position(partition) <= offset:
            await self.poll()

    def between(self, camera_id: str, first: int, end: int) -> list[Entry]:
        """The camera's records behind the one at the offset `first` and before the one at `end`."""
        return [entry for entry in self._records.get(camera_id, ()) if first < entry.offset < end]

    def latest(self, camera_id: str) -> Entry | None:
        """The camera's last record, which may remove it."""
        records = self._records.get(camera_id)
        return records[-1] if records else None

    def _take(self, record: Record) -> set[str]:
        """A record that can't be read changes nothing: the camera stays as it was."""
        try:
            config = read(record)
        except DecodeError as error:
            self._emit(CameraRecordUnreadable(str(error)))
            return set()
        entry, before = Entry(config, record.partition, record.offset), self.cameras.get(config.camera_id)
        self._records.setdefault(config.camera_id, deque(maxlen=REMEMBERED)).append(entry)
        if config.settings is None:
            self.cameras.pop(config.camera_id, None)
        else:
            self.cameras[config.camera_id] = entry
        same = before is not None and before.config.settings == config.settings
        return set() if same or (before is None and config.settings is None) else {config.camera_id}


def read(record: Record) -> CameraConfig:
    """The config that a record holds. Raises DecodeError."""
    where = f"{record.topic}[{record.partition}]@{record.offset}"
    if not record.value:
        try:
            camera_id = (record.key or b"").decode()
            return CameraConfig(camera_id=camera_id, settings=None, at=wire.appended_at(record) or NEVER)
        except ValueError:  # a ValidationError and a UnicodeDecodeError, too
            raise DecodeError(f"{where}: the key is not a camera's id") from None
    config = wire.decode(record)
    if not isinstance(config, CameraConfig):
        raise DecodeError(f"{where}: not a camera's config")
    return config


def removal(camera_id: str, at: datetime) -> Outgoing:
    """The record that removes a camera: it has no value, so that compaction forgets the camera."""
    return replace(wire.encode(CameraConfig(camera_id=camera_id, settings=None, at=at)), value=b"")


class Writer:
    """Changes cameras. Event loop only."""

    def __init__(self, registry: Registry, publisher: Publisher, topic: str, clock: Clock) -> None:
        self._registry = registry
        self._publisher = publisher
        self._topic = topic
        self._clock = clock

    async def change(self, camera_id: str, change: Change) -> CameraConfig | None:
        """Apply `change` to the camera as the topic has it now. Returns what it is after that; None: removed.

        Blocks until the broker has acknowledged it. Raises RetryableError or FatalError where the broker does not, and
        what `change` raises.
        """
        await self._registry.read_whole()
        return (await self.change_all({camera_id: change}))[camera_id]

    async def change_all(self, changes: Mapping[str, Change]) -> dict[str, CameraConfig | None]:
        """Like `change`, for many cameras in the time of one, upon what has been read so far: a camera that somebody
        has changed since is changed once more."""
        previous = {camera_id: self._before_change(camera_id) for camera_id in changes}
        after: dict[str, CameraConfig | None] = {}
        for _ in range(ATTEMPTS):
            wanted = {camera_id: changes[camera_id](at.present) for camera_id, at in previous.items()}
            after |= wanted
            refs = await self._send({name: to for name, to in wanted.items() if not _same(to, previous[name].stands)})
            previous = {
                name: again for name, ref in refs.items() if (again := self._overtaken(name, previous[name], ref))
            }
            if not previous:
                return after
        raise FatalError(f"{', '.join(previous)}: changed by somebody else all the time: try again later")

    def _before_change(self, camera_id: str) -> "_CameraBefore":
        last = self._registry.latest(camera_id)
        config = None if last is None else _config(last)
        return _CameraBefore(config, config, -1 if last is None else last.offset)

    async def _send(self, wanted: Mapping[str, CameraConfig | None]) -> dict[str, RecordRef]:
        """Send these, and read until they have come back."""
        now = self._clock.now()
        records = {name: wire.encode(to) if to is not None else removal(name, now) for name, to in wanted.items()}
        sent = {name: await self._publisher.send(self._topic, record) for name, record in records.items()}
        refs = {name: await acknowledged for name, acknowledged in sent.items()}
        for ref in refs.values():
            await self._registry.read_through(ref.partition, ref.offset)
        return refs

    def _overtaken(self, camera_id: str, previous: "_CameraBefore", ref: RecordRef) -> "_CameraBefore | None":
        """Somebody else's record stands between what was seen and ours: neither knew of the other. So the change is
        applied once more, upon theirs."""
        others = self._registry.between(camera_id, previous.offset, ref.offset)
        if not others:
            return None
        latest = self._registry.latest(camera_id)
        return _CameraBefore(_config(others[-1]), None if latest is None else _config(latest), ref.offset)


@dataclass(frozen=True, slots=True)
class _CameraBefore:
    """A camera before a change."""

    present: CameraConfig | None
    """The camera as it is to be changed."""
    stands: CameraConfig | None
    """What the topic says now."""
    offset: int
    """Of the last record that is known; -1: there was none."""


def _config(entry: Entry) -> CameraConfig | None:
    return None if entry.config.settings is None else entry.config


def _same(one: CameraConfig | None, other: CameraConfig | None) -> bool:
    """Whether two configs differ in nothing but their time."""
    if one is None or other is None:
        return one is other
    return one == other.model_copy(update={"at": one.at})


@asynccontextmanager
async def open_registry(kafka: KafkaSettings, emit: Emit) -> AsyncIterator[Registry]:
    """The registry, read to its end. Raises FatalError, in one line, without the topic or without a broker."""
    async with read_topic(kafka, kafka.cameras_topic, emit) as reader:
        registry = Registry(reader, emit)
        try:
            async with asyncio.timeout(kafka.start_timeout_s):
                await registry.read_whole()
        except TimeoutError:
            where, limit_s = f"{kafka.cameras_topic} at {kafka.bootstrap_servers}", kafka.start_timeout_s
            raise FatalError(f"{where} was not read to its end within {limit_s:g} s (kafka.start_timeout_s)") from None
        yield registry


@asynccontextmanager
async def open_writer(kafka: KafkaSettings, registry: Registry, emit: Emit) -> AsyncIterator[Writer]:
    """A writer with a producer of its own."""
    async with started(lambda: producer(kafka, emit), kafka, emit) as client:
        yield Writer(registry, KafkaPublisher(client, kafka.request_timeout_s), kafka.cameras_topic, SystemClock())
