"""Checks of broker, Redis and probes for `andon config check`: what can't be meant, and whether servers answer."""

import asyncio
import re
import socket
from collections.abc import Iterator
from importlib.util import find_spec

from andon import redis, redis_server
from andon.errors import AndonError, ConfigError, FatalError
from andon.events import silent
from andon.settings import HttpSettings, KafkaSettings, Settings
from andon.stream.clients import admin
from andon.stream.topics import missing_topics

_ADDRESS = re.compile(r"(\[[^]]+\]|[^:\s/]+)(:(?P<port>[0-9]{1,5}))?")
MAX_PORT = 65_535
ANSWER_S = 10.0
"""Time limit for a server's answer. 10: a broker that is starting up answers within a few seconds."""


def check(settings: Settings) -> Iterator[str]:
    """What can be said of both without a connection."""
    yield from _addresses(settings.kafka)
    yield from _login(settings.kafka)
    try:
        asyncio.run(_built(settings.kafka))
    except ConfigError as error:
        yield str(error)
    yield from _own_address(settings.http)
    if settings.tracing.endpoint is not None and find_spec("opentelemetry") is None:
        yield "tracing.endpoint: OpenTelemetry is missing here: pip install 'andon[traces]'"
    try:
        redis.client(settings.redis.url.get_secret_value(), settings.redis.timeout_s)
    except ConfigError as error:
        yield f"redis.url: {error}"


def check_online(settings: Settings) -> list[str]:
    """Whether both answer. A server that line.yaml does not name is not asked: `andon up` starts its own."""
    return asyncio.run(_both(settings))


async def _both(settings: Settings) -> list[str]:
    answers = []
    if "bootstrap_servers" in settings.kafka.model_fields_set:
        answers.append(_broker(settings))
    if "url" in settings.redis.model_fields_set:
        answers.append(_redis(settings))
    return [fault for fault in await asyncio.gather(*answers) if fault]


def _own_address(http: HttpSettings) -> Iterator[str]:
    """Whether this machine has the address at which a process would serve its probes. Its port may be in use now."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(http.host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(place)
    except OSError as error:
        yield f"http.host: {http.host}: {error.strerror}: it is no address of this machine"


def _addresses(kafka: KafkaSettings) -> Iterator[str]:
    for address in (part.strip() for part in kafka.bootstrap_servers.split(",")):
        found = _ADDRESS.fullmatch(address)
        if found is None or int(found["port"] or 1) > MAX_PORT:
            yield f"kafka.bootstrap_servers: {address!r}: expected HOST:PORT, several of them with commas"


def _login(kafka: KafkaSettings) -> Iterator[str]:
    if kafka.security_protocol.startswith("SASL"):
        if not kafka.sasl_username:
            yield f"kafka.sasl_username: not set, and kafka.security_protocol is {kafka.security_protocol}"
        if not kafka.sasl_password.get_secret_value():
            yield f"kafka.sasl_password: not set, and kafka.security_protocol is {kafka.security_protocol}"
    elif kafka.sasl_username:
        yield f"kafka.sasl_username: no login is made, because kafka.security_protocol is {kafka.security_protocol}"


async def _built(kafka: KafkaSettings) -> None:
    """Build a client, unconnected. Raises ConfigError, for example for a `ssl_cafile` that can't be read."""
    await admin(kafka).close()


async def _broker(settings: Settings) -> str | None:
    kafka = settings.kafka
    limits = {
        "start_timeout_s": min(ANSWER_S, kafka.start_timeout_s),
        "request_timeout_s": min(ANSWER_S, kafka.request_timeout_s),
    }
    quick = settings.model_copy(update={"kafka": kafka.model_copy(update=limits)})
    try:
        async with asyncio.timeout(2 * ANSWER_S):
            missing = await missing_topics(quick, silent)
    except AndonError as error:
        return str(error)
    except TimeoutError:
        return f"Kafka at {kafka.bootstrap_servers}: no answer within {2 * ANSWER_S:g} s"
    if not missing:
        return None
    return f"the topics {', '.join(missing)} are missing at {kafka.bootstrap_servers}: `andon topics create` makes them"


async def _redis(settings: Settings) -> str | None:
    client = redis.client(settings.redis.url.get_secret_value(), settings.redis.timeout_s)
    try:
        async with asyncio.timeout(ANSWER_S):
            await redis_server.check(client)
    except FatalError as error:
        return str(error)
    except (*redis.REFUSED, *redis.AWAY, *redis.CLUSTER) as error:
        return f"redis at {redis.address(client)}: {redis.refusal(error) or redis.why(error)}"
    finally:
        await client.aclose()
    return None
