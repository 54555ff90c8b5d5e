"""Topics that are missing, too narrow, or forget too soon: the logs and the account report it."""

import asyncio
import signal
from functools import partial
from typing import Any

import yaml
from aiokafka import TopicPartition
from aiokafka.admin.records_to_delete import RecordsToDelete

from andon.events import silent
from andon.messages import Message
from andon.settings import KafkaSettings
from andon.stream.clients import admin, consumer, started
from tests.faults.conftest import ReportRecovery
from tests.faults.recording import FRAMES, GROUP, Recording, account_of
from tests.faults.rig import SETTLE_S, Rig

HELD = range(3 * GROUP, 6 * GROUP)
"""Numbers of the frames that nobody reads in time. A keyframe follows them."""
RETENTION_S = 9.0


def parts(recording: Recording) -> tuple[list[Message], list[Message], list[Message]]:
    """The frames before HELD, those of it, and what follows: the rest and the last words."""
    messages = account_of(recording.frames, "s1")
    n = 2 * HELD.start
    m = 2 * HELD.stop
    return messages[:n], messages[n:m], messages[m:]


async def unread(kafka: KafkaSettings, topic: str) -> int:
    """Records that the topic still holds."""
    partitions = [TopicPartition(topic, number) for number in range(kafka.partitions)]
    async with started(lambda: consumer(kafka, None), kafka, silent) as client:
        first, end = await client.beginning_offsets(partitions), await client.end_offsets(partitions)
    return int(sum(end.values()) - sum(first.values()))


async def forget(kafka: KafkaSettings, topic: str) -> None:
    """As retention does, and at once."""
    partitions = [TopicPartition(topic, number) for number in range(kafka.partitions)]
    async with started(lambda: admin(kafka), kafka, silent) as client:
        await client.delete_records({item: RecordsToDelete(before_offset=-1) for item in partitions})


def lost_as_expired(rig: Rig) -> int:
    """Everything is inspected or lost as expired, the audit says so and fails. Returns how many are lost."""
    rig.wait_for(lambda: rig.account().total.captured == 2 * FRAMES, SETTLE_S, "the last word")
    rig.settle()
    report = rig.audit()
    lost = int(report["ledger"]["lost"])
    whole = {"captured": 2 * FRAMES, "inspected": 2 * FRAMES - lost, "shed": 0, "quarantined": 0}
    assert report["ledger"] == {**whole, "lost": lost, "in_flight": 0, "duplicates": 0}
    assert [list(camera["lost"]) for camera in report["cameras"]] == [["expired"]] * 2
    assert report["balanced"]
    rig.run("audit", code=1)
    assert len(rig.alert_ids()) == len(set(rig.alert_ids()))
    return lost


def test_frames_that_retention_takes_before_a_worker_reads_them_are_lost_as_expired(
    rig: Rig, recording: Recording
) -> None:
    rig.document["kafka"]["retention_minutes"] = RETENTION_S / 60
    rig.write()
    before, held, after = parts(recording)
    rig.start("sink", "sink")
    rig.start("worker-1", "work")
    rig.feed(before).wait()
    rig.wait_inspected(len(before))
    assert rig.stop("worker-1") == 0
    rig.feed(held).wait()
    rig.wait_for(lambda: asyncio.run(unread(rig.kafka, rig.kafka.frames_topic)) == 0, SETTLE_S, "retention")
    rig.start("worker-2", "work")
    rig.feed(after).wait()
    assert lost_as_expired(rig) == len(held)
    assert "event=records.expired" in rig.whole_log("worker-2")
    begun = 0 if rig.encoding == "jpeg" else 2 * GROUP  # the groups that the first worker had under way
    assert rig.gauge("worker-2", "andon_stage_records_expired_total") == len(held) + begun


def test_frames_that_expire_under_a_worker_that_is_held_up_are_lost_as_expired(rig: Rig, recording: Recording) -> None:
    rig.write()
    before, held, after = parts(recording)
    rig.start("sink", "sink")
    rig.start("worker", "work")
    rig.feed(before).wait()
    rig.wait_inspected(len(before))
    rig.signal("worker", signal.SIGSTOP)
    rig.feed(held).wait()
    asyncio.run(forget(rig.kafka, rig.kafka.frames_topic))
    rig.signal("worker", signal.SIGCONT)
    rig.feed(after).wait()
    assert 0 < lost_as_expired(rig) <= len(held)  # what a fetch was bringing when it froze is read


def test_inspections_that_expire_before_a_sink_reads_them_are_lost_as_expired(rig: Rig, recording: Recording) -> None:
    rig.write()
    before, held, after = parts(recording)
    rig.start("sink-1", "sink")
    rig.start("worker", "work")
    rig.feed(before).wait()
    rig.wait_inspected(len(before))
    rig.kill("sink-1")
    rig.feed(held).wait()
    done = f'andon_stage_records_done_total{{stage="workers"}} {len(before) + len(held)}.0'
    rig.wait_for(lambda: done in rig.metrics("worker"), SETTLE_S, "the worker to be through")
    asyncio.run(forget(rig.kafka, rig.kafka.inspections_topic))
    rig.start("sink-2", "sink")
    rig.feed(after).wait()
    assert lost_as_expired(rig) == len(held)
    assert "event=log.epoch" in rig.whole_log("sink-2")


def _says(rig: Rig, name: str) -> bool:
    return "andon topics create" in rig.whole_log(name)


def unwritten(rig: Rig, **kafka: Any) -> None:
    """line.yaml, without its topics."""
    rig.document["kafka"].update(kafka)
    rig.config.write_text(yaml.safe_dump(rig.document))


def test_roles_wait_for_their_topics_and_go_on_when_these_are_made(
    rig: Rig, recording: Recording, report_recovery: ReportRecovery
) -> None:
    unwritten(rig)
    rig.start("sink", "sink", ready=False)
    rig.start("worker", "work", ready=False)
    for name in ("sink", "worker"):
        rig.wait_for(partial(_says, rig, name), 60, f"{name} to say what is missing")
    rig.run("topics", "create")
    feed = rig.feed(account_of(recording.frames, "s1"))
    report_recovery(rig.wait_inspected(1), "the first inspection after the topics were made")
    feed.wait()
    rig.wait_for_all(recording)


def test_a_role_whose_topics_never_come_ends_and_says_what_makes_them(rig: Rig) -> None:
    unwritten(rig, start_timeout_s=3.0)
    for name, command in {"sink": "sink", "worker": "work"}.items():
        rig.start(name, command, ready=False)
    for name in ("sink", "worker"):
        assert rig.finish(name) == 1
        assert "andon topics create" in rig.whole_log(name).splitlines()[-1]


def test_topics_with_too_few_partitions_are_told_and_serve_all_the_same(rig: Rig, recording: Recording) -> None:
    unwritten(rig, partitions=1)
    rig.run("topics", "create")
    unwritten(rig, partitions=4)
    output = rig.run("topics", "create")
    assert f"{rig.kafka.frames_topic} has 1 partition, kafka.partitions says 4" in output
    rig.start("sink", "sink")
    rig.start("worker-1", "work")
    rig.start("worker-2", "work")
    rig.feed(account_of(recording.frames, "s1")).wait()
    rig.wait_for_all(recording)
