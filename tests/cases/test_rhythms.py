"""Cases of a camera's rhythm: what is a gap for one camera is the usual interval of another."""

from collections.abc import Sequence
from datetime import timedelta

from sinks.judgement.rhythm import SilenceRule
from sinks.judgement.rules import JudgementRules
from sinks.judgement.spans import open_span
from sinks.judgement.step import AccountMessage
from tests.cases.case import Case, rows
from tests.fakes import START
from tests.unit.sinks.judgement.frames import DEFECT_RULES, FPS, Steps, inspected, shed, status

FAST = [seq / FPS for seq in range(40)]


def frames(times: Sequence[float], session: str = "s1", first: int = 0) -> list[AccountMessage]:
    """Frames that were captured at these seconds."""
    numbers = enumerate(times, first)
    return [inspected(seq, session=session, late_s=at - seq / FPS) for seq, at in numbers]


def found(messages: Sequence[AccountMessage], rules: JudgementRules = DEFECT_RULES) -> list[tuple[float, float]]:
    """The spans without frames, each as its first and last second."""
    spans = Steps().take(messages, rules, stored_between=True).spans
    ends = [(span.started_at, span.ended_at or START) for span in spans]
    return [((begin - START).total_seconds(), (end - START).total_seconds()) for begin, end in ends]


SLOW = [0, 5, 12, 17, 24, 30, 35, 42]
GIVEN: tuple[Case[tuple[list[AccountMessage], list[tuple[float, float]]]], ...] = (
    Case("a camera with a picture every 5 to 7 s has no gap", "frigate#5192", (frames(SLOW), [])),
    Case("a camera with a picture every minute has no gap", "seen by hand", (frames(range(0, 600, 60)), [])),
    Case("a slow camera that falls silent has a gap", "seen by hand", (frames([*SLOW, 90, 96]), [(42, 90)])),
    Case("a slow camera that misses two pictures has none", "seen by hand", (frames([*SLOW, 57, 63]), [])),
    Case(
        "a fast camera's gap is seen after `silence_s`",
        "seen by hand",
        (frames([*FAST, 10, 10.1, 10.2]), [(FAST[-1], 10)]),
    ),
    Case(
        "a camera that begins with a gap has one",
        "seen by hand",
        (frames([0, 10, 10.1, 10.2]), [(0, 10)]),
    ),
    Case(
        "a slow camera whose first two pictures came together has no gap",
        "seen by hand",
        (frames([0, 3, 14, 20, 26, 32]), []),
    ),
    Case(
        "a camera that is hardly known and falls silent twice has two gaps",
        "seen by hand",
        (frames([0, 0.1, 10, 10.1, 20, 20.1, 20.2]), [(0.1, 10), (10.1, 20)]),
    ),
    Case(
        "an outage of an hour does not pass for the rhythm",
        "seen by hand",
        (frames([*FAST, 3600, 3600.1, 3600.2, 3610, 3610.1]), [(FAST[-1], 3600), (3600.2, 3610)]),
    ),
    Case(
        "a camera whose rate is lowered has gaps only until its new rhythm is known",
        "seen by hand",
        (
            frames([*(seq * 1.0 for seq in range(10)), *(9 + 6.0 * seq for seq in range(1, 40))]),
            [(9, 15), (15, 21), (21, 27), (27, 33)],
        ),
    ),
    Case(
        "frames that were shed keep the rhythm",
        "seen by hand",
        ([*frames(FAST), shed(40, 400), *frames([401 / FPS], first=401)], []),
    ),
    Case(
        "a slow camera that was connected anew has no gap",
        "seen by hand",
        ([*frames(SLOW), *frames([49, 55], "s2")], []),
    ),
)


@rows(GIVEN)
def test_the_gaps(given: tuple[list[AccountMessage], list[tuple[float, float]]]) -> None:
    messages, gaps = given
    assert [(round(begin, 1), round(end, 1)) for begin, end in found(messages)] == [
        (round(begin, 1), round(end, 1)) for begin, end in gaps
    ]


def test_a_cameras_own_silence_goes_before_its_rhythm() -> None:
    rules = JudgementRules(DEFECT_RULES.defects, 3.0, own_silence_s={"press-1": 5.5})
    assert found(frames(SLOW), rules) == [(5, 12), (17, 24), (24, 30), (35, 42)]
    patient = JudgementRules(DEFECT_RULES.defects, 3.0, own_silence_s={"press-1": 60.0})
    assert found(frames([*FAST, 50, 50.1]), patient) == []


def test_a_slow_camera_is_not_called_silent_between_two_pictures() -> None:
    messages = [*frames(SLOW), status(len(SLOW), at_s=42.5)]
    delivery = Steps().take(messages).camera.state.delivery
    rule = SilenceRule(3.0)
    assert open_span(delivery, "press-1", START + timedelta(seconds=50), rule) is None
    assert open_span(delivery, "press-1", START + timedelta(seconds=80), rule) is not None
