"""Reads a record of any content with the same calls as the roles, but without their processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from andon.alerts import DEFECTS
from andon.errors import DecodeError
from andon.quarantine import quarantine_record
from andon.stream.offsets import Partition
from andon.stream.step import Delivery
from andon.wire import Record, decode, encode
from sinks.batch import gather
from sinks.channels.payload import event_of
from sinks.judgement.snapshot import snapshot
from sinks.judgement.state import CameraAccount, from_bytes, to_bytes
from sinks.outbox_item import OutboxItem
from sinks.store.stored import Position
from tests.fakes import START, RecordedEvents
from tests.fuzz.records import mutated
from tests.unit.sinks.judgement.frames import DEFECT_RULES

HERE = Partition("andon.inspections", 0)


class FuzzError(AssertionError):
    """An input broke a reader. The message names the command that replays it."""


@contextmanager
def naming_seed(kind: str, seed: int) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        again = f"Replay it with: python -m tests.fuzz {kind} --seed {seed}"
        raise FuzzError(f"{kind} {seed}: {type(error).__name__}: {error}\n{again}") from error


def read(seed: int) -> bool:
    """Whether the record of this seed is a message. Every reader must cope with it in either case."""
    with naming_seed("records", seed):
        record = mutated(seed)
        _account(record)
        _alert(record)
        try:
            message = decode(record)
        except DecodeError as error:
            line = str(error)
            assert "\n" not in line, f"not one line: {line!r}"
            quarantine_record(record, error, 1_000_000)
            return False
        again = encode(message)
        assert decode(Record("t", 0, 0, again.timestamp_ms, again.key, again.value, again.headers)) == message
        return True


def _account(record: Record) -> None:
    """The record is accounted for or reported, and the state can be stored, shown and stepped again."""
    events = RecordedEvents()
    cameras: dict[str, CameraAccount] = {}
    work = gather(HERE, Position(1, "", 0), [Delivery(record, lambda: None)], START, events)
    assert len(events.all) + len(work.messages) == 1
    work.step(cameras, DEFECT_RULES, ("kafka",))
    work.step(cameras, DEFECT_RULES, ("kafka",))  # delivered again
    for camera in work.touched:
        assert from_bytes(to_bytes(camera.state)) == camera.state
        snapshot(camera)
        for ledger in camera.sessions.values():
            assert ledger.tally().balanced
            assert type(ledger).from_bytes(ledger.to_bytes()).tally() == ledger.tally()


def _alert(record: Record) -> None:
    """Reads the record as an entry of the stream and as an item of the outbox."""
    fields = {name.encode(errors="replace"): value for name, value in record.headers if value is not None}
    for given in ({b"event": record.value or b""}, {b"type": b"\xff\0", b"event": b""}, fields):
        try:
            DEFECTS.read((b"1-0", given))
        except DecodeError:
            pass
    try:
        event_of(OutboxItem(1, "kafka", 0, "id", record.value or b"", START + timedelta(seconds=1), 0))
    except DecodeError:
        pass
