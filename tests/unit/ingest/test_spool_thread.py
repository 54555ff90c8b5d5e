"""A camera whose broker is away, with a real spool on a real folder and a broker in memory."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from andon.backoff import Backoff
from andon.clock import SystemClock
from andon.events import SpoolDamaged, SpoolDrained, SpoolFailed, SpoolFilling, SpoolFound
from andon.messages import CameraStatus, Frame, Message, Shed
from andon.wire import decode
from ingest.camera import Camera, CameraOptions
from ingest.capture import Tools
from ingest.publisher import Route
from ingest.sources.source import Picture
from ingest.spool import NAME, DamagedSpoolError, Spool, SpoolError, SpoolPlace
from ingest.spooled import ReadRow, Row
from tests.fakes import MemoryPublisher, RecordedEvents
from tests.unit.ingest.fakes import Opener, ScriptedSource, bgr, camera_settings, frame
from tests.unit.ingest.test_old_spool import old_record


class Line:
    """One camera of `frames` pictures, as fast as they come, with 8 of them in memory."""

    def __init__(self, folder: Path, max_bytes: int = 10_000_000, spool_timeout_s: float = 10.0) -> None:
        self.events, self.memory, self.stop = RecordedEvents(), MemoryPublisher(), asyncio.Event()
        self.over = threading.Event()
        self.spool_timeout_s = spool_timeout_s
        self.place = SpoolPlace(folder / "c", max_bytes)

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
        options = CameraOptions(heartbeat_s=0.01, spool=self.place, spool_timeout_s=self.spool_timeout_s)
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
            if isinstance(item, Shed):
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
    assert not any(isinstance(item, Shed) for item in line.log)
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
    assert spool.records == 0
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
    assert {item.reason for item in line.log if isinstance(item, Shed)} == {"spool_full"}
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
    assert {item.reason for item in line.log if isinstance(item, Shed)} == {"spool_full"}
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
    assert not any(isinstance(item, Shed) for item in line.log)
    (damaged,) = line.events.of(SpoolDamaged)
    assert damaged.error.startswith("the spool was damaged: 0 records are read back, the others lost; it lies at ")


async def test_what_can_be_read_of_a_spool_that_is_damaged_in_use_is_sent_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine, damage = Spool.read, [DamagedSpoolError()]

    def read(self: Spool, after: int, most: int, most_bytes: int) -> list[ReadRow]:
        if after >= 20 and damage:
            raise damage.pop()
        return genuine(self, after, most, most_bytes)

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


async def test_an_older_versions_files_that_find_no_room_are_read_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.spool_thread.RETRY_S", 0.01)
    genuine, refusals = Spool.keep, [SpoolError("No space left on device")]

    def keep(self: Spool, rows: Sequence[Row]) -> None:
        if refusals:
            raise refusals.pop()
        genuine(self, rows)

    monkeypatch.setattr(Spool, "keep", keep)
    line = Line(tmp_path)
    line.place.folder.mkdir()
    (line.place.folder / "001000000001.spool").write_bytes(old_record(frame(0, session="earlier")))
    line.memory.away = True
    async with line.running(50) as camera:
        await until_captured(camera, 50)
        while not line.events.of(SpoolFound):
            await asyncio.sleep(0.001)
        line.memory.away = False
        await line.until_drained(camera)
        while not any(isinstance(item, Frame) and item.session == "earlier" for item in line.log):
            await asyncio.sleep(0.001)
    assert not list(line.place.folder.glob("*.spool"))
    assert next(event.error.rpartition(": ")[2] for event in line.events.of(SpoolFailed)) == "No space left on device"
