"""`andon camera add`, `list`, `show`, `set`, `disable`, `enable`, `remove` on real brokers and a real Redis."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from andon import redis
from andon.cameras import changing
from andon.cameras.edits import Edit
from andon.cameras.registry import Change, Registry, Writer, open_registry, open_writer
from andon.cli import main
from andon.clock import SystemClock
from andon.errors import FatalError
from andon.events import Emit, silent
from andon.messages import CameraConfig
from andon.settings import KafkaSettings, RedisSettings, Settings
from andon.stream.topics import ensure_topics
from sinks.channels.live import RedisLive
from tests.conftest import kafka_settings
from tests.fakes import START
from tests.integration.sinks.test_live import a_snapshot
from tests.rtsp_camera import RtspCamera, film

pytestmark = pytest.mark.integration
URL = "rtsp://viewer:${CAMERA_PASSWORD}@10.0.0.5/stream1"
Andon = Callable[..., Result]


BOTH = pytest.mark.parametrize("kafka", ["embedded", "apache"], indirect=True)


@pytest.fixture
def kafka(request: pytest.FixtureRequest) -> KafkaSettings:
    """The embedded broker, unless a test asks for another one."""
    kind = getattr(request, "param", "embedded")
    servers = request.getfixturevalue("apache_kafka" if kind == "apache" else "embedded_broker")
    return kafka_settings(servers, embedded=kind == "embedded")


@pytest.fixture
def line(kafka: KafkaSettings, valkey: RedisSettings, tmp_path: Path) -> Path:
    """A line.yaml with one camera, and the topics of its broker."""
    path = tmp_path / "line.yaml"
    sections = {
        "kafka": kafka.model_dump(mode="json", exclude_defaults=True),
        "redis": valkey.model_dump(mode="json", exclude_defaults=True) | {"url": valkey.url.get_secret_value()},
        "cameras": [{"id": "press-1", "url": "clip.mp4"}],
    }
    path.write_text(yaml.safe_dump(sections))
    asyncio.run(ensure_topics(Settings(kafka=kafka), silent))
    return path


@pytest.fixture
def andon(line: Path, monkeypatch: pytest.MonkeyPatch) -> Andon:
    monkeypatch.setattr(changing, "ANSWER_S", 90.0)  # the machine of a test may be busy

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["camera", *arguments, "-c", str(line)], catch_exceptions=False)

    return run


def facts(done: Result) -> dict[str, Any]:
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@BOTH
def test_a_camera_is_added_shown_changed_disabled_and_removed(andon: Andon) -> None:
    added = facts(andon("add", URL, "--id", "press-7", "--set", "fps=10", "--set", "health.frozen_s=5", "--json"))
    assert added["settings"] == {"url": URL, "fps": 10, "health": {"frozen_s": 5}}
    assert facts(andon("show", "press-7", "--json")) == added
    assert andon("set", "press-7", "fps=25", "longest_side=640").stdout == (
        "press-7: fps=25 (was 10), longest_side=640 (was the default)\n"
    )
    assert andon("set", "press-7", "fps=null", "health.frozen_s=null").exit_code == 0
    assert facts(andon("show", "press-7", "--json"))["settings"] == {"url": URL, "longest_side": 640}
    assert andon("disable", "press-7").stdout == "press-7: enabled=false (was the default)\n"
    assert not facts(andon("show", "press-7", "--json"))["enabled"]
    assert facts(andon("enable", "press-7", "--json"))["enabled"]
    assert andon("enable", "press-7").stdout == "press-7: it was so already\n"
    assert facts(andon("remove", "press-7", "--json")) == {"id": "press-7", "removed": True}
    assert facts(andon("list", "--json")) == {"cameras": [], "notes": []}
    assert andon("list").stdout == "the line has no camera yet: `andon camera add` makes one known\n"
    assert andon("add", URL, "--id", "press-7").exit_code == 0


def test_what_would_take_an_id_over_is_refused(andon: Andon) -> None:
    assert andon("add", URL, "--id", "press-7").exit_code == 0
    for camera_id, expected in (("press-7", "there is one already"), ("press-1", "line.yaml has one of this id")):
        done = andon("add", "rtsp://10.0.0.6/other", "--id", camera_id)
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert expected in done.stderr
    assert facts(andon("show", "press-7", "--json"))["settings"] == {"url": URL}


MISTAKES = (
    (["add", "rtsp://viewer:gEh31m@10.0.0.5/a", "--id", "a"], "the url holds a password, which would be published"),
    (["add", "rtsp://viewer:gEh31m/x@10.0.0.5/a", "--id", "a"], "the url holds a password"),
    (["add", "ftp://10.0.0.5/a", "--id", "a"], "the url's scheme is not one of those that are read"),
    (["add", URL, "--id", "press 7"], "camera press 7: id: "),
    (["add", URL, "--id", "a", "--set", "fsp=3"], "camera a: fsp: no such key; did you mean `fps`?"),
    (["set", "press-8", "fps=3"], "camera press-8: there is no such camera; did you mean press-7?"),
    (["set", "press-7", "fps=-1"], "camera press-7: fps: Input should be greater than 0"),
    (["set", "press-7", "url=rtsp://viewer:gEh31m@10.0.0.5/a"], "the url holds a password"),
    (["set", "press-7", "url=null"], "camera press-7: url: Field required"),
    (["set", "press-7", "id=press-8"], "an id is for ever"),
    (["disable", "press-8"], "did you mean press-7?"),
    (["remove", "press-8"], "did you mean press-7?"),
    (["show", "press-8"], "did you mean press-7?"),
)


def test_a_mistake_is_one_line_and_changes_nothing(andon: Andon, line: Path) -> None:
    put(line, "press-7", fps=5)
    for arguments, expected in MISTAKES:
        done = andon(*arguments)
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1), arguments
        assert expected in done.stderr
        assert "gEh31m" not in done.stderr
    (camera,) = facts(andon("list", "--json"))["cameras"]
    assert camera["settings"] == {"url": URL, "fps": 5}


def put(line: Path, camera_id: str, **settings: int) -> None:
    """Write a camera into the registry, as another person does."""
    kafka = KafkaSettings.model_validate(yaml.safe_load(line.read_text())["kafka"])

    async def write() -> None:
        config = CameraConfig(camera_id=camera_id, settings={"url": URL, **settings}, at=START)
        async with open_registry(kafka, silent) as registry, open_writer(kafka, registry, silent) as writer:
            await writer.change(camera_id, lambda _: config)

    asyncio.run(write())


def test_a_change_by_somebody_else_in_between_stands_and_the_second_person_is_refused(
    andon: Andon, line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes after the camera was read, and before the change is written."""
    put(line, "press-7", fps=5)

    @asynccontextmanager
    async def late(kafka: KafkaSettings, registry: Registry, emit: Emit) -> AsyncIterator[Writer]:
        async with open_writer(kafka, registry, emit) as writer:
            change = writer.change

            async def second(camera_id: str, mine: Change) -> CameraConfig | None:
                await change(camera_id, lambda present: with_fps(present, 7))
                return await change(camera_id, mine)

            monkeypatch.setattr(writer, "change", second)
            yield writer

    monkeypatch.setattr(changing, "open_writer", late)
    done = andon("set", "press-7", "fps=10")
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "press-7: somebody else has just changed it, so your change was not made" in done.stderr
    assert facts(andon("show", "press-7", "--json"))["settings"]["fps"] == 7


