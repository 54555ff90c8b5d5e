"""SCRAM over TLS to an Apache Kafka: the right password works; any other ends in one line, at once, without it."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from andon.errors import ConfigError, FatalError
from andon.events import silent
from andon.settings import KafkaSettings, Settings
from andon.stream.clients import admin, consumer, producer, started
from andon.stream.lag import group_lag
from andon.stream.publisher import KafkaPublisher
from andon.stream.reading import RecordReader
from andon.stream.topics import ensure_topics
from andon.wire import encode
from tests.kafka_server import free_port
from tests.security.certificates import Authority
from tests.security.kafka_server import PASSWORD
from tests.unit.sinks.judgement.frames import inspected

pytestmark = pytest.mark.integration
WRONG = "wr0ng-s3cret"
START_S = 600
"""The attempts that an absent broker gets: far longer than a test may take, so what ends before is no absent broker."""


async def test_admin_producer_and_consumer_work_with_the_right_password(guarded_kafka: KafkaSettings) -> None:
    settings = Settings(kafka=guarded_kafka)
    assert guarded_kafka.inspections_topic in await ensure_topics(settings, silent)
    sent = encode(inspected(0))
    async with (
        started(lambda: producer(guarded_kafka), guarded_kafka, silent) as sending,
        started(lambda: consumer(guarded_kafka, None), guarded_kafka, silent) as reading,
    ):
        reference = await (await KafkaPublisher(sending).send(guarded_kafka.inspections_topic, sent))
        record = await RecordReader(reading).read(reference)
    assert record is not None
    assert record.value == sent.value
    lags = None
    async with asyncio.timeout(60):
        while lags is None:  # a new broker creates its offsets topic at the first request
            lags = await group_lag(guarded_kafka, settings.sink_group, guarded_kafka.inspections_topic)
    assert sum(lag.records for lag in lags) == 1


Start = Callable[[KafkaSettings], Awaitable[None]]


async def start_producer(kafka: KafkaSettings) -> None:
    async with started(lambda: producer(kafka), kafka, silent):
        pass


async def start_consumer(kafka: KafkaSettings) -> None:
    async with started(lambda: consumer(kafka, "group"), kafka, silent):
        pass


async def start_admin(kafka: KafkaSettings) -> None:
    async with started(lambda: admin(kafka), kafka, silent):
        pass


@pytest.fixture(params=[start_producer, start_consumer, start_admin])
def start(request: pytest.FixtureRequest) -> Start:
    chosen: Start = request.param
    return chosen


def changed(kafka: KafkaSettings, **values: object) -> KafkaSettings:
    return KafkaSettings.model_validate(kafka.model_dump() | {"start_timeout_s": START_S} | values)


async def refusal(start: Start, kafka: KafkaSettings) -> str:
    with pytest.raises(ConfigError) as caught:
        await start(kafka)
    await asyncio.sleep(0.1)  # asyncio closes the refused connection in later turns of the loop
    line = str(caught.value)
    assert "\n" not in line
    assert kafka.sasl_password.get_secret_value() not in line
    return line


async def test_a_wrong_password_is_an_error_at_once(start: Start, guarded_kafka: KafkaSettings) -> None:
    line = await refusal(start, changed(guarded_kafka, sasl_password=WRONG))
    assert "refused the login of user 'andon': check kafka.sasl_username, kafka.sasl_password" in line


async def test_an_unknown_user_is_an_error_at_once(start: Start, guarded_kafka: KafkaSettings) -> None:
    assert "refused the login of user 'nobody'" in await refusal(start, changed(guarded_kafka, sasl_username="nobody"))


async def test_a_mechanism_that_the_broker_lacks_is_an_error_at_once(
    start: Start, guarded_kafka: KafkaSettings
) -> None:
    line = await refusal(start, changed(guarded_kafka, sasl_mechanism="PLAIN"))
    assert "it takes no PLAIN; check kafka.sasl_mechanism" in line


async def test_a_certificate_of_another_authority_is_an_error_at_once(
    start: Start, guarded_kafka: KafkaSettings, stranger: Authority
) -> None:
    line = await refusal(start, changed(guarded_kafka, ssl_cafile=str(stranger.ca)))
    assert "its certificate is not trusted" in line
    assert "check kafka.ssl_cafile" in line


async def test_a_certificate_for_another_host_is_an_error_at_once(start: Start, guarded_kafka: KafkaSettings) -> None:
    port = guarded_kafka.bootstrap_servers.rpartition(":")[2]
    line = await refusal(start, changed(guarded_kafka, bootstrap_servers=f"localhost:{port}"))
    assert "its certificate is not trusted" in line
    assert "'localhost'" in line
    assert "kafka.bootstrap_servers" in line


async def test_a_listener_without_tls_is_an_error_after_the_start_timeout(
    apache_kafka: str, guarded_kafka: KafkaSettings
) -> None:
    """It closes the connection silently, as a starting broker does, so the client tries for a while."""
    with pytest.raises(FatalError, match=r"is kafka\.security_protocol the one of that port\?") as caught:
        await start_producer(changed(guarded_kafka, bootstrap_servers=apache_kafka, start_timeout_s=2))
    assert PASSWORD not in str(caught.value)


async def test_a_missing_or_broken_authority_file_is_one_line(guarded_kafka: KafkaSettings, tmp_path: Path) -> None:
    assert "kafka.ssl_cafile: /nowhere/ca.pem" in await refusal(
        start_admin, changed(guarded_kafka, ssl_cafile="/nowhere/ca.pem")
    )
    (tmp_path / "ca.pem").write_text("no certificate")
    line = await refusal(start_admin, changed(guarded_kafka, ssl_cafile=str(tmp_path / "ca.pem")))
    assert "kafka.ssl_cafile" in line


@pytest.mark.parametrize("command", [("ingest",), ("sink",), ("topics", "create"), ("lag",), ("audit",)])
def test_every_process_ends_with_one_line_and_exit_code_2(
    command: tuple[str, ...], guarded_kafka: KafkaSettings, line_yaml: Path
) -> None:
    kafka = guarded_kafka.model_dump(mode="json") | {"sasl_password": WRONG, "start_timeout_s": START_S}
    store = f"sqlite:///{line_yaml.parent}/andon.db"
    document = {"kafka": kafka, "sinks": {"store": store}, "cameras": [{"id": "c", "url": "nowhere.mp4"}]}
    line_yaml.write_text(json.dumps(document))
    (line_yaml.parent / "andon.db").touch()
    done = subprocess.run(
        [sys.executable, "-m", "andon", *command, "-c", str(line_yaml)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"ANDON_HTTP__PORT": str(free_port())},
    )
    output = done.stdout + done.stderr
    assert done.returncode == 2, output
    assert "refused the login of user 'andon'" in done.stderr.splitlines()[-1]
    if command[0] in ("topics", "lag", "audit"):
        assert len(output.splitlines()) == 1
    assert "Traceback" not in output
    for secret in (WRONG, PASSWORD):
        assert secret not in output


async def test_a_password_that_is_refused_while_running_does_not_end_the_line(guarded_kafka: KafkaSettings) -> None:
    """A password that is rotated on the broker first does not stop connected clients."""
    async with started(lambda: producer(guarded_kafka), guarded_kafka, silent) as sending:
        with pytest.raises(ConfigError):
            await start_producer(changed(guarded_kafka, sasl_password=WRONG))
        await ensure_topics(Settings(kafka=guarded_kafka), silent)
        async with asyncio.timeout(60):
            await (await KafkaPublisher(sending).send(guarded_kafka.inspections_topic, encode(inspected(0))))
