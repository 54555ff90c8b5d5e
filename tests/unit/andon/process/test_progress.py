"""Work that waits and does not get done is a stall; work that does not exist is none."""

import pytest

from andon.events import KafkaNoise, Retrying, SinkFailed, WorkResumed, WorkStalled
from andon.process.progress import FACTOR, KAFKA, Duty, Progress, Work
from andon.process.watchdog import Watchdog
from tests.fakes import FakeClock

LEAST_S = 30.0


class Rig:
    """One duty, looked at each second."""

    def __init__(self, *, usual_s: float = 0.0) -> None:
        self.clock = FakeClock()
        self.watchdog = Watchdog(self.clock)
        self.progress = Progress(self.clock, self.watchdog, LEAST_S)
        self.done, self.waits, self.reason = 0, False, ""
        self.events: list[WorkStalled | WorkResumed] = []
        self.duty: Duty = self.progress.duty("camera press-3", self._look, ("publish press-3", KAFKA), usual_s=usual_s)

    def _look(self) -> Work:
        return Work(self.done, self.waits, self.reason)

    def live(self, seconds: int, *, every_s: int | None = None) -> None:
        """Let time go by; at a fixed interval some of the work is done."""
        for second in range(seconds):
            self.clock.advance(1)
            self.done += every_s is not None and second % every_s == 0
            self.events += [event for event in self.progress.check() if isinstance(event, WorkStalled | WorkResumed)]

    @property
    def stalled(self) -> bool:
        return bool(self.progress.stalls())


def test_an_idle_process_is_never_stalled() -> None:
    rig = Rig()
    rig.live(3600)
    assert not rig.stalled
    assert rig.duty.stalled_s == 0


def test_work_that_waits_is_stalled_past_the_limit_and_no_earlier() -> None:
    rig = Rig()
    rig.waits = True
    rig.live(31)  # the first look begins to count
    assert not rig.stalled
    rig.live(1)
    assert rig.stalled
    assert rig.duty.stalled_s == 31


def test_the_time_counts_from_when_work_came_not_from_the_last_that_was_done() -> None:
    rig = Rig()
    rig.live(3600)
    rig.waits = True
    rig.live(20)
    assert not rig.stalled


def test_slow_work_is_no_stall() -> None:
    rig = Rig()
    rig.waits = True
    rig.live(600, every_s=20)
    assert not rig.events


def test_work_that_is_slow_by_itself_has_ten_of_its_own_intervals() -> None:
    rig = Rig(usual_s=10.0)
    rig.waits = True
    rig.live(int(FACTOR * 10))
    assert not rig.stalled
    rig.live(2)
    assert rig.stalled


def test_a_rhythm_that_is_slower_than_the_limit_is_learned() -> None:
    rig = Rig()
    rig.waits = True
    rig.live(1200, every_s=40)
    assert sum(isinstance(event, WorkStalled) for event in rig.events) <= 2
    assert not rig.stalled


def test_a_stall_that_has_ended_does_not_hide_the_next_one() -> None:
    rig = Rig()
    rig.waits = True
    rig.live(60, every_s=1)
    rig.live(3600)
    rig.live(60, every_s=1)
    assert not rig.stalled
    rig.live(32)
    assert rig.stalled


def test_a_stall_is_said_once_and_so_is_its_end() -> None:
    rig = Rig()
    rig.waits, rig.reason = True, "81 frames wait for the broker"
    rig.live(100)
    rig.live(5, every_s=1)
    assert rig.events == [
        WorkStalled("camera press-3", 31.0, "81 frames wait for the broker"),
        WorkResumed("camera press-3", 99.0),
    ]


def test_a_stall_ends_when_the_work_is_gone() -> None:
    rig = Rig()
    rig.waits = True
    rig.live(100)
    rig.waits = False
    rig.live(1)
    assert not rig.stalled
    assert isinstance(rig.events[-1], WorkResumed)


def test_the_reason_is_what_was_said_since_the_last_progress() -> None:
    rig = Rig()
    rig.waits = True
    rig.progress.complaints(Retrying("publish press-3", "an old story", 1, 1.0))
    rig.live(5)
    rig.live(5, every_s=1)
    rig.live(20)
    rig.progress.complaints(Retrying("publish press-3", "andon.frames: not enough replicas", 3, 5.0))
    rig.progress.complaints(Retrying("publish press-4", "another camera's", 3, 5.0))
    rig.progress.complaints(KafkaNoise("Unable connect to node 1", 1))
    rig.progress.complaints(SinkFailed("redis", "another's, too", 1.0))
    rig.live(20)
    (stall,) = rig.progress.stalls()
    assert stall.reason == "andon.frames: not enough replicas; the Kafka client says: Unable connect to node 1"


def test_a_call_that_takes_long_is_named() -> None:
    rig = Rig()
    rig.waits = True
    rig.live(2)
    with rig.watchdog.limit("the model", 60.0):
        rig.live(40)
        (stall,) = rig.progress.stalls()
    assert stall.reason == "the model has been under way for 40 s"


@pytest.mark.parametrize("complaint", [True, False])
def test_a_starting_process_says_what_it_waits_for(*, complaint: bool) -> None:
    rig = Rig()
    if complaint:
        rig.progress.complaints(Retrying("kafka start", "no broker", 1, 1.0))
    assert rig.progress.startup() == ("no broker" if complaint else "it is starting")
