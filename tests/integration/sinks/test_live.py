"""The live state in a real Valkey: idempotent, bounded in time, and rebuilt from memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from andon import redis as andon_redis
from andon.backoff import Backoff
from andon.events import SinkFailed, SinkWrote
from andon.messages import Inspection, RecordRef
from andon.settings import RedisSettings
from sinks.channels.live import LiveLimits, RedisLive
from sinks.judgement.snapshot import CameraSnapshot
from tests.fakes import START, FakeClock, RecordedEvents
from tests.redis_server import MortalRedis, ask

pytestmark = pytest.mark.integration


@pytest.fixture
def mortal() -> Iterator[MortalRedis]:
    with MortalRedis() as server:
        yield server


def a_snapshot(camera: str = "press-3", captured: int = 7) -> CameraSnapshot:
    return CameraSnapshot(
        camera_id=camera,
        state="online",
        state_since=START,
        detail="",
        session="s1",
        captured=captured,
        counts={"inspected": captured - 1, "shed": 1},
        lost=0,
        last_frame=f"{camera}/s1/{captured - 1}",
        last_frame_at=START,
        last_verdict="fail",
        verdicts={"fail": 2, "pass": 4},
        fps=25.0,
        open_defects=1,
    )


def an_inspection(seq: int, camera: str = "press-3") -> Inspection:
    ref = RecordRef(topic="f", partition=0, offset=seq)
    times = {"captured_at": START, "inspected_at": START}
    return Inspection(
        camera_id=camera, session="s1", seq=seq, outcome="inspected", width=64, height=48, frame=ref, **times
    )


class Line:
    """A running RedisLive, and a client of its own to look at what it wrote."""

    def __init__(self, live: RedisLive, redis: Redis, prefix: str, events: RecordedEvents) -> None:
        self.live, self.redis, self.events = live, redis, events
        self._prefix = prefix

    async def camera(self, camera: str = "press-3") -> dict[str, str]:
        found = await ask(self.redis, "HGETALL", f"{self._prefix}:camera:{camera}")
        return {key.decode(): value.decode() for key, value in found.items()}

    async def frames(self) -> list[str]:
        entries = await ask(self.redis, "XRANGE", f"{self._prefix}:inspections", "-", "+")
        return [fields[b"frame"].decode() for _, fields in entries]

    async def cameras(self) -> set[str]:
        return {member.decode() for member in await ask(self.redis, "SMEMBERS", f"{self._prefix}:cameras")}


@asynccontextmanager
async def running(
    settings: RedisSettings, limits: LiveLimits | None = None, clock: FakeClock | None = None
) -> AsyncIterator[Line]:
    url, events, stop = settings.url.get_secret_value(), RecordedEvents(), asyncio.Event()
    writing = andon_redis.client(url, settings.timeout_s)
    looking = andon_redis.client(url, 5.0)
    limits = limits or LiveLimits(backoff=Backoff(0.05, 0.1))
    live = RedisLive(writing, settings, clock or FakeClock(), events, limits)
    live.own(frozenset({0}))
    task = asyncio.create_task(live.run(stop))
    try:
        yield Line(live, looking, settings.prefix, events)
    finally:
        stop.set()
        await asyncio.wait_for(task, 60)
        await writing.aclose()
        await looking.aclose()


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await check():
            await asyncio.sleep(0.02)


async def until_written(line: Line, count: int) -> None:
    async def written() -> bool:
        return len(line.events.of(SinkWrote)) >= count

    await until(written)


async def test_a_camera_is_shown_whole(valkey: RedisSettings) -> None:
    async with running(valkey) as line:
        await line.live.show(0, [a_snapshot()], [an_inspection(6)])
        await until_written(line, 1)
        shown = await line.camera()
        assert {key: shown[key] for key in ("state", "captured", "inspected", "shed", "quarantined", "lost")} == {
            "state": "online",
            "captured": "7",
            "inspected": "6",
            "shed": "1",
            "quarantined": "0",
            "lost": "0",
        }
        assert shown["last_verdict"] == "fail"
        assert shown["verdict_unknown"] == "0"
        assert shown["lag_s"] == "0.0"
        assert await line.cameras() == {"press-3"}
        assert await line.frames() == ["press-3/s1/6"]


async def test_the_newest_inspected_frame_of_a_camera_can_be_found(valkey: RedisSettings) -> None:
    async with running(valkey) as line:
        shed = an_inspection(8).model_copy(update={"outcome": "shed", "reason": "stale"})
        await line.live.show(0, [a_snapshot()], [an_inspection(6), an_inspection(7), shed])
        await until_written(line, 1)
        found = await ask(line.redis, "GET", f"{valkey.prefix}:inspection:press-3")
        assert Inspection.read_json(found) == an_inspection(7)


async def test_a_camera_of_which_nothing_is_heard_is_shown_as_stalled_until_something_is(valkey: RedisSettings) -> None:
    clock = FakeClock()
    limits = LiveLimits(silent_s=30, silence_check_s=0.01, every_s=0.01)
    async with running(valkey, limits, clock) as line:
        stopped = replace(a_snapshot("press-4"), state="stopped")
        await line.live.show(0, [a_snapshot(), stopped], ())
        await until_written(line, 1)
        clock.advance(31)
        await until_written(line, 2)
        shown = await line.camera()
        assert (shown["state"], shown["last_verdict"], shown["fps"]) == ("stalled", "unknown", "0.0")
        assert shown["detail"].startswith("nothing heard for more than 30 s")
        assert (await line.camera("press-4"))["state"] == "stopped"
        await line.live.show(0, [a_snapshot(captured=8)], ())
        await until_written(line, 3)
        assert (await line.camera())["state"] == "online"


async def test_verdicts_on_parts_are_shown_where_parts_are_followed(valkey: RedisSettings) -> None:
    async with running(valkey) as line:
        snapshot = replace(a_snapshot("press-1"), parts={"pass": 5, "reject": 2, "unknown": 1})
        await line.live.show(0, [snapshot, a_snapshot("press-2")], [])
        await until_written(line, 1)
        shown = await line.camera("press-1")
        assert {key: value for key, value in shown.items() if key.startswith("parts")} == {
            "parts_pass": "5",
            "parts_reject": "2",
            "parts_unknown": "1",
        }
        assert not [key for key in await line.camera("press-2") if key.startswith("parts")]


async def test_the_same_state_again_changes_no_number(valkey: RedisSettings) -> None:
    async with running(valkey) as line:
        await line.live.show(0, [a_snapshot()], [])
        await until_written(line, 1)
        before = await line.camera()
        await line.live.show(0, [a_snapshot()], [])
        await until_written(line, 2)
        assert await line.camera() == before


async def test_a_state_that_comes_during_a_write_is_written_next(valkey: RedisSettings) -> None:
    async with running(valkey) as line:
        for captured in range(2, 200):
            await line.live.show(0, [a_snapshot(captured=captured)], [an_inspection(captured)])
            await asyncio.sleep(0)

        async def all_there() -> bool:
            return (await line.camera()).get("captured") == "199" and len(await line.frames()) == 198

        await until(all_there)
        assert await line.frames() == [f"press-3/s1/{seq}" for seq in range(2, 200)]


async def test_the_stream_of_inspections_is_capped(valkey: RedisSettings) -> None:
    settings = valkey.model_copy(update={"inspections_maxlen": 100})
    async with running(settings) as line:
        for first in range(0, 2000, 100):
            await line.live.show(0, [], [an_inspection(seq) for seq in range(first, first + 100)])
            await until_written(line, first // 100 + 1)
        assert 100 <= len(await line.frames()) < 400  # Redis trims whole nodes of 100


async def test_an_emptied_redis_is_rebuilt_even_for_cameras_whose_state_did_not_change(valkey: RedisSettings) -> None:
    async with running(valkey) as line:
        await line.live.show(0, [a_snapshot("press-1"), a_snapshot("press-2")], [])
        await until_written(line, 1)
        await line.redis.delete(*[f"{valkey.prefix}:{key}" for key in ("cameras", "camera:press-1", "camera:press-2")])
        await line.live.show(0, [a_snapshot("press-2", captured=9)], [])

        async def rebuilt() -> bool:
            return await line.cameras() == {"press-1", "press-2"} and bool(await line.camera("press-1"))

        await until(rebuilt)
        assert (await line.camera("press-2"))["captured"] == "9"


async def test_redis_killed_and_back_empty_is_rebuilt_and_the_account_never_waits(mortal: MortalRedis) -> None:
    async with running(mortal.settings) as line:
        await line.live.show(0, [a_snapshot("press-1"), a_snapshot("press-2")], [])
        await until_written(line, 1)
        mortal.kill()
        await line.live.show(0, [a_snapshot("press-1", captured=8)], [an_inspection(7, "press-1")])

        async def noticed() -> bool:
            return len(line.events.of(SinkFailed)) >= 2

        await until(noticed)
        mortal.start()

        async def rebuilt() -> bool:
            return await line.cameras() == {"press-1", "press-2"}

        await until(rebuilt)
        assert (await line.camera("press-1"))["captured"] == "8"
        assert await line.frames() == ["press-1/s1/7"]


async def test_a_redis_that_hangs_is_given_up_in_time_and_the_oldest_inspections_are_left_out(
    mortal: MortalRedis,
) -> None:
    limits = LiveLimits(waiting_inspections=10, backoff=Backoff(0.05, 0.1))
    async with running(mortal.settings, limits) as line:
        mortal.freeze()
        await line.live.show(0, [a_snapshot()], [an_inspection(seq) for seq in range(30)])

        async def noticed() -> bool:
            return bool(line.events.of(SinkFailed))

        await until(noticed)
        mortal.thaw()
        await until_written(line, 1)
        # the frozen server may have read an attempt that was given up: the stream can hold an inspection twice
        assert set(await line.frames()) == {f"press-3/s1/{seq}" for seq in range(20, 30)}
        events = line.events.of(SinkFailed)[0]
        assert events.sink == "live"
        assert "no answer in time; 20 inspections left out" in events.error


async def test_another_sinks_newer_state_is_not_overwritten_by_an_old_one(valkey: RedisSettings) -> None:
    async with running(valkey) as old, running(valkey) as new:
        await old.live.show(0, [a_snapshot("press-1", captured=5)], [])
        await until_written(old, 1)
        await new.live.show(0, [a_snapshot("press-1", captured=50)], [])
        await until_written(new, 1)
        old.live.own(frozenset({1}))
        await old.live.show(1, [a_snapshot("press-2")], [])
        await until_written(old, 2)
        assert (await old.camera("press-1"))["captured"] == "50"


async def test_a_former_owner_does_not_write_a_camera_again_when_redis_comes_back_empty(valkey: RedisSettings) -> None:
    async with running(valkey) as line:
        line.live.own(frozenset({0, 1}))
        await line.live.show(1, [a_snapshot("press-1")], [])
        await until_written(line, 1)
        line.live.own(frozenset({0}))
        await line.redis.delete(f"{valkey.prefix}:camera:press-1")
        for written in (2, 3):  # the first of these writes would see that the key is gone, the second would restore it
            await line.live.show(0, [a_snapshot("press-2", captured=written)], [])
            await until_written(line, written)
        assert await line.camera("press-1") == {}


async def test_a_former_owners_write_that_redis_took_late_is_written_over(valkey: RedisSettings) -> None:
    async with running(valkey) as owner:
        await owner.live.show(0, [a_snapshot("press-1", captured=50)], [])
        await until_written(owner, 1)
        stale: dict[Any, Any] = {"captured": "5", "updated_at": START.isoformat() + " earlier"}
        await owner.redis.hset(f"{valkey.prefix}:camera:press-1", mapping=stale)
        await owner.live.show(0, [a_snapshot("press-2")], [])

        async def corrected() -> bool:
            return (await owner.camera("press-1"))["captured"] == "50"

        await until(corrected)


async def test_stopping_writes_what_is_left(valkey: RedisSettings) -> None:
    async with running(valkey) as line:
        await line.live.show(0, [a_snapshot()], [])
    looking = andon_redis.client(valkey.url.get_secret_value(), 5.0)
    assert await looking.hget(f"{valkey.prefix}:camera:press-3", "captured") == b"7"
    await looking.aclose()


async def test_stopping_while_redis_is_away_does_not_wait_for_it(mortal: MortalRedis) -> None:
    async with running(mortal.settings) as line:
        mortal.kill()
        await line.live.show(0, [a_snapshot()], [])
    assert line.events.of(SinkFailed)
