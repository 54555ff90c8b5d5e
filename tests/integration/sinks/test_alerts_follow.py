"""`andon alerts follow`, as a person runs it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from andon import redis as andon_redis
from andon.messages import Defect, PartVerdict
from sinks.channels.redis_stream import RedisAlerts
from tests.outbox import a_defect, a_part, a_part_item, an_item
from tests.redis_server import MortalRedis

pytestmark = pytest.mark.integration

FOLLOW = [sys.executable, "-m", "andon", "alerts", "follow"]


@pytest.fixture
def server() -> Iterator[MortalRedis]:
    with MortalRedis() as server:
        yield server


async def raise_alerts(server: MortalRedis, *numbers: int) -> None:
    client = andon_redis.client(server.url, 5.0)
    channel = RedisAlerts(client, server.settings.model_copy(update={"prefix": "andon"}))
    for number in numbers:
        await channel.send(an_item(number))
    await client.aclose()


def follow(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*FOLLOW, *words], capture_output=True, text=True, timeout=60, check=False)


async def test_each_alert_is_one_line(server: MortalRedis) -> None:
    await raise_alerts(server, 1, 2)
    done = follow("--redis", server.url, "--from-start", "--count", "2")
    assert done.returncode == 0
    defect = a_defect(1)
    words = done.stdout.splitlines()[0].split()
    assert words == ["2026-03-01T06:00:00.000Z", "press-3", "major", "scratch", "opened", *_rest(defect)]
    assert len(done.stdout.splitlines()) == 2


def _rest(defect: Defect) -> list[str]:
    return [defect.defect_id, defect.evidence or "-"]


async def test_json_is_the_event_itself(server: MortalRedis) -> None:
    await raise_alerts(server, 1)
    done = follow("--redis", server.url, "--from-start", "--count", "1", "--json")
    assert Defect.model_validate(json.loads(done.stdout)) == a_defect(1)


async def judge_parts(server: MortalRedis, *parts: PartVerdict) -> None:
    client = andon_redis.client(server.url, 5.0)
    channel = RedisAlerts(client, server.settings.model_copy(update={"prefix": "andon"}))
    for number, part in enumerate(parts):
        await channel.send(a_part_item(number, part))
    await client.aclose()


async def test_each_verdict_on_a_part_is_one_line(server: MortalRedis) -> None:
    parts = [a_part(number, verdict) for number, verdict in enumerate(("pass", "reject", "unknown"))]
    await judge_parts(server, *parts)
    await raise_alerts(server, 1)
    done = follow("--redis", server.url, "--from-start", "--count", "3", "--parts")
    assert done.returncode == 0, done.stderr
    begun = ["2026-03-01T06:00:00.000Z", "press-3"]
    assert [line.split() for line in done.stdout.splitlines()] == [
        [*begun, "pass", "6", parts[0].part_id, "-"],
        [*begun, "reject", "6", parts[1].part_id, "scratch"],
        [*begun, "unknown", "6", parts[2].part_id, "too_few_frames"],
    ]


async def test_verdicts_as_json_for_a_group_are_the_events_themselves(server: MortalRedis) -> None:
    await judge_parts(server, a_part(1, "reject"), a_part(2))
    words = ("--redis", server.url, "--group", "shift", "--from-start", "--count", "1", "--json", "--parts")
    verdicts = [PartVerdict.model_validate(json.loads(follow(*words).stdout)) for _ in range(2)]
    assert verdicts == [a_part(1, "reject"), a_part(2)]


async def test_a_group_goes_on_where_it_was(server: MortalRedis) -> None:
    await raise_alerts(server, 1, 2)
    words = ("--redis", server.url, "--group", "shift", "--from-start", "--count", "1", "--json")
    ids = [json.loads(follow(*words).stdout)["event_id"] for _ in range(2)]
    assert ids == [a_defect(1).event_id, a_defect(2).event_id]


async def test_the_configuration_of_the_line_names_its_redis(server: MortalRedis, tmp_path: Path) -> None:
    await raise_alerts(server, 1)
    config = tmp_path / "line.yaml"
    config.write_text(f"redis:\n  url: {server.url}\n")
    assert follow("-c", str(config), "--from-start", "--count", "1").returncode == 0


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Started processes react to Ctrl-C, even where these tests run in the background and ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_it_says_that_it_waits_for_redis_and_ends_cleanly_at_ctrl_c(server: MortalRedis) -> None:
    server.kill()
    process = subprocess.Popen(
        [*FOLLOW, "--redis", server.url], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert f"andon: redis at 127.0.0.1:{server.port} is away" in line
    assert (process.returncode, out, err) == (130, "", "")


def test_a_wrong_url_is_one_line_that_does_not_repeat_it() -> None:
    done = follow("--redis", "http://me:hunter2@host")
    assert done.returncode == 2
    assert done.stderr.startswith("andon: not a Redis URL")
    assert "hunter2" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_configuration_is_one_line(tmp_path: Path) -> None:
    done = follow("-c", str(tmp_path / "none.yaml"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
