"""Takes a camera's messages from its queue and sends them in order until the broker has acknowledged every one.

While the broker is away it tries again for ever; the queue's policy decides what is shed meanwhile. Many records are
under way at once. Once one is refused, nothing new is sent before it; what was under way behind it may have
arrived. So a session's final status is under way alone: all its frames stand before it, whatever was refused.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from andon import wire
from andon.backoff import Backoff
from andon.clock import Clock
from andon.errors import RetryableError, TooLargeError
from andon.events import Emit, FramePublished, FramesShed, FrameTooLarge, Retrying
from andon.messages import CameraStatus, Frame, RecordRef, ShedRange
from andon.process.tracing import Tracing
from andon.stream.publisher import Publisher
from ingest.bridge import Bridge
from ingest.dating import Redated, dated, not_redated
from ingest.queue import Message

WINDOW = 32
"""Records under way at once: enough for the broker's round trip, and few enough to send again."""


@dataclass(frozen=True, slots=True, eq=False)
class _Flight:
    taken: Message
    """The very object that the queue returned."""
    sent: Message
    taken_s: float
    ack: asyncio.Future[RecordRef]


@dataclass(frozen=True, slots=True)
class Route:
    """Where a camera's records go."""

    camera_id: str
    topic: str
    publisher: Publisher
    warn_after_s: float
    """So long without an acknowledgement is said."""
    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.2, most_s=5.0))
    """Between attempts at a broker that is away."""
    redated: Redated = not_redated
    tracing: Tracing | None = None


