"""One camera's ingest: the real mailbox, and the publisher's rules around it (several records under way, failed ones
sent again in their order)."""

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta

from andon.messages import CameraState, CameraStatus, Frame
from ingest.mailbox import Bounds, Mailbox, Message
from tests.simulation.broker import World
from tests.simulation.plan import frame, partition_of

WINDOW = 4


@dataclass(slots=True, eq=False)
class Flight:
    message: Message
    state: str = "waiting"
    """`waiting`, `acked` or `failed`."""


@dataclass(slots=True)
class Camera:
    """What outlives the process: how many frames it will still deliver, and what it has delivered (the truth)."""

    camera_id: str
    sessions: deque[int]
    """Frames of each session to come; the first one is under way."""
    number: int = 0
    """Of the session under way."""
    captured: int = 0
    truth: dict[str, int] = field(default_factory=dict)
    """By session: frames captured."""
    killed: set[str] = field(default_factory=set)
    """Sessions that ended without a last word."""


class Ingester:
    """A process for one camera. A kill takes what its mailbox holds."""

    def __init__(self, world: World, camera: Camera) -> None:
        self.world = world
        self.camera = camera
        self.name = f"ingest {camera.camera_id}"
        self.alive = True
        plan = world.plan
        # the seam for a spool on disk: what stands between the mailbox and the flights, and outlives a kill
        self.mailbox = Mailbox(Bounds(plan.mailbox_frames, 10_000, plan.max_age_s))
        self.flights: deque[Flight] = deque()
        self._partition = partition_of(camera.camera_id)
        self._begin()

    @property
    def idle(self) -> bool:
        return not self.camera.sessions and self.mailbox.empty and not self.flights

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
            message = self.mailbox.take(self.world.clock.now())
            if message is not None:
                self.flights.append(Flight(message))
        if camera.sessions and rng.random() < 0.05:
            self.mailbox.tell(self._status("online"))

    def kill(self) -> None:
        """Whatever of the camera has not had its last word in the log ends without it."""
        camera = self.camera
        self.alive = False
        camera.killed |= camera.truth.keys() - self._ended_in_log()
        if self.world.plan.reorders:  # the last word may have overtaken a frame that now dies here
            camera.killed |= {flight.message.session for flight in self.flights if flight.message.session}
        if camera.sessions:
            camera.sessions[0] = max(1, camera.sessions[0] - camera.captured)
        elif f"s{camera.number}" in camera.killed:
            camera.sessions.append(1)  # the next session's frames end the killed one

    @property
    def _session(self) -> str:
        return f"s{self.camera.number}"

    @property
    def _failed(self) -> bool:
        return any(flight.state == "failed" for flight in self.flights)

    def _ended_in_log(self) -> set[str]:
        mine = (item for item in self.world.frames[self._partition] if item.camera_id == self.camera.camera_id)
        return {item.session for item in mine if isinstance(item, CameraStatus) and item.final and item.session}

    def _begin(self) -> None:
        self.camera.number += 1
        self.camera.captured = 0
        self.camera.truth[self._session] = 0
        self.mailbox.tell(self._status("connecting"))

    def _capture(self) -> None:
        camera = self.camera
        picture = frame(camera.camera_id, self._session, camera.captured, self.world.plan.max_age_s)
        if self.world.plan.max_age_s is not None:  # its age counts: it is as old as the simulation says
            picture = picture.model_copy(update={"captured_at": self.world.clock.now()})
        self.mailbox.put(picture, self.world.clock.now())
        camera.captured += 1
        camera.truth[self._session] = camera.captured
        if camera.captured == camera.sessions[0]:
            self.mailbox.end(self._status("offline", final=True))
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
        """One record's way to the broker, or the letting go of all that have landed."""
        waiting = next((flight for flight in self.flights if flight.state == "waiting"), None)
        if waiting is not None:
            answer = self.world.append_frame(self._partition, waiting.message)
            self.world.tell(self.name, "sends", waiting.message, answer)
            waiting.state = "acked" if answer == "acked" else "failed"
            if (
                answer == "refused" and not self.world.plan.reorders
            ):  # the client keeps the order: what is behind it fails, too
                for flight in self.flights:
                    flight.state = "failed" if flight.state == "waiting" else flight.state
            return
        for flight in self.flights:
            if flight.state == "acked" and isinstance(flight.message, Frame):
                self.mailbox.settled(flight.message)
        self.flights = deque(Flight(flight.message) for flight in self.flights if flight.state == "failed")