def with_fps(present: CameraConfig | None, fps: int) -> CameraConfig:
    assert present is not None
    return present.model_copy(update={"settings": {"url": URL, "fps": fps}})


@BOTH
async def test_of_two_changes_that_are_written_at_once_one_is_made_and_one_is_refused(kafka: KafkaSettings) -> None:
    await ensure_topics(Settings(kafka=kafka), silent)
    async with (
        open_registry(kafka, silent) as registry,
        open_writer(kafka, registry, silent) as one,
        open_registry(kafka, silent) as other_registry,
        open_writer(kafka, other_registry, silent) as other,
    ):
        before = await one.change(
            "press-7", lambda _: CameraConfig(camera_id="press-7", settings={"url": URL}, at=START)
        )
        for number in range(1, 4):
            edits = [Edit("press-7", before, with_fps(before, fps)) for fps in (number, number + 100)]
            await asyncio.gather(one.change("press-7", edits[0]), other.change("press-7", edits[1]))
            winners = [edit for edit in edits if done(edit)]
            assert len(winners) == 1
            await registry.read_whole()
            before = registry.cameras["press-7"].config
            assert before.settings == {"url": URL, "fps": (number, number + 100)[edits.index(winners[0])]}


def done(edit: Edit) -> bool:
    try:
        edit.require_done()
    except FatalError:
        return False
    return True


