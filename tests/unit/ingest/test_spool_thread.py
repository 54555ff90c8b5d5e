"""A camera whose broker is away, with a real spool on a real folder and a broker in memory."""

import asyncio
import itertools
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from andon.backoff import Backoff
from andon.clock import SystemClock
from andon.events import SpoolDamaged, SpoolDrained, SpoolFailed, SpoolFilling, SpoolFound
from andon.messages import CameraStatus, Frame, Message, ShedRange
from andon.wire import decode
from ingest.camera import Camera, CameraOptions
from ingest.capture import Tools
from ingest.publisher import Route
from ingest.sources.source import Picture
from ingest.spool import NAME, Spool, SpoolPlace
from ingest.spooled_queue import ReadRow, Row
from tests.fakes import MemoryPublisher, RecordedEvents
from tests.unit.ingest.fakes import Opener, ScriptedSource, bgr, camera_settings, frame


class Line:
    """One camera of `frames` pictures, as fast as they come, with 8 of them in memory."""

    def __init__(self, folder: Path, max_bytes: int = 10_000_000, spool_timeout_s: float = 10.0) -> None:
        self.events, self.memory, self.stop = RecordedEvents(), MemoryPublisher(), asyncio.Event()
        self.over = threading.Event()
        self.place = SpoolPlace(folder / "c", max_bytes, timeout_s=spool_timeout_s)

    def camera(self, frames: int, *, hurry: bool) -> Camera:
        def script() -> Iterator[Picture]:
            for _ in range(frames):
                while not hurry and camera.depth >= 7 and camera.spool is not None and not camera.spool.trouble:
                    time.sleep(0.0001)  # no faster than the disk takes them, so that a slow one changes nothing
                yield Picture(None, bgr)
            self.over.wait()

        opener = Opener(lambda: ScriptedSource(script(), clock="host"))
        tools = Tools(opener, SystemClock(), self.events, 1_000_000)
        route = Route("c", "t", self.memory, 5.0, Backoff(0.001, 0.001))
        options = CameraOptions(heartbeat_s=0.01, spool=self.place)
        camera = Camera(camera_settings(mailbox_frames=8), route, tools, options)
        return camera

    @asynccontextmanager
    async def running(self, frames: int, *, hurry: bool = True) -> AsyncIterator[Camera]:
        self.over.clear()
        camera = self.camera(frames, hurry=hurry)
        self.task = task = asyncio.ensure_future(camera.run(self.stop))
        try:
            yield camera
        finally:
            self.over.set()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    @property
    def log(self) -> list[Message]:
        return [decode(record) for record in self.memory.topics.get("t", [])]

    def numbers(self) -> list[int]:
        found: list[int] = []
        for item in self.log:
            if isinstance(item, Frame):
                found.append(item.seq)
            if isinstance(item, ShedRange):
                found += range(item.first_seq, item.last_seq + 1)
        return found

    async def until_drained(self, camera: Camera) -> None:
        while camera.depth or (camera.spool is not None and camera.spool.depth):
            await asyncio.sleep(0)


async def until_captured(camera: Camera, frames: int) -> None:
    while camera.captured < frames:
        await asyncio.sleep(0)


