"""Planted secrets appear nowhere: logs, metrics, reports, topics, Redis, the store, evidence, crash output."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from redis import Redis

from andon.events import silent
from andon.settings import KafkaSettings, RedisSettings
from andon.stream.clients import consumer, producer, started
from andon.stream.publisher import KafkaPublisher
from andon.wire import Outgoing
from tests import postgres_server
from tests.e2e.line import CLIPS, MODEL, Line
from tests.integration.ingest.line import FakeCamera
from tests.kafka_server import free_port
from tests.postgres_server import PostgresServer
from tests.security import kafka_server, redis_server, secrets

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
CLOSED = 1
"""A port without a listener."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    if reason := postgres_server.missing():
        pytest.skip(reason)
    with PostgresServer() as server:
        yield server


def guarded_line(line: Line, log_format: str) -> None:
    """Secrets in all three ways: in the file, from the environment, and from their own file."""
    folder = line.config.parent
    (folder / "redis.secret").write_text(redis_server.PASSWORD + "\n")
    document = line.document
    document["kafka"]["sasl_password"] = "${BROKER_PASSWORD}"
    url = document["redis"]["url"]
    document["redis"] = {"url": url.replace(redis_server.PASSWORD, f"${{file:{folder}/redis.secret}}")}
    document["run"] = {"log_level": "debug", "log_format": log_format, "drain_s": 5}


def cameras(refusing: int = CLOSED) -> list[dict[str, Any]]:
    """`refusing`: the port of a camera that accepts no password."""
    patience = {"open_timeout_s": 1, "reconnect_max_s": 1}
    return [
        {"id": "press-1", "url": str(CLIPS / "press-1.mp4"), "loop": True},
        {"id": "away", "url": secrets.CAMERA_URL.format(port=CLOSED), **patience},
        {"id": "refusing", "url": secrets.CAMERA_URL.format(port=refusing), **patience},
    ]


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
async def test_a_running_line_and_its_crash_show_no_secret(
    log_format: str,
    guarded_kafka: KafkaSettings,
    redis_url: str,
    postgres: PostgresServer,
    model_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BROKER_PASSWORD", kafka_server.PASSWORD)
    postgres.empty()
    output: dict[str, str] = {}
    with (
        FakeCamera("401 Unauthorized") as refusing,
        Line(tmp_path, guarded_kafka, RedisSettings(url=redis_url), model_cache) as line,
    ):
        guarded_line(line, log_format)
        line.document["sinks"]["store"] = postgres.url
        line.write(cameras(refusing.port))
        for role, command in (("sink", "sink"), ("worker", "work"), ("ingest", "ingest")):
            line.start(role, command)
        await publish_poison(guarded_kafka)
        line.wait_for(lambda: stored_evidence(tmp_path), 120, "evidence of a defect")
        line.wait_for(lambda: "record.quarantined" in (tmp_path / "worker.log").read_text(), 60, "a quarantined record")
        line.wait_for(lambda: "offline" in (tmp_path / "ingest.log").read_text(), 60, "the camera that is away")
        line.wait_for(lambda: "login (401)" in (tmp_path / "ingest.log").read_text(), 60, "the camera that refuses")
        for role in ("sink", "worker", "ingest"):
            output[f"{role} metrics"] = line.metrics(role)
        for words in (["audit"], ["audit", "--json"], ["lag"], ["lag", "--json"], ["config", "check"]):
            output[" ".join(words)] = line.run(*words, code=None)
        following = ("alerts", "follow", "--from-start", "--json", "--count", "1")
        output["alerts"] = line.run(*following)
        output["topics"] = await everything_on_kafka(guarded_kafka)
        output["redis"] = everything_in_redis(redis_url)
        output["store"] = everything_in(postgres)
        with psycopg.connect(postgres.url.replace("+psycopg", "")) as connection:
            connection.execute("drop table outbox cascade")  # an unforeseen error
        assert crash_of(line, "sink") != 0
        assert "Traceback" in (tmp_path / "sink.log").read_text(), "the test needs a crash"
        line.signal("worker", signal.SIGABRT)
        line.signal("ingest", signal.SIGTERM)
        line.signal("ingest", signal.SIGTERM)
        crash_of(line, "worker")
        crash_of(line, "ingest")
    assert "andon_quarantine_reason" in output["topics"]
    assert {name: found for name, text in output.items() if (found := secrets.in_bytes(text.encode()))} == {}
    assert secrets.in_files(tmp_path, [line.config, tmp_path / "redis.secret"]) == {}


def crash_of(line: Line, role: str) -> int:
    return line.finish(role, 60)


def stored_evidence(folder: Path) -> bool:
    return any((folder / "evidence").rglob("*.jpg"))


async def publish_poison(kafka: KafkaSettings) -> None:
    async with started(lambda: producer(kafka), kafka, silent) as client:
        poison = Outgoing(b"press-1", b"no frame", [("ce_type", b"andon.frame.v1")], 0)
        await (await KafkaPublisher(client).send(kafka.frames_topic, poison))


async def everything_on_kafka(kafka: KafkaSettings) -> str:
    """Keys, headers and values of every record on the line's topics."""
    topics = (kafka.frames_topic, kafka.inspections_topic, kafka.defects_topic, kafka.quarantine_topic)
    texts: list[str] = []
    async with started(lambda: consumer(kafka, None), kafka, silent) as client:
        client.subscribe(topics)
        async with asyncio.timeout(60):
            while sum("andon_quarantine_reason" in text for text in texts) < 1 or len(texts) < 200:
                records = await client.getmany(timeout_ms=1000)
                texts += [f"{raw.key!r} {raw.headers!r} {raw.value!r}" for batch in records.values() for raw in batch]
    return "\n".join(texts)


def everything_in_redis(url: str) -> str:
    with Redis.from_url(url, protocol=2) as redis:
        dumps = [redis.dump(key) for key in redis.scan_iter("andon:*")]
    assert dumps
    return repr(dumps)


def everything_in(postgres: PostgresServer) -> str:
    with psycopg.connect(postgres.url.replace("+psycopg", "")) as connection:
        names = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        rows = [connection.execute(f'select * from "{name}"').fetchall() for (name,) in names]
    assert any(rows)
    return repr(rows)


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
@pytest.mark.parametrize(
    "command",
    [
        ("ingest",),
        ("work",),
        ("sink",),
        ("up",),
        ("topics", "create"),
        ("lag", "--json"),
        ("audit", "--json"),
        ("audit",),
        ("config", "check"),
        ("config", "check", "--online"),
    ],
    ids=" ".join,
)
def test_the_error_about_an_absent_server_shows_no_secret(
    command: tuple[str, ...], log_format: str, tmp_path: Path
) -> None:
    document = {
        "kafka": {
            "bootstrap_servers": f"127.0.0.1:{CLOSED}",
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_username": "andon",
            "sasl_password": kafka_server.PASSWORD,
            "start_timeout_s": 2,
        },
        "redis": {"url": f"redis://andon:{redis_server.PASSWORD}@127.0.0.1:{CLOSED}/0"},
        "sinks": {"store": f"postgresql+psycopg://andon:{postgres_server.PASSWORD}@127.0.0.1:{CLOSED}/andon"},
        "pools": {"default": {"model": {"weights": str(MODEL), "runtime": "torch"}}},
        "run": {"log_level": "debug", "log_format": log_format},
        "cameras": cameras(),
    }
    config = tmp_path / "line.yaml"
    config.write_text(yaml.safe_dump(document))
    with (tmp_path / "output").open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "andon", *command, "-c", str(config)],
            check=False,
            cwd=tmp_path,
            stdout=output,
            stderr=output,
            timeout=120,
            env=os.environ | {"ANDON_HTTP__PORT": str(free_port()), "PYTHONASYNCIODEBUG": "1"},
        )
    text = (tmp_path / "output").read_text()
    assert text
    assert (done.returncode == 0) == (command == ("config", "check")), text
    assert secrets.in_files(tmp_path, [config]) == {}
    assert secrets.in_files(tmp_path)[str(config)] == set(secrets.PLANTED), "the search finds planted secrets"


