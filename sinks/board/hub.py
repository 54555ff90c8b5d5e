"""The stream of news: what is published once goes to every open page, in order, with an id to resume from.

Each message is encoded once for all its viewers. A page that reconnects names the last id that it has seen and gets
what it missed; if that is no longer known it gets `reset`, and loads everything anew. A viewer that does not read is
cut off when its queue is full: its browser connects again by itself.
"""

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydantic import JsonValue

from andon.events import Emit, NewsPublished, silent

KEPT = 2_000
"""Messages that a page which reconnects can still get: a quarter of an hour with two a second."""
WAITING = 256
"""Messages that may wait for one viewer, past which it is cut off."""


@dataclass(frozen=True, slots=True)
class HubMessage:
    topic: str
    encoded: bytes = field(repr=False)


class CutOffError(Exception):
    """The viewer did not read, or the board ends."""


@dataclass(slots=True, eq=False)
class Subscription:
    """One viewer's queue."""

    also: frozenset[str]
    """Topics with a colon that this viewer asked for."""
    waiting: deque[HubMessage] = field(default_factory=deque)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    cut: bool = False

    def takes(self, topic: str) -> bool:
        return ":" not in topic or topic in self.also

    def put(self, message: HubMessage) -> None:
        if len(self.waiting) >= WAITING:
            self.cut = True
        else:
            self.waiting.append(message)
        self.changed.set()

    async def next(self) -> HubMessage:
        """Raises CutOffError."""
        while not self.waiting:
            if self.cut:
                raise CutOffError
            self.changed.clear()
            await self.changed.wait()
        if self.cut:
            raise CutOffError
        return self.waiting.popleft()


class Hub:
    """Hands messages to all subscriptions. Only the event loop's thread may use it."""

    def __init__(self, epoch: str, most_viewers: int, emit: Emit = silent) -> None:
        """`epoch`: this process's own name among those that ran before it: their ids mean nothing here."""
        self._epoch = epoch
        self._most = most_viewers
        self._emit = emit
        self._number = 0
        self._kept: deque[tuple[int, HubMessage]] = deque(maxlen=KEPT)
        self._open: set[Subscription] = set()
        self._closed = False

    @property
    def viewers(self) -> int:
        return len(self._open)

    @property
    def last_id(self) -> str:
        """A page that is rendered now resumes after this id: nothing is missed until its stream opens."""
        return f"{self._epoch}.{self._number}"

    @property
    def closed(self) -> bool:
        """The board ends."""
        return self._closed

    @property
    def full(self) -> bool:
        """All streams that `board.viewers` allows are open, or the board ends."""
        return self._closed or len(self._open) >= self._most

    def watched(self, topic: str) -> bool:
        """Whether anybody gets messages of this topic. Ask before making what is expensive."""
        return any(viewer.takes(topic) for viewer in self._open)

    def asked_for(self, prefix: str) -> frozenset[str]:
        """What follows `prefix` in the topics with a colon that somebody asked for."""
        topics = frozenset[str]().union(*(viewer.also for viewer in self._open))
        return frozenset(topic.removeprefix(prefix) for topic in topics if topic.startswith(prefix))

    def publish(self, topic: str, data: Mapping[str, JsonValue], *, keep: bool = True) -> None:
        """Send `data` to everybody who takes `topic`. `keep`: also to those who reconnect later."""
        if keep:
            self._number += 1
        message = HubMessage(topic, self._encode(topic, data, self._number if keep else None))
        if keep:
            self._kept.append((self._number, message))
        self._emit(NewsPublished(topic.partition(":")[0]))
        for viewer in self._open:
            if viewer.takes(topic):
                viewer.put(message)

    @contextmanager
    def subscribed(self, also: Iterable[str], last_id: str | None) -> Iterator[Subscription]:
        """A subscription for as long as the block runs. Raises CutOffError if the hub is full."""
        if self.full:
            raise CutOffError
        viewer = Subscription(frozenset(also))
        for message in self._missed(last_id):
            if viewer.takes(message.topic):
                viewer.waiting.append(message)
        self._open.add(viewer)
        try:
            yield viewer
        finally:
            self._open.discard(viewer)

    def close(self) -> None:
        """End all subscriptions, and take no more."""
        self._closed = True
        for viewer in self._open:
            viewer.cut = True
            viewer.changed.set()

    def _missed(self, last_id: str | None) -> list[HubMessage]:
        """What a new viewer gets first; its first message always carries an id to resume from."""
        if last_id is None:
            return [HubMessage("hello", self._encode("hello", {}, self._number))]
        epoch, _, number = last_id.rpartition(".")
        first = self._kept[0][0] if self._kept else self._number + 1
        if epoch != self._epoch or not number.isdecimal() or not first - 1 <= int(number) <= self._number:
            return [HubMessage("reset", self._encode("reset", {}, self._number))]
        missed = [message for at, message in self._kept if at > int(number)]
        # more than fits into a viewer's queue: loading everything anew is less work
        return missed if len(missed) < WAITING else [HubMessage("reset", self._encode("reset", {}, self._number))]

    def _encode(self, topic: str, data: Mapping[str, JsonValue], number: int | None) -> bytes:
        mark = "" if number is None else f"id: {self._epoch}.{number}\n"
        return f"{mark}event: {topic}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