class CameraPublisher:
    """Sends one camera's records in the order of its queue."""

    def __init__(self, route: Route, bridge: Bridge, clock: Clock, emit: Emit) -> None:
        self._route = route
        self._bridge = bridge
        self._clock = clock
        self._emit = emit
        self._flights: deque[_Flight] = deque()
        self._silent_since_s: float | None = None
        """Since when records are under way without an acknowledgement; None: none is under way."""
        self.acknowledged = 0
        """Frames with a picture that the broker has acknowledged."""

    @property
    def silent_s(self) -> float:
        """For how long the broker has acknowledged nothing although records are under way."""
        return 0.0 if self._silent_since_s is None else self._clock.monotonic() - self._silent_since_s

    async def run(self) -> None:
        """Returns when the bridge is closed and everything in it is acknowledged."""
        try:
            while self._flights or not self._bridge.drained:
                self._bridge.changed.clear()
                while self._clear and (message := self._bridge.take()) is not None:
                    await self._send(message)
                if self._flights or not self._bridge.drained:
                    await self._news(new=self._clear)
                    await self._settle()
        finally:
            for flight in self._flights:
                if not flight.ack.cancel() and not flight.ack.cancelled():
                    flight.ack.exception()  # looked at, else asyncio writes a traceback

    @property
    def _clear(self) -> bool:
        """There is room for one more, and it would not pass one that is to be sent again."""
        return len(self._flights) < WINDOW and not self._refused

    @property
    def _refused(self) -> bool:
        return any(flight.ack.done() and flight.ack.exception() is not None for flight in self._flights)

    async def _send(self, message: Message) -> None:
        if isinstance(message, ShedRange) and message.reason == "stale":
            count = message.last_seq - message.first_seq + 1
            self._emit(FramesShed(message.camera_id, "stale", count))
        final = isinstance(message, CameraStatus) and message.final
        if final:
            await self._all_landed()
        await self._launch(message, self._as_sent(message), self._clock.monotonic())
        if final:
            await self._all_landed()

    def _as_sent(self, message: Message) -> Message:
        sent = dated(message, self._route.redated)
        if self._route.tracing is not None and isinstance(sent, Frame):
            return self._route.tracing.sending(sent)
        return sent

    async def _all_landed(self) -> None:
        while self._flights:
            await self._news(new=False)
            await self._settle()

    async def _launch(self, taken: Message, sent: Message, taken_s: float) -> None:
        """Hand it to the client. What the client refuses at once becomes a flight that has failed.

        So does what would pass a failed one.
        """
        ack: asyncio.Future[RecordRef] = asyncio.get_running_loop().create_future()
        try:
            if self._refused:
                raise RetryableError("what goes before it was refused")
            ack = asyncio.ensure_future(await self._route.publisher.send(self._route.topic, wire.encode(sent)))
        except (RetryableError, TooLargeError) as error:
            ack.set_exception(error)
        self._flights.append(_Flight(taken, sent, taken_s, ack))
        if self._silent_since_s is None:
            self._silent_since_s = self._clock.monotonic()

    async def _news(self, *, new: bool) -> None:
        """Wait until the oldest flight has landed, or, if `new` is wanted, there may be something to take."""
        changed = asyncio.ensure_future(self._bridge.changed.wait())
        waits: list[asyncio.Future[Any]] = [changed] if new else []
        waits += [self._flights[0].ack] if self._flights else []
        try:
            timeout_s = self._route.warn_after_s if self._flights else None
            landed, _ = await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
        if not landed:
            self._report(f"no acknowledgement for {self._route.warn_after_s:g} s", 1, self._route.warn_after_s)

    async def _settle(self) -> None:
        """Let go what has been acknowledged, in order; at the first failure, send again what failed, in order."""
        while self._flights and self._flights[0].ack.done():
            if self._flights[0].ack.exception() is not None:
                await self._recover()
                return
            self._land(self._flights.popleft())

    async def _recover(self) -> None:
        attempt = 0
        while failed := await self._failed():
            attempt += 1
            delay_s = self._route.backoff.delay_s(attempt)
            self._report(_reason(failed[0]), attempt, delay_s)
            await asyncio.sleep(delay_s)
            for flight in failed:
                await self._launch(flight.taken, self._mended(flight), flight.taken_s)

    async def _failed(self) -> list[_Flight]:
        """Wait for all flights, let go those that have landed, and return the others. Raises what is no refusal."""
        flights = list(self._flights)
        self._flights.clear()
        await asyncio.wait([flight.ack for flight in flights])
        failed = [flight for flight in flights if flight.ack.exception() is not None]
        for flight in flights:
            if flight not in failed:
                self._land(flight)
            elif not isinstance(flight.ack.exception(), RetryableError | TooLargeError):
                flight.ack.result()
        return failed

    def _mended(self, flight: _Flight) -> Message:
        """A picture that the broker finds too large goes without its pixels: it is quarantined, and not in the way."""
        message = flight.sent
        refusal = flight.ack.exception()
        if not isinstance(refusal, TooLargeError):
            return message
        if not isinstance(message, Frame) or not message.payload:
            raise refusal  # there is nothing left to leave out
        self._emit(FrameTooLarge(message.camera_id, message.frame_id, str(refusal)))
        return without_picture(message, f"{len(message.payload)} bytes: {refusal}")

    def _land(self, flight: _Flight) -> None:
        self._bridge.settled(flight.taken)
        self._silent_since_s = self._clock.monotonic() if self._flights else None
        if isinstance(flight.taken, Frame):
            if self._route.tracing is not None:
                self._route.tracing.acknowledged(flight.taken, flight.taken_s)
            self.acknowledged += isinstance(flight.sent, Frame) and not flight.sent.corrupt
            self._emit(FramePublished(self._route.camera_id, self._clock.monotonic() - flight.taken_s))

    def _report(self, reason: str, attempt: int, delay_s: float) -> None:
        self._emit(Retrying(f"publish {self._route.camera_id}", reason, attempt, delay_s))


def without_picture(frame: Frame, why: str) -> Frame:
    """The frame as it goes on where its picture is too large: numbered like any other, and quarantined."""
    return frame.model_copy(update={"payload": b"", "corrupt": True, "too_large": why})


def _reason(flight: _Flight) -> str:
    error = flight.ack.exception()
    return str(error) or type(error).__name__
