"""Streams with B-frames: numbers count in the order of the stream, judgement goes by the order of presentation."""

from collections.abc import Sequence
from datetime import timedelta

from andon.messages import Inspection
from tests.fakes import START
from tests.unit.sinks.judgement.frames import FPS, Steps, crossing, inspected, status

GROUP = (0, 2, 3, 1)
"""Numbers in the order of presentation: an I frame, two B frames, and the P frame that stands before them."""


def as_b_frames(shown: Sequence[Inspection]) -> list[Inspection]:
    """The same frames, with the numbers that a stream with B-frames gives them."""
    frames = []
    for place, frame in enumerate(shown):
        first, within = place - place % 4, place % 4
        later = (first + 1,) if within in (1, 2) else ()
        frames.append(frame.model_copy(update={"seq": first + GROUP[within], "later": later}))
    return frames


def test_a_defect_in_a_stream_with_b_frames_is_followed_as_in_any_other() -> None:
    shown = crossing(range(28))
    plain, reordered = Steps().take(shown), Steps().take(as_b_frames(shown))
    assert [(step.transition, step.frames, step.box) for step in reordered.events] == [
        (step.transition, step.frames, step.box) for step in plain.events
    ]
    assert len(plain.events) > 0


def test_no_frame_of_it_is_counted_as_lost_at_any_time() -> None:
    steps = Steps()
    for frame in as_b_frames([inspected(seq) for seq in range(40)]):
        steps.take([frame])
        assert steps.camera.state.totals.lost == 0
    assert steps.camera.sessions["s1"].tally().inspected == 40


def test_a_frame_that_is_announced_and_never_comes_is_lost_when_the_session_ends() -> None:
    steps = Steps().take([frame for frame in as_b_frames([inspected(seq) for seq in range(8)]) if frame.seq != 5])
    assert steps.camera.state.totals.lost == 0
    steps.take([status(8, final=True)])
    assert steps.camera.state.totals.lost == 1


def test_its_frames_in_their_order_are_no_silence() -> None:
    slow = [inspected(seq).model_copy(update={"captured_at": START + timedelta(seconds=2 * seq)}) for seq in range(40)]
    assert Steps().take(as_b_frames(slow)).spans == []


def test_a_frame_that_comes_late_changes_no_track() -> None:
    frames = as_b_frames(crossing(range(12)))
    late = inspected(2).model_copy(update={"captured_at": START + timedelta(seconds=1 / FPS)})
    once = Steps().take([frame for frame in frames if frame.seq != 2])
    again = Steps().take([*(frame for frame in frames if frame.seq != 2), late])
    assert again.camera.state.tracks == once.camera.state.tracks
