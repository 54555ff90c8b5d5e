"""One camera's ingest: the real queue, and the rules of the publisher: several records are under way at a time, and
failed ones are sent again in order."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from andon.messages import CameraState, CameraStatus
from ingest.queue import Freshest, Lossless, Message, StatusQueue
from ingest.spooled_queue import SpooledQueue
from tests.simulation.broker import World
from tests.simulation.plan import frame, numbers_of, partition_of
from tests.simulation.spool import Disk, Spooling

WINDOW = 4


@dataclass(slots=True, eq=False)
class Flight:
    message: Message
    state: str = "waiting"
    """`waiting`, `acked` or `failed`."""


@dataclass(slots=True)
class Camera:
    """The camera, which outlives the process: frames it will still deliver, and those it has delivered (the truth)."""

    camera_id: str
    sessions: deque[int]
    """Number of frames of each session to come; the first session is under way."""
    number: int = 0
    """Number of frames captured in the session under way."""
    captured: int = 0
    truth: dict[str, int] = field(default_factory=dict)
    """Number of frames captured, by session."""
    killed: set[str] = field(default_factory=set)
    """Sessions that lost records with a killed process."""
    split: bool = False
    """A process ended within a session: the frames of the next process belong to another session."""
    disk: Disk = field(default_factory=Disk)


class Ingester:
    """A process for one camera. A kill loses the records that its queue holds in memory."""

    def __init__(self, world: World, camera: Camera) -> None:
        self.world = world
        self.camera = camera
        self.name = f"ingest {camera.camera_id}"
        self.alive = True
        self.queue = _queue(world)
        self.statuses = StatusQueue()
        spooled = self.queue if isinstance(self.queue, SpooledQueue) else None
        self.spooling = Spooling(world, spooled, camera.disk) if spooled is not None else None
        self.flights: deque[Flight] = deque()
        self._partition = partition_of(camera.camera_id)
        self._begin()

    @property
    def idle(self) -> bool:
        return not self.camera.sessions and self.queue.empty and self.statuses.empty and not self.flights

    def step(self) -> None:
        for _ in range(8 if self.world.calm else 1):
            self._go_on()

    def _go_on(self) -> None:
        camera, rng, plan = self.camera, self.world.rng, self.world.plan
        if camera.sessions and rng.random() < (0.9 if self.world.calm else 0.4):
            self._capture()
        if self.flights and rng.random() < 0.6:
            self._deliver()
        elif len(self.flights) < WINDOW and (plan.reorders or not self._failed):
            message = self.statuses.take() or self.queue.take()
            if message is not None:
                self.flights.append(Flight(message))
        if self.spooling is not None and rng.random() < 0.7:
            self.spooling.step()
        if camera.sessions and rng.random() < 0.05:
            self.statuses.put(self._status("online"))

    def go_on(self) -> None:
        """Add a session if none is to come: its frames show the account what became of the earlier sessions."""
        if not self.camera.sessions:
            self.camera.sessions.append(1)
            if self.alive:
                self._begin()

    def end(self) -> None:
        """End without waiting for the broker: the disk takes what it can."""
        assert self.spooling is not None
        if self.camera.sessions and self.camera.captured:
            self.queue.end(self._status("offline", final=True))
            self.camera.split = True
        self.spooling.end()
        self.kill()

    def kill(self) -> None:
        """End at once. Frames that are neither in the log nor on disk are lost."""
        camera = self.camera
        self.alive = False
        camera.killed |= {session for session in camera.truth if not self._safe(session)}
        if camera.sessions:
            camera.sessions[0] = max(1, camera.sessions[0] - camera.captured)
        elif self._session in camera.killed or (camera.killed and not self._named):
            camera.sessions.append(1)  # the next session's frames end the killed ones

    @property
    def unplaced(self) -> bool:
        """Whether the last session's frames came before its name: then it does not end killed sessions before it."""
        first = next((item for item in self._sent if item.session == self._session), None)
        named = first is None or (isinstance(first, CameraStatus) and not first.final)
        return self.idle and bool(self.camera.killed) and not named

    @property
    def _sent(self) -> Iterator[Message]:
        return (item for item in self.world.sent[self._partition] if item.camera_id == self.camera.camera_id)

    @property
    def _session(self) -> str:
        return f"s{self.camera.number}"

    @property
    def _failed(self) -> bool:
        return any(flight.state == "failed" for flight in self.flights)

    @property
    def _named(self) -> bool:
        """Whether the log names the session before its frames. It does not if the frames come from the disk of a
        process that died before its first status: such frames don't show that the sessions named earlier are over."""
        return any(
            isinstance(item, CameraStatus) and not item.final and item.session == self._session
            for item in self.world.sent[self._partition]
            if item.camera_id == self.camera.camera_id
        )

    def _safe(self, session: str) -> bool:
        """Whether each of its frames and its final status is in the log or on disk."""
        numbers: set[int] = set()
        ended = False
        for item in (*self.world.sent[self._partition], *self.camera.disk.written):
            if item.camera_id != self.camera.camera_id or item.session != session:
                continue
            if isinstance(item, CameraStatus):
                ended = ended or item.final
            else:
                numbers.update(numbers_of(item))
        return ended and len(numbers) == self.camera.truth[session]

    def _begin(self) -> None:
        self.camera.number += 1
        self.camera.captured = 0
        self.camera.truth[self._session] = 0
        self.statuses.put(self._status("connecting"))

    def _capture(self) -> None:
        camera = self.camera
        plan = self.world.plan
        picture = frame(camera.camera_id, self._session, camera.captured, plan.max_age_s, video=plan.video)
        if self.world.plan.max_age_s is not None:  # its age counts: it is as old as the simulation says
            picture = picture.model_copy(update={"captured_at": self.world.clock.now()})
        self.queue.put(picture)
        camera.captured += 1
        if camera.split:  # a heartbeat: those before may be gone, and with them who came after whom
            self.statuses.put(self._status("online"))
        camera.truth[self._session] = camera.captured
        if camera.captured == camera.sessions[0]:
            self.queue.end(self._status("offline", final=True))
            camera.sessions.popleft()
            if camera.sessions:
                self._begin()

    def _status(self, state: CameraState, *, final: bool = False) -> CameraStatus:
        return CameraStatus(
            camera_id=self.camera.camera_id,
            session=self._session,
            state=state,
            captured=self.camera.captured,
            final=final,
            at=self.world.clock.now() + timedelta(microseconds=self.camera.captured),
        )

    def _deliver(self) -> None:
        """Send one record to the broker; if none waits, release all acknowledged records from the queue."""
        waiting = next((flight for flight in self.flights if flight.state == "waiting"), None)
        if waiting is not None:
            answer = self.world.append_frame(self._partition, waiting.message)
            self.world.trace(self.name, "sends", waiting.message, answer)
            waiting.state = "acked" if answer == "acked" else "failed"
            if answer == "refused" and not self.world.plan.reorders:
                # the client keeps the order: the records behind it fail too
                for flight in self.flights:
                    flight.state = "failed" if flight.state == "waiting" else flight.state
            return
        for flight in self.flights:
            status = isinstance(flight.message, CameraStatus) and not flight.message.final
            if flight.state == "acked" and not status:
                self.queue.settled(flight.message)
        self.flights = deque(Flight(flight.message) for flight in self.flights if flight.state == "failed")


def _queue(world: World) -> Lossless:
    plan = world.plan
    if plan.max_age_s is not None:
        return Freshest(plan.mailbox_frames, 10_000, world.clock, plan.max_age_s)
    if plan.spool_bytes:  # one frame in the tail, the rest before the broker
        return SpooledQueue(plan.mailbox_frames + 1, 10_000, world.clock)
    return Lossless(plan.mailbox_frames, 10_000, world.clock)
