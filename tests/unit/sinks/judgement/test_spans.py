"""Spans without frames are found by the frames' own times, and each has its reason."""

from datetime import timedelta

from sinks.judgement import spans
from sinks.judgement.rhythm import SilenceRule
from sinks.judgement.spans import LastDelivery, Span
from sinks.judgement.step import AccountMessage
from tests.fakes import START
from tests.unit.sinks.judgement.frames import FPS, Steps, inspected, shed, status


def run(*messages: AccountMessage) -> list[Span]:
    return Steps().take(messages).spans


def only(silences: list[Span]) -> tuple[float, str, bool]:
    (span,) = silences
    assert span.ended_at is not None
    return round((span.ended_at - span.started_at).total_seconds(), 2), span.reason, span.watched


def test_a_steady_camera_has_no_span() -> None:
    assert run(*(inspected(seq) for seq in range(100))) == []


def test_a_pause_between_two_frames_is_a_span() -> None:
    assert only(run(inspected(0), inspected(1, late_s=10), inspected(2, late_s=10))) == (
        round(10 + 1 / FPS, 2),
        "unknown",
        True,
    )


def test_a_short_pause_is_no_span() -> None:
    assert run(inspected(0), inspected(1, late_s=2.9)) == []


def test_frames_shed_or_lost_in_between_were_delivered_by_the_camera() -> None:
    assert run(inspected(0), shed(1, 149), inspected(150)) == []
    assert run(inspected(0), inspected(150)) == []


def test_the_span_of_an_outage_has_the_detail_of_the_camera_status() -> None:
    records: list[AccountMessage] = [
        *(inspected(seq) for seq in range(15)),
        status(15, None, "offline", at_s=2, detail="connection refused"),
        status(15, "s1", "offline", final=True, at_s=1.9, detail="connection refused"),
        status(1, "s2", at_s=21),
        inspected(0, session="s2", late_s=21),
    ]
    assert only(run(*records)) == (round(21 - 14 / FPS, 2), "offline: connection refused", True)


def test_a_span_names_the_ingester_that_died() -> None:
    assert only(run(inspected(0), status(1), inspected(0, session="s2", late_s=8))) == (8.0, "ingester_died", True)


def test_a_camera_that_was_stopped_is_not_watched() -> None:
    stopped = status(1, final=True, state="stopped", at_s=1)
    assert only(run(inspected(0), stopped, inspected(0, session="s2", late_s=3600))) == (3600.0, "stopped", False)


def test_a_camera_that_was_never_online_is_silent_since_the_first_attempt() -> None:
    away: list[AccountMessage] = [
        status(0, None, "connecting", at_s=0),
        status(0, None, "offline", at_s=1, detail="timed out"),
    ]
    assert only(run(*away, inspected(0, late_s=30))) == (30.0, "offline: timed out", True)


def test_redelivered_frames_open_no_span() -> None:
    assert run(*(inspected(seq) for seq in range(100)), *(inspected(seq) for seq in range(100))) == []


def test_a_camera_whose_clock_is_an_hour_behind_has_no_span() -> None:
    records: list[AccountMessage] = []
    for seq in range(100):
        records += [inspected(seq, late_s=-3600), status(seq + 1)]
    assert run(*records) == []


def test_a_silence_that_lasts_is_an_open_span() -> None:
    delivery = Steps().take([inspected(0), status(1, at_s=0.5)]).camera.state.delivery
    assert spans.open_span(delivery, "press-1", START + timedelta(seconds=3), SilenceRule(3.0)) is None
    assert spans.open_span(delivery, "press-1", START + timedelta(seconds=4), SilenceRule(3.0)) == Span(
        "press-1", START + timedelta(seconds=0.5), None, "unknown", True
    )


def test_while_frames_come_no_heartbeat_is_missed() -> None:
    records: list[AccountMessage] = [status(1, at_s=0.1), *(inspected(seq) for seq in range(100))]
    delivery = Steps().take(records).camera.state.delivery
    assert spans.open_span(delivery, "press-1", START + timedelta(seconds=99 / FPS + 2.9), SilenceRule(3.0)) is None
    assert spans.open_span(delivery, "press-1", START + timedelta(seconds=99 / FPS + 3.1), SilenceRule(3.0)) is not None


def test_a_frame_captured_in_the_future_hides_no_silence() -> None:
    ahead = inspected(1, late_s=3600).model_copy(update={"inspected_at": START + timedelta(seconds=1)})
    delivery = Steps().take([inspected(0), ahead]).camera.state.delivery
    assert spans.open_span(delivery, "press-1", START + timedelta(seconds=5), SilenceRule(3.0)) is not None


def test_a_camera_without_any_status_is_not_silent() -> None:
    assert spans.open_span(LastDelivery(), "press-1", START, SilenceRule(3.0)) is None


def test_a_camera_that_is_stopped_is_silent_without_fault() -> None:
    delivery = Steps().take([inspected(0), status(1, state="stopped", final=True)]).camera.state.delivery
    span = spans.open_span(delivery, "press-1", START + timedelta(hours=1), SilenceRule(3.0))
    assert span is not None
    assert (span.reason, span.watched) == ("stopped", False)
