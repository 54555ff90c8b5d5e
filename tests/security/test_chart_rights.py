"""The rights that the chart gives its users of Kafka: a whole line runs by them, each role as its own user."""

from pathlib import Path
from typing import Any

import pytest
from aiokafka.protocol.admin import CreateAclsRequest

from andon.events import silent
from andon.settings import KafkaSettings, RedisSettings
from andon.stream.clients import admin, started
from tests.e2e.line import CLIPS, Line
from tests.security.kafka_server import OTHERS
from tests.unit.deploy.helm.chart import rendered

pytestmark = pytest.mark.integration
COMMANDS = {"sinks": "sink", "workers": "work", "ingest": "ingest"}
RESOURCES = {"topic": 2, "group": 3}
PATTERNS = {"literal": 3, "prefix": 4}
OPERATIONS = {"Read": 3, "Write": 4, "Describe": 8, "DescribeConfigs": 10}
ALLOW = 3
"""Kafka's numbers: https://kafka.apache.org/documentation/#security_authz."""


def chart_users(kafka: KafkaSettings) -> list[dict[str, Any]]:
    """The chart's KafkaUsers for these topics and this prefix of groups."""
    names = {key: value for key, value in kafka.model_dump().items() if key.endswith("_topic")}
    sets = [f'line.kafka.{key}="{value}"' for key, value in (names | {"group_prefix": kafka.group_prefix}).items()]
    return rendered("one-gpu", *sets).kind("KafkaUser")


async def grant(kafka: KafkaSettings, users: list[dict[str, Any]]) -> None:
    """What Strimzi's user operator does with these resources."""
    async with started(lambda: admin(kafka), kafka, silent) as client:
        for user in users:
            for rule in user["spec"]["authorization"]["acls"]:
                what, who = rule["resource"], f"User:{user['metadata']['name']}"
                resource = (RESOURCES[what["type"]], what["name"], PATTERNS[what["patternType"]])
                for operation in rule["operations"]:
                    request = CreateAclsRequest(*resource, who, "*", OPERATIONS[operation], ALLOW)
                    answer = await client._send_request(request)
                    assert [code for code, _ in answer.creation_responses] == [0]


@pytest.mark.timeout(400)
async def test_a_line_runs_by_the_rights_that_the_chart_gives_each_role(
    guarded_kafka: KafkaSettings, redis_url: str, tmp_path: Path, model_cache: Path
) -> None:
    with Line(tmp_path, guarded_kafka, RedisSettings(url=redis_url), model_cache) as line:
        line.document["kafka"]["sasl_password"] = guarded_kafka.sasl_password.get_secret_value()
        line.write([{"id": "press-1", "url": str(CLIPS / "press-1.mp4"), "fps": 5}])
        await grant(guarded_kafka, chart_users(guarded_kafka))
        for role, command in COMMANDS.items():
            name = f"press-{role}"
            line.start(role, command, ANDON_KAFKA__SASL_USERNAME=name, ANDON_KAFKA__SASL_PASSWORD=OTHERS[name])
        line.wait_for(lambda: line.inspected() > 5, 180, "inspections")
        logs = "".join((tmp_path / f"{role}.log").read_text() for role in COMMANDS)
        assert "uthorization" not in logs
        assert "can't be read" not in logs, "the settings of a topic"
        assert {role: line.stop(role) for role in ("ingest", "workers", "sinks")} == dict.fromkeys(COMMANDS, 0)
