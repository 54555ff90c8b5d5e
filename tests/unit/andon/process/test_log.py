import json
import logging
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.events import (
    AlertSent,
    CameraChanged,
    Event,
    FramesShed,
    KafkaNoise,
    RecordQuarantined,
    RecordsDone,
    RecordsExpired,
    SinkFailed,
)
from andon.process.log import EventLog, adopt_client_logs
from andon.process.summary import MOST_KEYS, WINDOW_S, LogLine, Summary
from tests.fakes import FakeClock

SHED = FramesShed("press-3", "stale", 1)


def brief(lines: list[LogLine]) -> list[tuple[object, ...]]:
    return [(line.values["camera"], line.values["count"], line.values.get("repeated")) for line in lines]


def expired(partition: int, first: int = 0) -> RecordsExpired:
    return RecordsExpired("workers", "andon.frames", partition, first, first + 9)


# ---- merging


def test_the_first_event_is_written_at_once_and_the_rest_of_its_second_in_one_line() -> None:
    summary = Summary()
    assert brief(summary.add(FramesShed("press-3", "stale", 12), 0.0)) == [("press-3", 12, None)]
    for count in (1, 2, 3):
        assert summary.add(FramesShed("press-3", "stale", count), 0.5) == []
    assert summary.due(WINDOW_S - 0.01) == []
    assert brief(summary.due(WINDOW_S)) == [("press-3", 6, 3)]
    assert summary.due(2 * WINDOW_S) == []


def test_held_events_are_written_before_the_next_one_of_their_key() -> None:
    summary = Summary()
    summary.add(SHED, 0.0)
    summary.add(FramesShed("press-3", "stale", 5), 0.1)
    assert brief(summary.add(FramesShed("press-3", "stale", 7), WINDOW_S)) == [
        ("press-3", 5, None),
        ("press-3", 7, None),
    ]


def test_a_constant_stream_of_events_becomes_one_line_a_second() -> None:
    summary, lines = Summary(), []
    for tick in range(100):
        lines += summary.due(tick / 10) + summary.add(SHED, tick / 10)
    lines += summary.rest()
    assert len(lines) <= 12
    assert sum(line.values["count"] for line in lines) == 100


def test_events_that_differ_in_partition_camera_reason_or_sink_are_never_merged() -> None:
    summary = Summary()
    events: list[Event] = [
        *(expired(partition) for partition in range(24)),
        FramesShed("press-3", "stale", 1),
        FramesShed("press-4", "stale", 1),
        FramesShed("press-3", "mailbox_full", 1),
        FramesShed("press-3", "stale", 1, by_worker=True),
        SinkFailed("redis", "away", 1.0),
        SinkFailed("evidence", "away", 1.0),
        RecordQuarantined("press-3", "undecodable", "x", "y"),
        RecordQuarantined("press-3", "too_large", "x", "y"),
    ]
    assert [len(summary.add(event, 0.0)) for event in events] == [1] * len(events)


def test_an_error_that_was_held_back_has_its_line_at_the_end_of_the_second() -> None:
    summary = Summary()
    summary.add(expired(3), 0.0)
    summary.add(expired(3, 10), 0.0)
    (line,) = summary.due(WINDOW_S)
    assert (line.event, line.values["first_offset"], line.values.get("repeated")) == (RecordsExpired, 10, None)


def test_at_the_end_of_the_process_every_held_event_is_written() -> None:
    summary = Summary()
    for camera in ("press-3", "press-4"):
        for _ in range(3):
            summary.add(FramesShed(camera, "stale", 2), 0.0)
    assert brief(summary.rest()) == [("press-3", 4, 2), ("press-4", 4, 2)]
    assert summary.rest() == []


