"""The alert client on a real Valkey: events are shared, acknowledged, taken over, and survive an absent Redis."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing

import pytest
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection

from andon import redis as andon_redis
from andon.alerts import DEFECTS, PARTS, DefectAlerts, DefectFilter, Delivery, PartFilter, PartVerdicts, Start, tail
from andon.errors import FatalError
from andon.messages import Defect, PartVerdict
from andon.settings import RedisSettings
from sinks.channels.channel import SinkBusy
from sinks.channels.redis_stream import RedisAlerts
from tests.outbox import a_defect, a_part, a_part_item, an_item
from tests.redis_server import MortalRedis, ask

pytestmark = pytest.mark.integration
WAIT_S = 60.0


class Line:
    """A Redis and the channel that fills its stream."""

    def __init__(self, settings: RedisSettings) -> None:
        self.url = settings.url.get_secret_value()
        self.prefix = settings.prefix
        self.redis = andon_redis.client(self.url, 5.0)
        self._channel = RedisAlerts(self.redis, settings)

    @property
    def key(self) -> str:
        return f"{self.prefix}:alerts"

    async def raise_alert(self, number: int, **changes: object) -> Defect:
        defect = a_defect(number, **changes)  # type: ignore[arg-type]  # camera, transition and fields
        for patience in (True, True, False):  # the dispatcher, too, sends again over a connection of its own
            try:
                await self._channel.send(an_item(number, defect=defect))
                break
            except SinkBusy:
                if not patience:
                    raise
        return defect

    async def judge(self, number: int, verdict: str) -> PartVerdict:
        part = a_part(number, verdict)
        await self._channel.send(a_part_item(number, part))
        return part

    def parts(self) -> PartVerdicts:
        return PartVerdicts(self.url, group="plc", consumer="a", start="beginning", prefix=self.prefix)

    def consumer(self, name: str = "a", *, start: Start = "beginning", min_idle_s: float = 60.0) -> DefectAlerts:
        rest = {"start": start, "min_idle_s": min_idle_s, "prefix": self.prefix}
        return DefectAlerts(self.url, group="plc", consumer=name, **rest)  # type: ignore[arg-type]  # as typed above

    async def pending(self) -> int:
        return int((await ask(self.redis, "XPENDING", self.key, "plc"))["pending"])


@pytest.fixture
async def line(valkey: RedisSettings) -> AsyncIterator[Line]:
    line = Line(valkey)
    yield line
    await line.redis.aclose()


@pytest.fixture
def mortal() -> Iterator[MortalRedis]:
    with MortalRedis() as server:
        yield server


@pytest.fixture
async def mortal_line(mortal: MortalRedis) -> AsyncIterator[Line]:
    line = Line(mortal.settings)
    yield line
    await line.redis.aclose()


async def take(alerts: DefectAlerts, count: int, *, ack: bool = True) -> list[Delivery[Defect]]:
    taken: list[Delivery[Defect]] = []
    async with asyncio.timeout(WAIT_S), aclosing(alerts.only(DefectFilter())) as handed_out:
        async for alert in handed_out:
            taken.append(alert)
            if ack:
                await alert.ack()
            if len(taken) == count:
                break
    return taken


async def somebody_waits(redis: Redis) -> None:
    """Until a client blocks on Redis: it knows from which entry it reads on."""
    async with asyncio.timeout(WAIT_S):
        while not (await ask(redis, "INFO", "clients"))["blocked_clients"]:
            await asyncio.sleep(0.02)


def defects(alerts: list[Delivery[Defect]]) -> list[Defect]:
    return [alert.defect for alert in alerts]


async def test_events_arrive_whole_and_in_order(line: Line) -> None:
    raised = [await line.raise_alert(number, part_id=f"P{number}") for number in range(1, 6)]
    async with line.consumer() as alerts:
        assert defects(await take(alerts, 5)) == raised
    assert await line.pending() == 0


async def test_an_acknowledged_event_does_not_come_again(line: Line) -> None:
    await line.raise_alert(1)
    async with line.consumer() as alerts:
        await take(alerts, 1)
    second = await line.raise_alert(2)
    async with line.consumer() as alerts:
        assert defects(await take(alerts, 1)) == [second]


async def test_an_unacknowledged_event_comes_first_after_a_restart(line: Line) -> None:
    raised = [await line.raise_alert(number) for number in (1, 2)]
    async with line.consumer() as alerts:
        await take(alerts, 2, ack=False)
    raised.append(await line.raise_alert(3))
    async with line.consumer() as alerts:
        assert defects(await take(alerts, 3)) == raised


async def test_a_new_group_begins_with_new_events_by_default(line: Line) -> None:
    await line.raise_alert(1)
    async with line.consumer(start="new") as alerts:
        second = await line.raise_alert(2)
        assert defects(await take(alerts, 1)) == [second]


async def test_an_alert_that_comes_while_a_consumer_waits_wakes_it(line: Line) -> None:
    async with line.consumer(start="new") as alerts:
        waiting = asyncio.create_task(take(alerts, 1))
        await somebody_waits(line.redis)
        raised = await line.raise_alert(1)
        assert defects(await waiting) == [raised]


async def test_consumers_of_a_group_share_the_events(line: Line) -> None:
    raised = [await line.raise_alert(number) for number in range(1, 21)]
    async with line.consumer("a") as a, line.consumer("b") as b:
        halves = await asyncio.gather(take(a, 10), take(b, 10))
    ids = [defect.event_id for half in halves for defect in defects(half)]
    assert sorted(ids) == sorted(defect.event_id for defect in raised)


async def test_another_consumer_takes_over_the_events_of_a_dead_one(line: Line) -> None:
    raised = [await line.raise_alert(number) for number in (1, 2, 3)]
    async with line.consumer("dead") as dead:
        await take(dead, 3, ack=False)
    async with line.consumer("alive", min_idle_s=0.3) as alive:
        assert defects(await take(alive, 3)) == raised
    assert await line.pending() == 0


async def test_an_event_stays_with_the_living_consumer_that_handles_it(line: Line) -> None:
    raised = [await line.raise_alert(number) for number in (1, 2)]
    async with line.consumer("a") as a, line.consumer("b") as b:
        held = await take(a, 1, ack=False)
        assert defects(await take(b, 1)) == [raised[1]]
        assert await line.pending() == 1
        await held[0].ack()
        assert await line.pending() == 0


async def test_an_entry_that_is_no_event_is_logged_and_acknowledged(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    poison: list[tuple[str | bytes, ...]] = [
        ("event", b"\xff\xfe"),
        ("event", "{}"),
        ("something", "else"),
        ("type", "andon.defect.v9", "event", "{}"),
    ]
    for fields in poison:
        await ask(line.redis, "XADD", line.key, "*", *fields)
    good = await line.raise_alert(1)
    async with line.consumer() as alerts:
        assert defects(await take(alerts, 1)) == [good]
        assert alerts.poisoned == 4
    assert await line.pending() == 0
    assert sum("passed over" in message for message in caplog.messages) == 4


async def test_fields_of_a_newer_line_are_ignored(line: Line) -> None:
    event = a_defect().model_dump_json().replace('{"', '{"colour":"red","', 1).replace('"x1"', '"x0":1,"x1"')
    await ask(line.redis, "XADD", line.key, "*", "event", event)
    async with line.consumer() as alerts:
        assert defects(await take(alerts, 1)) == [a_defect()]


async def test_an_event_trimmed_before_it_was_handled_is_logged_and_counted(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    await line.raise_alert(1)
    async with line.consumer() as alerts:
        await take(alerts, 1, ack=False)
    await ask(line.redis, "XTRIM", line.key, "MAXLEN", "=", 0)
    second = await line.raise_alert(2)
    async with line.consumer() as alerts:
        assert defects(await take(alerts, 1)) == [second]
        assert alerts.trimmed == 1
    assert await line.pending() == 0
    assert any("left the stream" in message for message in caplog.messages)


async def test_a_trimmed_event_of_a_dead_consumer_is_counted_by_its_successor(line: Line) -> None:
    await line.raise_alert(1)
    async with line.consumer("dead") as dead:
        await take(dead, 1, ack=False)
    await ask(line.redis, "XTRIM", line.key, "MAXLEN", "=", 0)
    await asyncio.sleep(0.05)
    second = await line.raise_alert(2)
    async with line.consumer("alive", min_idle_s=0.01) as alive:
        assert defects(await take(alive, 1)) == [second]
        assert alive.trimmed == 1


async def test_a_filter_hands_out_its_events_and_acknowledges_the_rest(line: Line) -> None:
    await line.raise_alert(1, severity="minor")
    await line.raise_alert(2, transition="updated")
    await line.raise_alert(3, camera="press-4")
    await line.raise_alert(4, label="dent")
    wanted_one = await line.raise_alert(5, severity="critical")
    wanted = DefectFilter(cameras={"press-3"}, labels={"scratch"}, transitions={"opened"}, min_severity="major")
    async with line.consumer() as alerts, asyncio.timeout(WAIT_S), aclosing(alerts.only(wanted)) as handed_out:
        alert = await anext(handed_out)
        assert alert.defect == wanted_one
        assert await line.pending() == 1


async def test_cancelling_a_waiting_consumer_is_clean_and_loses_nothing(line: Line) -> None:
    async with line.consumer(start="new") as alerts:
        waiting = asyncio.create_task(take(alerts, 1))
        await somebody_waits(line.redis)
        waiting.cancel()
        await asyncio.wait({waiting})
        assert waiting.cancelled()
        raised = await line.raise_alert(1)
        assert defects(await take(alerts, 1)) == [raised]


# ---- Redis comes and goes


async def test_a_consumer_survives_a_redis_that_restarts_empty(
    mortal: MortalRedis, mortal_line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    await mortal_line.raise_alert(1)
    async with mortal_line.consumer() as alerts:
        await take(alerts, 1)
        waiting = asyncio.create_task(take(alerts, 1))
        await somebody_waits(mortal_line.redis)
        mortal.kill()
        async with asyncio.timeout(WAIT_S):
            while not any("is away" in message for message in caplog.messages):
                await asyncio.sleep(0.02)
        mortal.start()
        raised = await mortal_line.raise_alert(2)
        assert defects(await waiting) == [raised]
    log = " | ".join(caplog.messages)
    assert ("is away" in log, "is back" in log, "group plc is gone" in log) == (True, True, True)


async def test_a_waiting_consumer_survives_a_flush_of_redis(mortal: MortalRedis, mortal_line: Line) -> None:
    async with mortal_line.consumer(start="new") as alerts:
        waiting = asyncio.create_task(take(alerts, 1))
        await somebody_waits(mortal_line.redis)
        await ask(mortal_line.redis, "FLUSHALL")
        raised = await mortal_line.raise_alert(1)
        assert defects(await waiting) == [raised]


async def test_a_consumer_may_start_before_redis(mortal: MortalRedis, mortal_line: Line) -> None:
    mortal.kill()

    async def consume() -> list[Delivery[Defect]]:
        async with mortal_line.consumer() as alerts:
            return await take(alerts, 1)

    consuming = asyncio.create_task(consume())
    await asyncio.wait({consuming}, timeout=0.3)
    mortal.start()
    raised = await mortal_line.raise_alert(1)
    assert defects(await consuming) == [raised]


async def test_acknowledging_waits_until_redis_is_back(mortal: MortalRedis, mortal_line: Line) -> None:
    await mortal_line.raise_alert(1)
    async with mortal_line.consumer() as alerts:
        (alert,) = await take(alerts, 1, ack=False)
        mortal.freeze()
        acknowledging = asyncio.create_task(alert.ack())
        await asyncio.wait({acknowledging}, timeout=0.3)
        assert not acknowledging.done()
        mortal.thaw()
        async with asyncio.timeout(WAIT_S):
            await acknowledging
    assert await mortal_line.pending() == 0


async def test_a_wrong_password_is_one_line_without_the_password(mortal: MortalRedis) -> None:
    admin = andon_redis.client(mortal.url, 5.0)
    await ask(admin, "CONFIG", "SET", "requirepass", "sesame")
    await admin.aclose()
    url = mortal.url.replace("redis://", "redis://:hunter2@")
    with pytest.raises(FatalError, match="refuses us") as error:
        async with DefectAlerts(url, group="plc"):
            pass
    assert "hunter2" not in str(error.value)
    assert "\n" not in str(error.value)


async def test_a_key_that_is_no_stream_is_one_line(line: Line) -> None:
    await ask(line.redis, "SET", line.key, "1")
    with pytest.raises(FatalError, match="WRONGTYPE"):
        async with line.consumer():
            pass


@pytest.mark.parametrize("reset", [False, True])
async def test_a_consumer_ends_that_is_cancelled_as_its_command_goes_out(
    line: Line, monkeypatch: pytest.MonkeyPatch, *, reset: bool
) -> None:
    send = AbstractConnection._send_packed_command

    async def send_and_cancel(connection: AbstractConnection, command: Iterable[bytes]) -> None:
        await send(connection, command)
        if any(b"XREADGROUP" in part for part in command):
            consuming.cancel()
            if reset:
                raise ConnectionResetError

    monkeypatch.setattr(AbstractConnection, "_send_packed_command", send_and_cancel)
    async with line.consumer() as alerts:
        consuming = asyncio.create_task(take(alerts, 1), name="consumer")
        done, _ = await asyncio.wait({consuming}, timeout=3.0)
        consuming.cancel()
        assert done, "it goes on"
        assert consuming.cancelled()


# ---- looking on without a group


async def test_tailing_passes_over_an_entry_that_is_no_event(line: Line) -> None:
    raised = [await line.raise_alert(1)]
    await ask(line.redis, "XADD", line.key, "*", "event", "{}")
    raised.append(await line.raise_alert(2))
    from_the_first = tail(DEFECTS, line.url, start="beginning", prefix=line.prefix)
    async with asyncio.timeout(WAIT_S), aclosing(from_the_first) as events:
        assert [await anext(events), await anext(events)] == raised


async def test_tailing_shows_only_new_events_and_leaves_no_group(line: Line) -> None:
    await line.raise_alert(1)
    async with asyncio.timeout(WAIT_S), aclosing(tail(DEFECTS, line.url, prefix=line.prefix)) as events:
        coming = asyncio.ensure_future(anext(events))
        await somebody_waits(line.redis)
        second = await line.raise_alert(2)
        assert await coming == second
    assert await ask(line.redis, "XINFO", "GROUPS", line.key) == []


async def test_tailing_goes_on_when_redis_is_back(mortal: MortalRedis, mortal_line: Line) -> None:
    await mortal_line.raise_alert(1)
    async with asyncio.timeout(WAIT_S), aclosing(tail(DEFECTS, mortal_line.url, prefix=mortal_line.prefix)) as events:
        coming = asyncio.ensure_future(anext(events))
        await somebody_waits(mortal_line.redis)
        mortal.kill()
        mortal.start()
        second = await mortal_line.raise_alert(2)
        assert await coming == second


async def test_verdicts_on_parts_are_handed_out_until_they_are_acknowledged(line: Line) -> None:
    verdicts = [await line.judge(number, verdict) for number, verdict in enumerate(("pass", "reject", "unknown"))]
    async with asyncio.timeout(WAIT_S), line.parts() as parts, aclosing(parts.only(PartFilter())) as handed_out:
        assert [(await anext(handed_out)).part for _ in verdicts] == verdicts
    async with asyncio.timeout(WAIT_S), line.parts() as parts:
        wanted = PartFilter(verdicts={"reject", "unknown"}, cameras={"press-3"})
        async with aclosing(parts.only(wanted)) as handed_out:
            for due in verdicts[1:]:
                again = await anext(handed_out)
                assert again.part == due
                await again.ack()
        async with aclosing(parts.only(PartFilter(cameras={"press-9"}))) as handed_out:
            late = asyncio.ensure_future(anext(handed_out))
            await somebody_waits(line.redis)
            assert not late.done()
            late.cancel()
            await asyncio.gather(late, return_exceptions=True)
        assert (await ask(line.redis, "XPENDING", f"{line.prefix}:parts", "plc"))["pending"] == 0


async def test_a_consumer_of_defects_never_gets_a_part(line: Line) -> None:
    await line.judge(1, "reject")
    raised = await line.raise_alert(1)
    await line.judge(2, "pass")
    async with line.consumer() as alerts:
        assert [alert.defect for alert in await take(alerts, 1)] == [raised]
        assert alerts.poisoned == 0
    assert await ask(line.redis, "XLEN", line.key) == 1


async def test_verdicts_can_be_tailed_without_a_group(line: Line) -> None:
    verdict = await line.judge(1, "unknown")
    from_the_first = tail(PARTS, line.url, start="beginning", prefix=line.prefix)
    async with asyncio.timeout(WAIT_S), aclosing(from_the_first) as events:
        assert await anext(events) == verdict
