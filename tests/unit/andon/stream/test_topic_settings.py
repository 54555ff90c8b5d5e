"""What a line says of a topic's settings, and which topics it refuses."""

import pytest

from andon.settings import KafkaSettings
from andon.stream.topic_settings import Topic, forgetful, unfit, unfit_for_cameras, unusable

FIT = {
    "cleanup.policy": "delete",
    "retention.ms": "3600000",
    "retention.bytes": "-1",
    "message.timestamp.type": "LogAppendTime",
    "max.message.bytes": "8100000",
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
}


def topic(replicas: int = 3, **configs: str) -> Topic:
    return Topic("andon.frames", replicas, FIT | {name.replace("_", "."): value for name, value in configs.items()})


def test_cameras_are_refused_where_their_hosts_stamp_them() -> None:
    (line,) = unfit_for_cameras(topic(message_timestamp_type="CreateTime"), KafkaSettings(replication=3))
    assert "set it to LogAppendTime" in line
    assert list(unfit_for_cameras(topic(cleanup_policy="compact"), KafkaSettings(replication=3))) == []


def test_of_a_topic_that_fits_nothing_is_said() -> None:
    assert list(unfit(topic(), KafkaSettings(replication=3))) == []
    assert unusable(topic()) is None


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (topic(max_message_bytes="1048588"), "max.message.bytes is 1048588, kafka.max_record_bytes 8000000"),
        (topic(retention_ms="60000"), "retention.ms is 60000, kafka.retention_minutes 60"),
        (topic(retention_bytes="1000000"), "retention.bytes is 1000000"),
        (topic(retention_bytes="0"), "retention.bytes is 0"),
        (topic(message_timestamp_type="CreateTime"), "message.timestamp.type is CreateTime"),
        (topic(replicas=2), "it has 2 replicas, kafka.replication is 3"),
        (topic(min_insync_replicas="1"), "set it to 2"),
        (topic(unclean_leader_election_enable="true"), "set it to false"),
    ],
    ids=lambda value: value.replace(" ", "_") if isinstance(value, str) else "",
)
def test_each_setting_that_does_not_fit_is_one_line(given: Topic, complaint: str) -> None:
    (line,) = unfit(given, KafkaSettings(replication=3))
    assert complaint in line
    assert "\n" not in line


@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
def test_a_compacted_topic_is_refused(policy: str) -> None:
    assert "set cleanup.policy=delete" in str(unusable(topic(cleanup_policy=policy)))


def test_a_topic_that_would_take_no_record_is_refused() -> None:
    assert "its min.insync.replicas is 2, and it has 1 replicas" in str(unusable(topic(replicas=1)))


def test_records_that_are_kept_for_ever_are_kept_long_enough() -> None:
    assert list(unfit(topic(retention_ms="-1"), KafkaSettings(replication=3))) == []


def test_a_topic_of_cameras_that_would_forget_them_is_refused() -> None:
    assert forgetful(topic(cleanup_policy="compact")) is None
    for policy in ("delete", "compact,delete"):
        complaint = forgetful(topic(cleanup_policy=policy)) or ""
        assert f"its cleanup.policy is {policy}" in complaint
        assert "set cleanup.policy=compact" in complaint
