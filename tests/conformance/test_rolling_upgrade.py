"""Every reader of the line takes messages of one version ago and of one version ahead, and loses none silently.

The readers are workers, sinks and alert consumers. Ingest reads no messages.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from andon.alerts import DEFECTS, PARTS
from andon.errors import DecodeError
from andon.events import RecordQuarantined
from andon.stream.offsets import Partition
from andon.stream.step import Delivery
from andon.wire import Record
from sinks.batch import QUARANTINE, OpenBatch, gather
from sinks.store.stored import Position
from tests.fakes import START, RecordedEvents
from tests.unit.workers.rig import jpeg, worker
from tests.versions import MESSAGES, PREVIOUS, ahead, one_version_ahead, previous, unknown

FRAME = "frame, only what it needs"
PASSED_ON = ("shed", "camera status, every field", "camera status, before the first picture", "expired")
"""Workers pass these on to the sinks."""
ACCOUNTED = (*PASSED_ON, "inspection, every field", "inspection, quarantined", "alarm request")
NEIGHBOURS = pytest.mark.parametrize("version", [previous, ahead], ids=["one version ago", "one version ahead"])
Version = Callable[[str], Record]


@NEIGHBOURS
async def test_a_worker_inspects_the_frames_of_a_neighbour_version(version: Version) -> None:
    async with worker() as running:
        running.submit(replace(version(FRAME), value=jpeg()))
        await running.finish()
    assert [(item.frame_id, item.outcome) for item in running.inspections] == [
        (f"press-3/{PREVIOUS[FRAME]['headers']['ce_session']}/43", "inspected")
    ]
    assert running.quarantine == []


@NEIGHBOURS
@pytest.mark.parametrize("name", [name for name in PASSED_ON if name != "expired"])
async def test_a_worker_passes_on_the_messages_of_a_neighbour_version(version: Version, name: str) -> None:
    async with worker() as running:
        running.submit(version(name))
        await running.finish()
    assert running.published == [MESSAGES[name]]
    assert running.quarantine == []


async def test_a_worker_puts_an_unknown_version_into_quarantine() -> None:
    async with worker() as running:
        running.submit(unknown(FRAME))
        await running.finish()
    (kept,) = running.quarantine
    assert "andon.frame.v2" in dict(kept.headers)["andon_quarantine_error"].decode()
    assert running.done == [7]


def account(record: Record) -> tuple[OpenBatch, RecordedEvents]:
    events = RecordedEvents()
    here = Partition("andon.inspections", 0)
    return gather(here, Position(1, "", 0), [Delivery(record, lambda: None)], START, events), events


@NEIGHBOURS
@pytest.mark.parametrize("name", ACCOUNTED)
def test_a_sink_accounts_for_the_messages_of_a_neighbour_version(version: Version, name: str) -> None:
    work, events = account(version(name))
    assert work.messages == [MESSAGES[name]]
    assert events.all == []


@pytest.mark.parametrize("name", ACCOUNTED)
def test_a_sink_puts_an_unknown_version_into_quarantine(name: str) -> None:
    work, events = account(unknown(name))
    assert work.messages == []
    assert [item.channel for item in work.batch.leaving] == [QUARANTINE]
    assert len(events.of(RecordQuarantined)) == 1


ALERTS = pytest.mark.parametrize(
    ("name", "stream"), [("defect", DEFECTS), ("part, reject", PARTS), ("part, unknown", PARTS)]
)


@ALERTS
def test_an_alert_consumer_reads_the_events_of_a_neighbour_version(name: str, stream: Any) -> None:
    event = PREVIOUS[name]["value"]
    for value in (event, one_version_ahead(event)):
        fields = {b"type": stream.ce_type, b"event": json.dumps(value).encode(), b"new": b"1"}
        assert stream.read((b"1-0", fields)) == MESSAGES[name]


@ALERTS
def test_an_alert_consumer_refuses_an_unknown_version(name: str, stream: Any) -> None:
    fields = {b"type": stream.ce_type.replace(b".v1", b".v2"), b"event": json.dumps(PREVIOUS[name]["value"]).encode()}
    with pytest.raises(DecodeError, match=r"v2"):
        stream.read((b"1-0", fields))
