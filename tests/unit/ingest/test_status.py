"""Which statuses of a camera are sent."""

import pytest

from andon.messages import CameraStatus
from ingest.bridge import Bridge
from ingest.queue import Lossless
from ingest.status import RARE, StatusReporter
from tests.fakes import FakeClock, RecordedEvents
from tests.unit.ingest.fakes import frame


class Rig:
    """A camera that is online, and its heartbeats."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.bridge = Bridge(Lossless(10, 1000, self.clock), self.clock)
        self.bridge.open("s")
        self.reporter = StatusReporter("c", self.bridge, self.clock, RecordedEvents(), 1.0)
        self.reporter.turn("online", "")
        self.sent()
        self._seq = 0

    def sent(self) -> list[CameraStatus]:
        messages = list(iter(self.bridge.take, None))
        return [message for message in messages if isinstance(message, CameraStatus)]

    def beat(self, *, frames: bool) -> bool:
        """Some time goes by, with frames that are sent or without; whether a heartbeat is sent."""
        self.clock.advance(1.1)
        if frames:
            self.bridge.put(frame(self._seq, at=self.clock.now()), wait=False)
            self._seq += 1
            self.sent()
        self.reporter.beat()
        return bool(self.sent())


async def test_while_frames_say_the_same_one_heartbeat_in_five_is_sent() -> None:
    rig = Rig()
    assert [rig.beat(frames=True) for _ in range(10)] == [False, False, False, False, True] * 2


async def test_without_frames_each_heartbeat_is_sent() -> None:
    rig = Rig()
    assert all(rig.beat(frames=False) for _ in range(10))


async def test_the_first_heartbeat_without_frames_is_sent_at_once() -> None:
    rig = Rig()
    assert [rig.beat(frames=frames) for frames in (True, True, False, True)] == [False, False, True, False]


async def test_a_change_of_state_stands_for_a_heartbeat() -> None:
    rig = Rig()
    assert not any(rig.beat(frames=True) for _ in range(RARE - 1))
    rig.reporter.turn("dark", "the picture is dark")
    assert [status.state for status in rig.sent()] == ["dark"]
    assert not rig.beat(frames=True)


async def test_a_heartbeat_carries_the_frame_rate() -> None:
    rig = Rig()
    for _ in range(3):
        rig.beat(frames=True)
    assert rig.reporter.fps == pytest.approx(1 / 1.1)
