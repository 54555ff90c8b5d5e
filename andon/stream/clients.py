"""Builds every Kafka client: security, sizes and timeouts are decided here alone."""

import asyncio
import math
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError

from andon.errors import ConfigError, FatalError
from andon.events import Emit, Retrying, silent
from andon.settings import KafkaSettings
from andon.stream.consumer_client import ConsumerClient
from andon.stream.network_faults import expect_faults
from andon.stream.producer import CLOSE_S, Producer
from andon.stream.reach import NoReachError, no_reach, require_reach
from andon.stream.refusals import LoginRefusals
from andon.stream.size_limits import BATCH_BYTES

HEARTBEAT_S = 0.5
"""A heartbeat's answer is how a member learns that another one has come or gone, and until it does nobody reads what
that one leaves. 0.5: two small requests a second for each member."""
MOST_OF_A_SESSION = 0.3
"""Of a session, between two heartbeats: two may be lost."""
METADATA_AGE_S = 15.0
"""Seconds after which a consumer asks the broker for its topics again, at the latest. A group's leader shares out the
partitions that it knew when it joined: a topic that its broker had not heard of yet, or partitions that were added, are
nobody's until it looks again. The client's own five minutes are too long for a line; four small requests a minute are
nothing. A producer asks whenever it meets an unknown topic.
"""
FETCH_BYTES = 2_000_000
"""Bytes of each partition in one fetch. A consumer holds this many ahead for each partition. A larger record comes
whole, by itself (KIP-74)."""
ROUND_ROBIN: Sequence[Any] = (RoundRobinPartitionAssignor,)
Client = TypeVar("Client", Producer, AIOKafkaConsumer, AIOKafkaAdminClient)


def producer(settings: KafkaSettings, emit: Emit = silent) -> Producer:
    """A producer, not started. `acks=all`."""
    return Producer(lambda: _producer(settings), settings.request_timeout_s, emit)


def _producer(settings: KafkaSettings) -> AIOKafkaProducer:
    """Pictures are compressed already, so records are not."""
    client = AIOKafkaProducer(
        **_connection(settings),
        acks="all",
        enable_idempotence=settings.idempotent,
        max_request_size=settings.max_record_bytes + 100_000,
        max_batch_size=BATCH_BYTES,
        linger_ms=2,
        compression_type=None,
    )
    # The client (0.14) gives a batch up after the request's timeout and then sends the batches behind it, which would
    # reorder a camera's records. It does so while a partition has no leader and, unless idempotent, after any failure.
    client._message_accumulator._batch_ttl = math.inf
    expect_faults(client.client)
    return client


def plain_producer(settings: KafkaSettings) -> Producer:
    """A producer, not started, for small records that may be lost: one copy is enough, and they are not numbered.

    It gets through where the broker takes nothing from `producer`, as while too few copies are in sync.
    """
    return Producer(lambda: _plain_producer(settings), settings.request_timeout_s, silent)


def _plain_producer(settings: KafkaSettings) -> AIOKafkaProducer:
    client = AIOKafkaProducer(**_connection(settings), acks=1, enable_idempotence=False, linger_ms=2)
    expect_faults(client.client)
    return client


def consumer(
    settings: KafkaSettings, group: str | None, fetch_min_bytes: int = 1, assignors: Sequence[Any] = ROUND_ROBIN
) -> ConsumerClient:
    """A consumer, not started and not subscribed. It never commits by itself. `assignors`: how the group shares.

    The broker holds its answer until it has `fetch_min_bytes` or `fetch_max_wait_ms` have passed. 1: it answers at
    once. More pays for a reader of small records in batches: an answer costs as much as ten of them.
    """
    return ConsumerClient(
        **_connection(settings),
        group_id=group,
        group_instance_id=(settings.member or None) if group else None,
        partition_assignment_strategy=tuple(assignors),
        metadata_max_age_ms=int(METADATA_AGE_S * 1000),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_min_bytes=fetch_min_bytes,
        fetch_max_wait_ms=settings.fetch_max_wait_ms,
        max_partition_fetch_bytes=FETCH_BYTES,
        session_timeout_ms=int(settings.session_timeout_s * 1000),
        heartbeat_interval_ms=int(1000 * min(settings.session_timeout_s * MOST_OF_A_SESSION, HEARTBEAT_S)),
        rebalance_timeout_ms=int(settings.session_timeout_s * 2000),
    )


