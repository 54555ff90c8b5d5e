"""Redis with ACL users behind TLS: live state, alerts and the client work; a refusal is one line, at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from urllib.parse import quote

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from andon import redis as andon_redis
from andon.alerts import DefectAlerts, DefectFilter
from andon.clock import SystemClock
from andon.errors import ConfigError, FatalError
from andon.events import SinkRefused, SinkWrote
from andon.settings import RedisSettings
from sinks.channels.channel import SinkBroken
from sinks.channels.live import RedisLive
from sinks.channels.redis_stream import RedisAlerts
from sinks.judgement.snapshot import snapshot
from tests.fakes import RecordedEvents
from tests.outbox import a_defect, an_item
from tests.security.certificates import Authority
from tests.security.redis_server import PASSWORD, READER, READER_PASSWORD, USER
from tests.unit.sinks.judgement.frames import Steps, crossing

pytestmark = pytest.mark.integration
WRONG = "wr0ng-s3cret"
REFUSED_S = 60.0
"""A client that took it for an absent Redis would wait for ever."""


@pytest.fixture(autouse=True)
async def let_tls_connections_close() -> AsyncIterator[None]:
    """asyncio closes a TLS connection in later turns of the loop, after `aclose` has returned."""
    yield
    await asyncio.sleep(0.1)


@pytest.fixture
async def line(redis_url: str) -> AsyncIterator[Redis]:
    client = andon_redis.client(redis_url, 5.0)
    yield client
    await client.aclose()


async def test_live_state_is_written(line: Redis, redis_url: str) -> None:
    events = RecordedEvents()
    live = RedisLive(line, RedisSettings(url=SecretStr(redis_url)), SystemClock(), events)
    live.own(frozenset({0}))
    stepped = Steps().take(crossing(range(3)))
    stop = asyncio.Event()
    await live.show(0, [snapshot(stepped.camera)], ())
    stop.set()
    await live.run(stop)
    assert events.of(SinkWrote)
    assert await line.hget("andon:camera:press-1", "inspected") == b"3"


async def test_alerts_go_in_as_the_line_and_come_out_as_a_consumer_with_less_rights(
    line: Redis, redis_url: str
) -> None:
    await RedisAlerts(line, RedisSettings()).send(an_item(1))
    url = redis_url.replace(f"{USER}:{PASSWORD}", f"{READER}:{READER_PASSWORD}")
    async with (
        asyncio.timeout(60),
        DefectAlerts(url, group="plc", start="beginning") as alerts,
        aclosing(alerts.only(DefectFilter())) as handed_out,
    ):
        alert = await anext(handed_out)
        assert alert.defect == a_defect(1)
        await alert.ack()
    reader = andon_redis.client(url, 5.0)
    with pytest.raises(NoPermissionError):
        await reader.xadd("andon:alerts", {"event": "false"})
    await reader.aclose()


async def refusals(url: str) -> list[str]:
    """The errors of the alert channel, the live state and the alert client about `url`: one line each, at once."""
    lines = [await _of_alerts(url), await _of_live(url), await _of_client(url)]
    for line in lines:
        assert "\n" not in line
        for secret in (WRONG, PASSWORD, READER_PASSWORD):
            assert secret not in line
    return lines


async def _of_alerts(url: str) -> str:
    client = andon_redis.client(url, 5.0)
    with pytest.raises(SinkBroken) as caught:
        await RedisAlerts(client, RedisSettings()).send(an_item(2))
    await client.aclose()
    return str(caught.value)


async def _of_live(url: str) -> str:
    events, client = RecordedEvents(), andon_redis.client(url, 5.0)
    live = RedisLive(client, RedisSettings(), SystemClock(), events)
    live.own(frozenset({0}))
    await live.show(0, [snapshot(Steps().take(crossing(range(1))).camera)], ())
    writing = asyncio.create_task(live.run(asyncio.Event()))
    async with asyncio.timeout(REFUSED_S):
        while not events.of(SinkRefused):
            await asyncio.sleep(0.01)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await client.aclose()
    return events.of(SinkRefused)[0].error


async def _of_client(url: str) -> str:
    with pytest.raises(FatalError) as caught:
        async with asyncio.timeout(REFUSED_S), DefectAlerts(url, group="plc"):
            pass
    return str(caught.value)


async def test_a_wrong_password_is_an_error_at_once(redis_url: str) -> None:
    for line in await refusals(redis_url.replace(PASSWORD, WRONG)):
        assert "refuses us: invalid username-password pair" in line


async def test_a_missing_password_is_an_error_at_once(redis_url: str) -> None:
    for line in await refusals(redis_url.replace(f"{USER}:{PASSWORD}@", "")):
        assert "refuses us: Authentication required" in line


async def test_a_user_without_rights_is_an_error_at_once(redis_url: str) -> None:
    url = redis_url.replace(f"{USER}:{PASSWORD}", f"{READER}:{READER_PASSWORD}")
    for line in (await _of_alerts(url), await _of_live(url)):
        assert "refuses us" in line
        assert "no permissions" in line or "No permissions" in line


async def test_a_certificate_of_another_authority_is_an_error_at_once(
    redis_url: str, authority: Authority, stranger: Authority
) -> None:
    for line in await refusals(redis_url.replace(str(authority.ca), str(stranger.ca))):
        assert "its certificate is not trusted (unable to get local issuer certificate)" in line


async def test_a_certificate_for_another_host_is_an_error_at_once(redis_url: str) -> None:
    for line in await refusals(redis_url.replace("127.0.0.1", "localhost")):
        assert "its certificate is not trusted (Hostname mismatch" in line


async def test_an_authority_without_tls_or_without_its_file_is_a_mistake_in_the_settings(authority: Authority) -> None:
    with pytest.raises(ConfigError, match="write rediss://"):
        andon_redis.client(f"redis://u:{WRONG}@h/0?ssl_ca_certs={authority.ca}", 1.0)
    with pytest.raises(ConfigError, match=r"/nowhere/ca\.pem: No such file"):
        andon_redis.client("rediss://h/0?ssl_ca_certs=/nowhere/ca.pem", 1.0)
    with pytest.raises(ConfigError, match="no certificates in PEM"):
        andon_redis.client(f"rediss://h/0?ssl_ca_certs={authority.ca.with_suffix('.key')}", 1.0)


@pytest.mark.parametrize("sign", "/?#@")
async def test_a_password_with_a_sign_that_cuts_the_url_never_becomes_a_host(sign: str) -> None:
    """`user:12#s3cret@host` would be host user, port 12."""
    password = f"12{sign}s3cret"
    if sign == "@":  # the last @ is the separator: nothing is cut
        assert andon_redis.address(andon_redis.client(f"redis://u:{password}@h/0", 1.0)) == "h:6379"
        return
    with pytest.raises(ConfigError, match="write /,") as caught:
        andon_redis.client(f"redis://u:{password}@h:6379/0", 1.0)
    assert "s3cret" not in str(caught.value)
    assert "12" not in str(caught.value)
    quoted = andon_redis.client(f"redis://u:{quote(password, safe='')}@h:6379/0", 1.0)
    assert andon_redis.address(quoted) == "h:6379"
