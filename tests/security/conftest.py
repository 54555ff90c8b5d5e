"""Servers with TLS and passwords, started once a session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from andon.settings import KafkaSettings
from tests import kafka_server
from tests.conftest import kafka_settings
from tests.security import certificates
from tests.security import redis_server as guarded_redis
from tests.security.certificates import Authority
from tests.security.kafka_server import PASSWORD, USER, GuardedKafka
from tests.security.redis_server import GuardedRedis, TlsFront


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if reason := certificates.missing():
        pytest.skip(reason)
    return Authority(tmp_path_factory.mktemp("authority") / "line")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Authority:
    """An authority that signed no certificate of the line."""
    return Authority(tmp_path_factory.mktemp("authority") / "stranger")


@pytest.fixture(scope="session")
def guarded_server(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[GuardedKafka]:
    if reason := kafka_server.missing():
        pytest.skip(reason)
    certificate = authority.issue("kafka", "IP:127.0.0.1")
    with GuardedKafka(tmp_path_factory.mktemp("guarded"), certificate, authority.ca) as server:
        yield server


@pytest.fixture
def guarded_kafka(guarded_server: GuardedKafka, authority: Authority) -> KafkaSettings:
    """The right password, the right authority, and topics that no other test uses."""
    right = {
        "security_protocol": "SASL_SSL",
        "sasl_username": USER,
        "sasl_password": PASSWORD,
        "ssl_cafile": str(authority.ca),
    }
    return KafkaSettings.model_validate(
        kafka_settings(guarded_server.bootstrap_servers, embedded=False).model_dump() | right
    )


@pytest.fixture(scope="session")
def tls_port(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[int]:
    certificate = authority.issue("redis", "IP:127.0.0.1")
    with GuardedRedis(tmp_path_factory.mktemp("redis")) as server, TlsFront(server.port, certificate) as front:
        yield front.port


@pytest.fixture
def redis_url(tls_port: int, authority: Authority) -> str:
    """The URL of the line's user, with the right password and the right authority."""
    return f"rediss://{guarded_redis.USER}:{guarded_redis.PASSWORD}@127.0.0.1:{tls_port}/0?ssl_ca_certs={authority.ca}"


@pytest.fixture
def line_yaml(tmp_path: Path) -> Path:
    return tmp_path / "line.yaml"