def reader(settings: KafkaSettings) -> AIOKafkaConsumer:
    """A consumer for a RecordReader, not started. A fetch brings one batch: the broker sends the first one whole."""
    return ConsumerClient(
        **_connection(settings),
        enable_auto_commit=False,
        fetch_max_wait_ms=settings.fetch_max_wait_ms,
        max_partition_fetch_bytes=1,
    )


@asynccontextmanager
async def started(build: Callable[[], Client], settings: KafkaSettings, emit: Emit) -> AsyncIterator[Client]:
    """Build and start a client, and close it at the end. Starting is repeated while the broker is away.

    Raises:
        ConfigError: at once, where the broker refuses the login or its certificate is not trusted.
        FatalError: after `start_timeout_s` without a broker, with its address and the client's own reason.
    """
    client = await _start(build, settings, emit)
    try:
        yield client
    finally:
        await _close(client)


async def _start(build: Callable[[], Client], settings: KafkaSettings, emit: Emit) -> Client:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.start_timeout_s
    attempt = 0
    while True:
        attempt += 1
        client = build()
        refusals = LoginRefusals()
        try:
            with refusals:
                async with asyncio.timeout_at(deadline):
                    await client.start()
                    await require_reach(network(client))
            return client
        except (KafkaError, OSError, TimeoutError) as failure:
            # an idempotent producer waits in `start` for a broker that it can't reach
            error = (await no_reach(network(client)) or failure) if isinstance(failure, TimeoutError) else failure
            await _close(client)
            if (refusal := refusals.reason(error, settings)) is not None:
                raise ConfigError(f"Kafka at {settings.bootstrap_servers}: {refusal}") from None
            pause_s = min(0.2 * 2**attempt, 5.0)
            if loop.time() + pause_s > deadline:
                raise FatalError(_unreachable(settings, error)) from None
            emit(Retrying("kafka start", str(error) or type(error).__name__, attempt, pause_s))
            await asyncio.sleep(pause_s)


async def _close(client: Client) -> None:
    task = asyncio.current_task()
    assert task is not None
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())
    except asyncio.CancelledError:
        # aiokafka 0.14 lets out the end of its own tasks; it would hide why the process ends
        if task.cancelling():
            raise


def network(client: Client) -> AIOKafkaClient:
    """The part of the client that has the connections."""
    return client.client.client if isinstance(client, Producer) else client._client


def _unreachable(settings: KafkaSettings, error: BaseException) -> str:
    reason = str(error) or type(error).__name__
    if isinstance(error, NoReachError):
        return f"Kafka at {settings.bootstrap_servers} answers, but {reason}"
    hint = "is it up, are kafka.bootstrap_servers right, and is kafka.security_protocol the one of that port"
    return f"no Kafka at {settings.bootstrap_servers} after {settings.start_timeout_s:.0f} s ({reason}): {hint}?"


def admin(settings: KafkaSettings) -> AIOKafkaAdminClient:
    client = AIOKafkaAdminClient(**_connection(settings))
    expect_faults(client._client)
    return client


def _connection(settings: KafkaSettings) -> dict[str, Any]:
    connection: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": settings.security_protocol,
        "request_timeout_ms": int(settings.request_timeout_s * 1000),
        "retry_backoff_ms": 200,
    }
    if settings.security_protocol.startswith("SASL"):
        connection |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password.get_secret_value(),
        }
    if settings.security_protocol.endswith("SSL"):
        connection["ssl_context"] = _tls(settings)
    return connection


def _tls(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ssl_cafile)
    except ssl.SSLError:
        raise ConfigError(f"kafka.ssl_cafile: {settings.ssl_cafile}: no certificates in PEM there") from None
    except OSError as error:
        raise ConfigError(f"kafka.ssl_cafile: {settings.ssl_cafile}: {error.strerror}") from None
