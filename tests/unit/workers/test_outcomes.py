"""A worker that inspects no frame of a camera says so, however busy it is with shedding them."""

from andon.events import FrameInspected, FramesShed, RecordQuarantined
from andon.process.progress import Progress
from andon.process.watchdog import Watchdog
from tests.fakes import FakeClock
from workers.outcomes import FORGET_S, UNKNOWN, Outcomes

STALE = FramesShed("press-3", "stale", 1, by_worker=True)
DAMAGED = RecordQuarantined("press-3", "undecodable", "andon.frames[0]@7", "a damaged JPEG")
INSPECTED = FrameInspected("press-3", 0, 0.01, 0.1)


class Rig:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.progress = Progress(self.clock, Watchdog(self.clock), stalled_s=30)
        self.outcomes = Outcomes(self.progress, self.clock)

    def live(self, seconds: int, *events: FramesShed | RecordQuarantined | FrameInspected) -> list[str]:
        """Each second brings these events. Returns what stands still then."""
        for _ in range(seconds):
            self.clock.advance(1)
            for event in events:
                self.outcomes(event)
            self.progress.check()
        return [f"{stall.what}: {stall.reason}" for stall in self.progress.stalls()]


def test_a_camera_of_which_each_frame_is_shed_stands_still() -> None:
    assert Rig().live(40, STALE) == ["the inspection of press-3: its frames are shed as stale"]


def test_a_camera_of_which_each_frame_is_quarantined_stands_still() -> None:
    assert Rig().live(40, DAMAGED) == [
        "the inspection of press-3: its frames are quarantined as undecodable: a damaged JPEG"
    ]


def test_a_camera_of_which_some_frames_are_inspected_does_not() -> None:
    assert Rig().live(100, INSPECTED, STALE, DAMAGED) == []


def test_a_camera_that_delivers_nothing_more_is_forgotten() -> None:
    rig = Rig()
    assert rig.live(40, STALE)
    assert rig.live(int(FORGET_S) + 1) == []


def test_a_camera_that_is_inspected_again_stands_still_no_longer() -> None:
    rig = Rig()
    assert rig.live(40, STALE)
    assert rig.live(1, INSPECTED) == []
    assert rig.outcomes.stalled() == [(("press-3",), 0.0)]


def test_records_that_belong_to_no_camera_turn_no_worker_red() -> None:
    garbage = RecordQuarantined(UNKNOWN, "bad_header", "andon.frames[0]@7", "no Andon record")
    assert Rig().live(100, garbage) == []