def test_a_list_has_what_the_sinks_have_written_of_each_camera(andon: Andon, line: Path, valkey: RedisSettings) -> None:
    asyncio.run(show(valkey, "press-7"))
    put(line, "press-7", fps=5)
    put(line, "press-8")
    known, new = facts(andon("list", "--json"))["cameras"]
    assert (known["id"], known["state"], known["fps"], new["id"], new["state"]) == (
        "press-7",
        "online",
        25.0,
        "press-8",
        None,
    )
    assert known["lag_s"] > 0
    assert (known["owner"], new["owner"]) == ("host-3", None)
    table = andon("list").stdout
    assert "rtsp://10.0.0.5" in table
    assert "no ingester has reported it yet" in table
    assert "stream1" not in table
    assert "CAMERA_PASSWORD" not in table
    assert "site" not in table
    assert andon("set", "press-8", "site=hall-2").exit_code == 0
    assert "hall-2" in andon("list").stdout
    assert facts(andon("show", "press-8", "--json"))["site"] == "hall-2"


async def show(valkey: RedisSettings, camera_id: str) -> None:
    """As the sinks do it."""
    client = redis.client(valkey.url.get_secret_value(), valkey.timeout_s)
    live, stop = RedisLive(client, valkey, SystemClock(), silent), asyncio.Event()
    live.own(frozenset({0}))
    await live.show(0, [replace(a_snapshot(camera_id), ingester="host-3")], [])
    stop.set()
    await live.run(stop)
    await client.aclose()


def test_without_redis_the_list_is_there_and_says_what_is_missing(andon: Andon, line: Path) -> None:
    put(line, "press-7")
    sections = yaml.safe_load(line.read_text())
    line.write_text(yaml.safe_dump(sections | {"redis": {"url": "redis://127.0.0.1:1/0", "timeout_s": 1}}))
    found = facts(andon("list", "--json"))
    assert [camera["id"] for camera in found["cameras"]] == ["press-7"]
    assert found["notes"][0].startswith("the cameras' states are unknown: redis at 127.0.0.1:1: ")


def test_with_test_a_camera_is_tried_and_one_that_does_not_deliver_is_not_added(andon: Andon) -> None:
    with RtspCamera(film(125)) as camera:
        added = andon("add", camera.url, "--id", "press-7", "--test")
    assert added.exit_code == 0
    assert "set the camera to a keyframe (I-frame) every 1 to 2 s" in added.stderr
    done = andon("add", camera.url, "--id", "press-8", "--set", "open_timeout_s=1", "--test")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert [item["id"] for item in facts(andon("list", "--json"))["cameras"]] == ["press-7"]


def test_a_camera_that_was_added_can_be_tried_by_its_id(andon: Andon) -> None:
    with RtspCamera(film(25)) as camera:
        assert andon("add", camera.url, "--id", "press-7").exit_code == 0
        assert facts(andon("test", "press-7", "--seconds", "0.5", "--json"))["codec"] == "h264"
    assert "did you mean press-7?" in andon("test", "press-8").stderr


def test_a_camera_of_line_yaml_that_is_removed_comes_back_and_the_command_says_so(andon: Andon, line: Path) -> None:
    put(line, "press-1")
    assert "comes back at the next start: remove it there, too" in andon("remove", "press-1").stderr


def test_without_a_broker_it_is_one_line(andon: Andon, line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changing, "ANSWER_S", 0.5)
    sections = yaml.safe_load(line.read_text())
    sections["kafka"]["bootstrap_servers"] = "127.0.0.1:1"
    line.write_text(yaml.safe_dump(sections))
    for arguments in (["list"], ["add", URL, "--id", "press-7"], ["remove", "press-7"]):
        done = andon(*arguments)
        assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
        assert "no Kafka at 127.0.0.1:1" in done.stderr
