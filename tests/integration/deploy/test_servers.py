"""The embedded servers start, answer, stop, and leave nothing behind."""

import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from redis import Redis

from deploy.local import kafka, server
from deploy.local.broker import EmbeddedBroker
from deploy.local.redis import EmbeddedRedis
from deploy.local.server import free_port, speaks_kafka
from tests import kafka_server, postgres_server
from tests.redis_server import MortalRedis

pytestmark = pytest.mark.integration


async def test_a_record_goes_through_the_broker(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path) as broker:
        producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers)
        await producer.start()
        try:
            await producer.send_and_wait("t", b"hello", b"k")
        finally:
            await producer.stop()
        consumer = AIOKafkaConsumer("t", bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest")
        await consumer.start()
        try:
            assert (await consumer.getone()).value == b"hello"
        finally:
            await consumer.stop()


def test_both_listen_on_loopback_alone(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path) as broker, EmbeddedRedis(tmp_path) as redis:
        for each in (broker, redis):
            listening = [c.laddr for c in psutil.Process(each.pid).net_connections() if c.status == "LISTEN"]
            assert [(at.ip, at.port) for at in listening] == [("127.0.0.1", each.port)]


def test_redis_keeps_its_data_in_its_folder(tmp_path: Path) -> None:
    with EmbeddedRedis(None, tmp_path / "data") as redis, Redis.from_url(redis.url) as client:
        client.set("part", "7")
    with EmbeddedRedis(None, tmp_path / "data") as redis, Redis.from_url(redis.url) as client:
        assert client.get("part") == b"7"


def test_without_a_folder_redis_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with EmbeddedRedis() as redis, Redis.from_url(redis.url) as client:
        client.set("part", "7")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [EmbeddedBroker, EmbeddedRedis])
def test_a_server_is_gone_after_its_block_even_when_that_failed(kind: type[EmbeddedBroker | EmbeddedRedis]) -> None:
    def fail_inside() -> None:
        with kind() as started:
            pids.append(started.pid)
            raise RuntimeError("the line failed")

    pids: list[int] = []
    with pytest.raises(RuntimeError, match="the line failed"):
        fail_inside()
    assert not psutil.pid_exists(pids[0])


@pytest.fixture
def taken_then_free() -> Iterator[list[int]]:
    """A port that is bound while nobody listens, so that nobody answers there, and a free one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield [taken.getsockname()[1], free_port()]


@pytest.mark.parametrize("kind", [EmbeddedRedis, MortalRedis])
def test_a_server_takes_another_port_if_its_own_was_taken_meanwhile(
    kind: type[EmbeddedRedis], taken_then_free: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "free_port", lambda preferred: taken_then_free.pop(0))
    with kind() as redis, Redis.from_url(redis.url) as client:
        assert client.ping()
    assert taken_then_free == []


def test_kafka_takes_another_port_for_its_controller_if_that_was_taken_meanwhile_and_never_that_of_its_clients(
    tmp_path: Path, taken_then_free: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := kafka_server.missing():
        pytest.skip(reason)
    node = kafka_server.KafkaServer(tmp_path)
    monkeypatch.setattr(kafka, "free_ports", lambda count: [node.port, taken_then_free.pop(0)])
    with node:
        assert speaks_kafka(node.port)
    assert taken_then_free == []


def test_postgresql_takes_another_port_if_its_own_was_taken_meanwhile(
    taken_then_free: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := postgres_server.missing():
        pytest.skip(reason)
    monkeypatch.setattr(postgres_server, "free_port", lambda: taken_then_free.pop(0))
    with postgres_server.PostgresServer() as database:
        database.empty()
    assert taken_then_free == []


def test_a_preferred_port_is_taken_if_it_is_free_and_another_if_not() -> None:
    port = free_port()
    with EmbeddedRedis(port=port) as first, EmbeddedRedis(port=port) as second:
        assert first.port == port
        assert second.port != port
    with EmbeddedRedis(port=port) as again:
        assert again.port == port


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills the children of a killed parent")
def test_killing_the_parent_leaves_no_orphan() -> None:
    script = """
        import sys
        from deploy.local.broker import EmbeddedBroker
        from deploy.local.redis import EmbeddedRedis
        with EmbeddedBroker() as broker, EmbeddedRedis() as redis:
            print(broker.pid, redis.pid, flush=True)
            sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    gone, alive = psutil.wait_procs(children, timeout=60)
    assert not alive
    assert len(gone) == 2


def test_ports_that_are_taken_together_are_all_different() -> None:
    assert len(set(server.free_ports(200))) == 200
