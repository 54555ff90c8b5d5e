"""The examples of docs/alerts.md run as they stand; only the servers' addresses are replaced."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from andon import redis as andon_redis
from andon.events import silent
from andon.messages import Defect, PartDefect, PartVerdict
from andon.settings import KafkaSettings, Settings
from andon.stream.clients import producer, started
from andon.stream.publisher import KafkaPublisher
from andon.stream.topics import ensure_topics
from sinks.channels.kafka_topic import KafkaAlerts
from sinks.channels.redis_stream import RedisAlerts
from tests.outbox import a_defect, a_part, a_part_item, an_item
from tests.redis_server import MortalRedis, ask

pytestmark = pytest.mark.integration

_TEXT = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", _TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def server() -> Iterator[MortalRedis]:
    """A server of its own, because the examples use the default names."""
    with MortalRedis() as server:
        yield server


async def raise_alerts(server: MortalRedis, *defects: Defect) -> None:
    client = andon_redis.client(server.url, 5.0)
    channel = RedisAlerts(client, server.settings.model_copy(update={"prefix": "andon"}))
    for number, defect in enumerate(defects):
        await channel.send(an_item(number, defect=defect))
    await client.aclose()


async def judge_parts(server: MortalRedis, *parts: PartVerdict) -> None:
    client = andon_redis.client(server.url, 5.0)
    channel = RedisAlerts(client, server.settings.model_copy(update={"prefix": "andon"}))
    for number, part in enumerate(parts):
        await channel.send(a_part_item(number, part))
    await client.aclose()


@contextmanager
def running(code: str, folder: Path) -> Iterator[list[str]]:
    """Yields the first line that the example prints, then kills it."""
    script = folder / "example.py"
    script.write_text(code)
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield [process.stdout.readline().strip()]
    finally:
        process.kill()
        process.communicate()


async def test_the_python_example_prints_the_alert(server: MortalRedis, tmp_path: Path) -> None:
    await raise_alerts(server, a_defect(1))
    code = blocks("python")[0].replace("redis://127.0.0.1:6379/0", server.url)
    with running(code, tmp_path) as printed:
        assert printed == ["opened major scratch at press-3"]


async def test_the_example_with_a_filter_prints_only_its_events(server: MortalRedis, tmp_path: Path) -> None:
    await raise_alerts(server, a_defect(1), a_defect(2, severity="critical", label="crack"))
    code = blocks("python")[1].replace("redis://127.0.0.1:6379/0", server.url)
    with running(code, tmp_path) as printed:
        assert printed == ["stop: crack, see andon-data/evidence/press-3/2.jpg"]


async def test_the_kafka_example_prints_the_alert(broker: KafkaSettings, tmp_path: Path) -> None:
    await ensure_topics(Settings(kafka=broker), silent)
    async with started(lambda: producer(broker), broker, silent) as client:
        await KafkaAlerts(KafkaPublisher(client), broker.defects_topic).send(an_item(1))
    code = blocks("python")[2].replace("127.0.0.1:9092", broker.bootstrap_servers)
    code = code.replace('"andon.defects"', repr(broker.defects_topic)).replace('"mes"', repr(f"{broker.group_prefix}m"))
    with running(code, tmp_path) as printed:
        assert printed == ["opened scratch at press-3"]


async def test_the_example_for_parts_prints_those_that_did_not_pass(server: MortalRedis, tmp_path: Path) -> None:
    await judge_parts(server, a_part(1), a_part(2, "reject"))
    code = blocks("python")[3].replace("redis://127.0.0.1:6379/0", server.url)
    with running(code, tmp_path) as printed:
        assert printed == ["eject at press-3, on the line at 2026-03-01 06:00:00+00:00: scratch"]


@pytest.mark.parametrize(("number", "due"), [(2, "opened scratch at press-3"), (4, "{part} reject 1 defects")])
async def test_the_kafka_examples_pass_over_other_events(
    broker: KafkaSettings, tmp_path: Path, number: int, due: str
) -> None:
    await ensure_topics(Settings(kafka=broker), silent)
    part = a_part(1, "reject")
    items = [a_part_item(1, part), an_item(2)] if number == 2 else [an_item(2), a_part_item(1, part)]
    async with started(lambda: producer(broker), broker, silent) as client:
        for item in items:
            await KafkaAlerts(KafkaPublisher(client), broker.defects_topic).send(item)
    code = blocks("python")[number].replace("127.0.0.1:9092", broker.bootstrap_servers)
    code = code.replace('"andon.defects"', repr(broker.defects_topic))
    code = re.sub('group_id="([a-z]+)"', rf'group_id="{broker.group_prefix}-\1"', code)
    with running(code, tmp_path) as printed:
        assert printed == [due.format(part=part.part_id)]


async def test_the_redis_cli_commands_answer(server: MortalRedis) -> None:
    await raise_alerts(server, a_defect(1))
    await judge_parts(server, a_part(1, "reject"))
    client = andon_redis.client(server.url, 5.0)
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("redis-cli ")]
    answers = {_called(line): await ask(client, *shlex.split(line)[1:]) for line in lines}
    await client.aclose()
    assert len(lines) == 12
    (_, ((_, part),)) = answers["XREAD parts"][0]
    assert PartVerdict.model_validate_json(part[b"event"]) == a_part(1, "reject")
    assert (part[b"verdict"], part[b"defects"]) == (b"reject", b"scratch")
    for command in ("XREAD", "XREADGROUP"):
        (_, ((_, fields),)) = answers[command][0]
        assert Defect.model_validate_json(fields[b"event"]) == a_defect(1)
        assert fields[b"severity"] == b"major"
    assert answers["XPENDING"]["pending"] == 1


def _called(line: str) -> str:
    """The command's name, with a note if it reads the stream of parts."""
    return line.split()[1] + (" parts" if "andon:parts" in line else "")


def test_every_field_of_a_verdict_is_described() -> None:
    described = set(re.findall(r"`([a-z_]+)`", _TEXT.split("## Verdicts on parts")[1].split("## What is promised")[0]))
    assert set(PartVerdict.model_fields) | set(PartDefect.model_fields) <= described


def test_every_field_of_an_event_is_described() -> None:
    described = set(re.findall(r"`([a-z_]+)`", _TEXT.split("## The fields of an event")[1]))
    assert set(Defect.model_fields) <= described