CRASHES = {
    "an error of Python's own": "raise RuntimeError(f'nobody foresaw {life.settings}')",
    "a group of them": "raise ExceptionGroup('several', [KeyError(life.settings.redis), ValueError(life)])",
    "a mistake that is no setting's": "type(life.settings.redis).model_validate({'url': [SECRET], 'bad': SECRET})",
    "a mistake in a camera": "type(life.settings.cameras[0]).model_validate({'id': '-', 'url': SECRET, 'roi': [0]})",
    "a task that nobody awaits": "task = asyncio.create_task(fail(life)); await asyncio.sleep(0.1); del task",
}


@pytest.mark.parametrize("crash", CRASHES.values(), ids=CRASHES.keys())
def test_a_crash_shows_no_secret(crash: str, tmp_path: Path) -> None:
    secret = redis_server.PASSWORD
    config = tmp_path / "line.yaml"
    document = {"redis": {"url": f"redis://:{secret}@h"}, "cameras": [{"id": "c", "url": secrets.CAMERA_URL}]}
    config.write_text(json.dumps(document))
    program = f"""
        import asyncio, sys
        from pathlib import Path
        from andon.process import lifecycle
        from andon.config import load

        async def fail(life):
            raise RuntimeError(f"nobody foresaw {{life}}")

        async def crash(life):
            SECRET = life.settings.redis.url.get_secret_value()
            {crash}

        sys.exit(lifecycle.run("crash", crash, load(Path(sys.argv[1]))))
    """
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", textwrap.dedent(program), str(config)],
        check=False,
        capture_output=True,
        timeout=60,
    )
    assert re.search(rb"Traceback|Error", done.stderr), done.stderr
    assert secrets.in_bytes(done.stdout + done.stderr) == set()