async def test_what_memory_has_no_room_for_waits_on_disk_and_goes_out_in_order(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.memory.away = True
    async with line.running(200, hurry=False) as camera:
        assert camera.spool is not None
        await until_captured(camera, 200)
        assert camera.depth <= 8
        assert camera.spool.depth >= 200 - 8
        assert camera.spool.size_bytes > 0
        line.memory.away = False
        while len(line.numbers()) < 200:
            await asyncio.sleep(0)
        while not line.events.of(SpoolDrained):
            await asyncio.sleep(0.001)
    assert line.numbers() == list(range(200))
    assert not any(isinstance(item, ShedRange) for item in line.log)
    assert not line.events.of(SpoolFailed)


async def test_a_stopped_process_leaves_memory_on_disk_and_the_next_one_sends_it_first(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.memory.away = True
    async with line.running(5) as camera:
        await until_captured(camera, 5)
    assert line.log == []
    line.memory.away = False
    async with line.running(3) as again:
        await until_captured(again, 3)
        await line.until_drained(again)
        while len(line.numbers()) < 8:
            await asyncio.sleep(0)
        line.over.set()
        line.stop.set()
        await line.task
    assert [event.records for event in line.events.of(SpoolFound)] == [6]
    assert line.numbers() == [0, 1, 2, 3, 4, 0, 1, 2]
    frames = [item for item in line.log if isinstance(item, Frame)]
    assert frames[0].session < frames[-1].session
    finals = [item for item in line.log if isinstance(item, CameraStatus) and item.final]
    assert [(item.session, item.captured) for item in finals] == [(frames[0].session, 5), (frames[-1].session, 3)]
    spool = Spool(line.place)
    assert spool.empty
    spool.close()


async def test_a_folder_that_cannot_be_had_is_reported_once_and_costs_only_what_memory_cannot_hold(
    tmp_path: Path,
) -> None:
    (tmp_path / "c").write_text("a file stands in its place")
    line = Line(tmp_path)
    line.memory.away = True
    async with line.running(50) as camera:
        await until_captured(camera, 50)
        while "spooled" not in camera._status._detail:
            await asyncio.sleep(0.001)
        line.memory.away = False
        await line.until_drained(camera)
        while len(line.numbers()) < 50:
            await asyncio.sleep(0)
    assert line.numbers() == list(range(50))
    assert {item.reason for item in line.log if isinstance(item, ShedRange)} == {"spool_full"}
    (failure,) = line.events.of(SpoolFailed)
    assert "File exists" in failure.error or "Not a directory" in failure.error


async def test_a_full_spool_sheds_the_newest_says_so_and_recovers(tmp_path: Path) -> None:
    line = Line(tmp_path, max_bytes=40_000)
    line.memory.away = True
    async with line.running(300, hurry=False) as camera:
        await until_captured(camera, 300)
        while "spooled" not in camera._status._detail:
            await asyncio.sleep(0.001)
        line.memory.away = False
        while len(line.numbers()) < 300:
            await asyncio.sleep(0)
        assert camera.spool is not None
        while not line.events.of(SpoolDrained) or camera.spool.trouble or camera._status._detail:
            await asyncio.sleep(0.001)
    assert line.numbers() == list(range(300))
    assert {item.reason for item in line.log if isinstance(item, ShedRange)} == {"spool_full"}
    assert line.events.of(SpoolFilling)
    assert "full" in line.events.of(SpoolFailed)[0].error
    assert not line.events.of(SpoolDamaged)


async def test_a_file_that_is_no_database_is_set_aside_with_one_line_and_the_camera_goes_on(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.place.folder.mkdir()
    (line.place.folder / NAME).write_bytes(b"no database" * 1000)
    line.memory.away = True
    async with line.running(50, hurry=False) as camera:
        await until_captured(camera, 50)
        line.memory.away = False
        while len(line.numbers()) < 50:
            await asyncio.sleep(0)
    assert line.numbers() == list(range(50))
    assert not any(isinstance(item, ShedRange) for item in line.log)
    (damaged,) = line.events.of(SpoolDamaged)
    assert damaged.error.startswith("the spool was damaged: 0 records are read back, the others lost; it lies at ")


async def test_a_damaged_spool_is_reported_also_where_a_new_one_finds_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.spool_thread.RETRY_S", 0.01)
    line = Line(tmp_path)
    line.place.folder.mkdir()
    (line.place.folder / NAME).write_bytes(b"no database" * 1000)
    genuine, opened = Spool.__init__, itertools.count(1)

    def init(self: Spool, place: SpoolPlace) -> None:
        if next(opened) == 2:
            raise failure(sqlite3.SQLITE_FULL)
        genuine(self, place)

    monkeypatch.setattr(Spool, "__init__", init)
    async with line.running(3) as camera:
        while len(line.numbers()) < 3 or camera.spool is None or camera.spool.trouble:
            await asyncio.sleep(0.001)
    assert len(line.events.of(SpoolDamaged)) == 1
    assert [event.error.rpartition(": ")[2] for event in line.events.of(SpoolFailed)] == ["No space left on device"]


async def test_what_can_be_read_of_a_spool_that_is_damaged_in_use_is_sent_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine, damage = Spool.read, [failure(sqlite3.SQLITE_IOERR_READ)]

    def read(self: Spool, start: int, most: int, most_bytes: int) -> list[ReadRow]:
        if start >= 20 and damage:
            raise damage.pop()
        return genuine(self, start, most, most_bytes)

    monkeypatch.setattr(Spool, "read", read)
    line = Line(tmp_path)
    line.memory.away = True
    async with line.running(50, hurry=False) as camera:
        await until_captured(camera, 50)
        line.memory.away = False
        while len(line.numbers()) < 50:
            await asyncio.sleep(0)
    assert line.numbers() == list(range(50))
    assert len(line.events.of(SpoolDamaged)) == 1


async def test_a_disk_that_does_not_answer_is_reported_and_stops_neither_the_camera_nor_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.spool_thread.RESCUE_S", 0.01)
    answers = threading.Event()
    line = Line(tmp_path, spool_timeout_s=0.01)
    genuine = Spool.append

    def hangs(self: Spool, rows: Sequence[Row]) -> int:
        answers.wait()
        return genuine(self, rows)

    monkeypatch.setattr(Spool, "append", hangs)
    line.memory.away = True
    async with line.running(50) as camera:
        await until_captured(camera, 50)
        while "has not answered" not in camera._status._detail:
            await asyncio.sleep(0.001)
        line.memory.away = False
        while not camera.depth <= 2:  # all but what the disk is at
            await asyncio.sleep(0)
        line.task.cancel()
        with suppress(asyncio.CancelledError):
            await line.task
    reasons = {event.error.partition(": ")[2] for event in line.events.of(SpoolFailed)}
    assert reasons == {"the disk has not answered for 0.01 s (spool.timeout_s)"}
    answers.set()


async def test_a_disk_that_cannot_be_had_at_the_start_is_looked_at_again_while_nothing_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.spool_thread.RETRY_S", 0.01)
    line = Line(tmp_path)
    earlier = Spool(line.place)
    earlier.keep([(4, frame(0, session="earlier")), (5, frame(1, session="earlier"))])
    earlier.close()
    genuine, refusals = Spool.__init__, [failure(sqlite3.SQLITE_IOERR_READ), failure(sqlite3.SQLITE_FULL)]

    def init(self: Spool, place: SpoolPlace) -> None:
        if refusals:
            raise refusals.pop()
        genuine(self, place)

    monkeypatch.setattr(Spool, "__init__", init)
    async with line.running(3):
        while len(line.numbers()) < 5:
            await asyncio.sleep(0.001)
    assert [item.seq for item in line.log if isinstance(item, Frame) and item.session == "earlier"] == [0, 1]
    assert len(line.events.of(SpoolFound)) == 1
    reasons = [event.error.rpartition(": ")[2] for event in line.events.of(SpoolFailed)]
    assert reasons[0] == "No space left on device"


async def test_a_full_disk_gets_its_space_back_when_the_spool_has_drained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise failure(sqlite3.SQLITE_FULL)

    monkeypatch.setattr("ingest.spool_thread.RETRY_S", 0.01)
    monkeypatch.setattr(Spool, "delete", full)
    line = Line(tmp_path)
    line.memory.away = True
    async with line.running(50, hurry=False) as camera:
        await until_captured(camera, 50)
        line.memory.away = False
        while len(line.numbers()) < 50:
            await asyncio.sleep(0)
        assert camera.spool is not None
        while not line.events.of(SpoolDrained) or camera.spool.size_bytes or camera.spool.trouble:
            await asyncio.sleep(0.001)
    assert line.numbers() == list(range(50))


async def test_a_drained_spool_whose_file_cannot_be_removed_is_tried_again_and_sends_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.spool_thread.RETRY_S", 0.01)
    genuine, refusals = Spool.remove, [PermissionError(13, "Permission denied")] * 2

    def remove(self: Spool) -> None:
        if refusals:
            raise refusals.pop()
        genuine(self)

    monkeypatch.setattr(Spool, "remove", remove)
    line = Line(tmp_path)
    line.memory.away = True
    async with line.running(50, hurry=False) as camera:
        await until_captured(camera, 50)
        line.memory.away = False
        assert camera.spool is not None
        while refusals or camera.spool.size_bytes or camera.spool.trouble:
            await asyncio.sleep(0.001)
    assert line.numbers() == list(range(50))
    assert [event.error.rpartition(": ")[2] for event in line.events.of(SpoolFailed)] == ["Permission denied"]


async def test_a_file_of_an_earlier_format_is_named_in_one_line(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.place.folder.mkdir()
    left = line.place.folder / "001000000001.spool"
    left.write_bytes(b"ASP1")
    async with line.running(1):
        while not line.events.of(SpoolDamaged):
            await asyncio.sleep(0)
    assert line.events.of(SpoolDamaged)[0].error.startswith(f"{left}: a file of an earlier format, not read")
    assert left.exists()


def failure(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("as the disk says it")
    error.sqlite_errorcode = code
    return error
