"""Kafka's ACLs: the rights that docs/security.md names are enough for a line, and a missing right is one line."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from andon.errors import ConfigError, FatalError, RetryableError
from andon.events import silent
from andon.settings import KafkaSettings, RedisSettings, Settings
from andon.stream.clients import producer, started
from andon.stream.lag import group_lag
from andon.stream.publisher import KafkaPublisher
from andon.stream.topics import ensure_topics
from andon.wire import encode
from tests.e2e.line import CLIPS, Line
from tests.security.kafka_server import OTHERS, GuardedKafka
from tests.unit.sinks.judgement.frames import inspected

pytestmark = pytest.mark.integration


def as_user(kafka: KafkaSettings, name: str) -> KafkaSettings:
    login = {"sasl_username": name, "sasl_password": OTHERS[name]}
    return KafkaSettings.model_validate(kafka.model_dump() | login)


async def test_the_rights_of_the_page_are_enough_for_a_line(
    guarded_kafka: KafkaSettings, guarded_server: GuardedKafka, redis_url: str, tmp_path: Path
) -> None:
    kafka = as_user(guarded_kafka, "line")
    prefix = f"{kafka.group_prefix}."
    guarded_server.allow("line", "topic", prefix, "Read", "Write", "Describe", "Create")
    guarded_server.allow("line", "group", prefix, "Read", "Describe")
    with Line(tmp_path, kafka, RedisSettings(url=redis_url), tmp_path) as line:
        line.document["kafka"]["sasl_password"] = OTHERS["line"]
        line.write()
        line.start("sink", "sink")
        async with started(lambda: producer(kafka), kafka, silent) as client:
            for seq in range(20):
                await (await KafkaPublisher(client).send(kafka.inspections_topic, encode(inspected(seq))))
        line.wait_for(lambda: line.inspected() == 20, 60, "the account")
        assert line.stop("sink") == 0
    lags = await group_lag(kafka, Settings(kafka=kafka).sink_group, kafka.inspections_topic)
    assert lags is not None
    assert sum(lag.committed for lag in lags) == 20


async def test_a_user_without_rights_can_neither_make_topics_nor_send(guarded_kafka: KafkaSettings) -> None:
    guest = as_user(guarded_kafka, "guest")
    with pytest.raises(FatalError, match=r"can't be created.*uthorization") as caught:
        await ensure_topics(Settings(kafka=guest), silent)
    assert "\n" not in str(caught.value)
    patient = guest.model_copy(update={"start_timeout_s": 600.0})  # the error does not wait for it
    with pytest.raises(ConfigError, match="gives user 'guest' not the right"):
        async with started(lambda: producer(patient), patient, silent):
            pass


async def test_a_topic_without_write_rights_refuses_the_record_and_says_so(
    guarded_kafka: KafkaSettings, guarded_server: GuardedKafka
) -> None:
    guest = as_user(guarded_kafka, "guest")
    await ensure_topics(Settings(kafka=guarded_kafka), silent)
    guarded_server.allow("guest", "topic", guarded_kafka.frames_topic, "Write", "Describe")
    async with started(lambda: producer(guest), guest, silent) as client:
        with pytest.raises(FatalError, match="ACLs Write and Describe on this topic"):
            await (await KafkaPublisher(client).send(guest.inspections_topic, encode(inspected(0))))


async def test_a_right_that_is_taken_away_is_named_and_when_it_is_given_back_records_are_taken_again(
    guarded_kafka: KafkaSettings, guarded_server: GuardedKafka
) -> None:
    guest = as_user(guarded_kafka, "guest")
    await ensure_topics(Settings(kafka=guarded_kafka), silent)
    rights = ("guest", "topic", guarded_kafka.inspections_topic, "Write", "Describe")
    guarded_server.allow(*rights)
    async with started(lambda: producer(guest), guest, silent) as client:
        publisher = KafkaPublisher(client)
        await (await publisher.send(guest.inspections_topic, encode(inspected(0))))
        guarded_server.revoke(*rights)
        async with asyncio.timeout(60):
            with pytest.raises(RetryableError, match="ACLs Write and Describe on this topic") as error:
                await _send_for_ever(publisher, guest.inspections_topic)
        assert str(error.value).startswith(f"{guest.inspections_topic}: ")
        assert publisher.trouble == str(error.value)
        guarded_server.allow(*rights)
        async with asyncio.timeout(60):
            await _insist(publisher, guest.inspections_topic)
        assert publisher.trouble == ""


def test_a_line_whose_right_is_taken_away_stands_still_and_says_which(
    guarded_kafka: KafkaSettings, guarded_server: GuardedKafka, redis_url: str, tmp_path: Path, model_cache: Path
) -> None:
    kafka = as_user(guarded_kafka, "line").model_copy(update={"request_timeout_s": 5.0})
    others = (kafka.inspections_topic, kafka.defects_topic, kafka.quarantine_topic, kafka.cameras_topic)
    for topic in (kafka.frames_topic, kafka.alarms_topic, *others):
        guarded_server.allow("line", "topic", topic, "Read", "Write", "Describe", "Create")
    guarded_server.allow("line", "group", f"{kafka.group_prefix}.", "Read", "Describe")
    with Line(tmp_path, kafka, RedisSettings(url=redis_url), model_cache) as line:
        line.document["kafka"]["sasl_password"] = OTHERS["line"]
        line.document["run"] = {"stalled_s": 6}
        line.write([{"id": "press-1", "url": str(CLIPS / "press-1.mp4"), "loop": True}])
        for name, *command in (("sink", "sink"), ("worker", "work"), ("ingest", "ingest")):
            line.start(name, *command)
        line.wait_for(lambda: line.inspected() > 20, 60, "inspections")
        guarded_server.revoke("line", "topic", kafka.frames_topic, "Write")
        line.wait_for(lambda: "give the user" in line.probe("ingest")[1], 60, "ingest to name the right")
        code, text = line.probe("ingest")
        assert (code, line.probe("ingest", "livez")[0]) == (503, 200)
        assert "camera press-1 has made no progress for " in text
        assert "the ACLs Write and Describe on this topic" in text
        named = "the ACLs Write and Describe on this topic"
        line.wait_for(
            lambda: [named in reason for reason in line.audit()["stalled"]] == [True], 60, "the audit to say so"
        )
        report = line.audit()
        assert (report["balanced"], report["ledger"]["lost"]) == (False, 0)
        guarded_server.allow("line", "topic", kafka.frames_topic, "Write")
        line.wait_for(lambda: line.probe("ingest")[0] == 200, 60, "ingest to be ready again")
        line.wait_for(lambda: line.audit()["balanced"], 60, "the audit to find nothing wrong")


async def _send_for_ever(publisher: KafkaPublisher, topic: str) -> None:
    """The broker hears a moment later of a right that is gone."""
    while True:
        await (await publisher.send(topic, encode(inspected(1))))


async def _insist(publisher: KafkaPublisher, topic: str) -> None:
    while True:
        try:
            await (await publisher.send(topic, encode(inspected(2))))
            return
        except RetryableError:
            await asyncio.sleep(0.2)


def test_a_role_of_a_user_without_rights_ends_with_one_line(guarded_kafka: KafkaSettings, line_yaml: Path) -> None:
    kafka = as_user(guarded_kafka, "guest").model_dump(mode="json") | {
        "sasl_password": OTHERS["guest"],
        "start_timeout_s": 5,
    }
    line_yaml.write_text(yaml.safe_dump({"kafka": kafka, "cameras": [{"id": "c", "url": "nowhere.mp4"}]}))
    command = [sys.executable, "-m", "andon", "ingest", "-c", str(line_yaml)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "missing at" in done.stderr.splitlines()[-1]
    assert OTHERS["guest"] not in done.stderr