def test_the_number_of_keys_is_bounded_and_nothing_is_lost_at_the_bound() -> None:
    summary, lines = Summary(), []
    for number in range(3 * MOST_KEYS):
        for _ in range(2):
            lines += summary.add(FramesShed(f"camera-{number}", "stale", 1), 0.0)
        assert len(summary._windows) <= MOST_KEYS
    lines += summary.rest()
    assert Counter(line.values["camera"] for line in lines) == {f"camera-{n}": 2 for n in range(3 * MOST_KEYS)}


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(1, 9), st.floats(0, 3), st.booleans()),
        max_size=40,
    )
)
def test_the_lines_stand_for_exactly_the_events_that_came(steps: list[tuple[str, int, float, bool]]) -> None:
    summary, lines, now_s = Summary(), [], 0.0
    due: Counter[str] = Counter()
    events: Counter[str] = Counter()
    for camera, count, pause_s, look in steps:
        now_s += pause_s
        lines += summary.due(now_s) if look else []
        lines += summary.add(FramesShed(camera, "stale", count), now_s)
        due[camera] += count
        events[camera] += 1
    lines += summary.rest()
    written: Counter[str] = Counter()
    stood_for: Counter[str] = Counter()
    for line in lines:
        written[line.values["camera"]] += line.values["count"]
        stood_for[line.values["camera"]] += line.values.get("repeated", 1)
    assert (written, stood_for) == (due, events)


# ---- writing


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_is_the_events_name_with_keys_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    EventLog("info", "logfmt", "ingest", FakeClock())(FramesShed("press-3", "stale", 12))
    line = capsys.readouterr().err
    assert "event=frame.shed role=ingest" in line
    assert "camera=press-3 reason=stale count=12" in line


def test_repeated_events_are_written_without_a_further_event_of_their_kind(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    log = EventLog("info", "json", "ingest", clock)
    for _ in range(50):
        log(SHED)
    log(FramesShed("press-4", "stale", 1))
    clock.advance(WINDOW_S)
    log.sum_up()
    assert [(line["camera"], line["count"], line.get("repeated")) for line in written(capsys)] == [
        ("press-3", 1, None),
        ("press-4", 1, None),
        ("press-3", 49, 49),
    ]


async def test_the_end_of_the_block_writes_the_held_events(capsys: pytest.CaptureFixture[str]) -> None:
    log = EventLog("info", "json", "ingest", FakeClock())
    async with log.summed_up():
        log(SHED)
        log(SHED)
    assert [line["count"] for line in written(capsys)] == [1, 1]


def test_a_thread_that_hangs_in_writing_does_not_hold_up_the_last_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("andon.process.log.FLUSH_S", 0.01)
    log = EventLog("info", "json", "ingest", FakeClock())
    log(SHED)
    log(SHED)
    with log._lock:
        log.flush()
    assert len(written(capsys)) == 1


def test_every_alert_and_every_change_of_a_camera_has_its_own_line(capsys: pytest.CaptureFixture[str]) -> None:
    log = EventLog("info", "json", "sink", FakeClock())
    for number in range(3):
        log(AlertSent("redis", f"e{number}", 0.1))
        log(CameraChanged("c", "offline", "s", "no answer"))
    assert len(capsys.readouterr().err.splitlines()) == 6


def test_an_event_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    EventLog("info", "logfmt", "worker", FakeClock())(RecordsDone("workers", 1))
    assert capsys.readouterr().err == ""


def test_the_kafka_clients_lines_become_events_of_one_line_each() -> None:
    events: list[Event] = []
    undo = adopt_client_logs(events.append)
    try:
        logging.getLogger("aiokafka.conn").warning("broker %s is away\nand more", "b:9092")
        logging.getLogger("aiokafka.conn").info("not this one")
    finally:
        undo()
    assert events == [KafkaNoise("broker b:9092 is away", 1)]


def test_a_value_that_quotes_a_whole_picture_is_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    log = EventLog("info", "logfmt", "work", FakeClock())
    log(RecordQuarantined("cam", "undecodable", "andon.frames[0]@7", repr(bytes(500_000))))
    assert 1000 < len(capsys.readouterr().err) < 1500
