from collections.abc import Sequence

from andon.messages import Inspection
from andon.settings import Settings
from andon.wire import Record, encode
from tests.soak.replay import Replay
from tests.unit.sinks.judgement.frames import Steps, crossing, inspected


def records(messages: Sequence[Inspection], partition: int = 0) -> list[Record]:
    log = [encode(message) for message in messages]
    return [
        Record("inspections", partition, offset, item.timestamp_ms, item.key, item.value, item.headers)
        for offset, item in enumerate(log)
    ]


def replayed(*log: Record) -> Replay:
    replay = Replay(Settings())
    for record in log:
        replay.take(record)
    return replay


FRAMES = [*crossing(range(40)), *(inspected(seq) for seq in range(40, 70))]


def test_it_raises_each_event_that_the_log_gives_once() -> None:
    consequences = Steps().take(FRAMES)
    assert len(consequences.ids) >= 2
    assert replayed(*records(FRAMES)).events == dict.fromkeys(consequences.ids, 1)


def test_records_that_were_published_again_change_nothing() -> None:
    twice = records([*FRAMES[:20], *FRAMES[10:20], *FRAMES[20:]])
    assert replayed(*twice).events == replayed(*records(FRAMES)).events


def test_a_record_that_is_not_a_message_changes_nothing() -> None:
    garbage = Record("inspections", 0, len(FRAMES), 0, b"press-1", b"?", ())
    assert replayed(*records(FRAMES), garbage).events == replayed(*records(FRAMES)).events


def test_partitions_are_apart() -> None:
    other = [message.model_copy(update={"camera_id": "weld-1"}) for message in FRAMES]
    mixed = [item for pair in zip(records(FRAMES, 0), records(other, 1), strict=True) for item in pair]
    assert len(replayed(*mixed).events) == 2 * len(replayed(*records(FRAMES)).events)
