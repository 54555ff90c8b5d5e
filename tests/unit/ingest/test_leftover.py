"""What a dead process left in a spool is sent by whoever finds it, without capturing anything."""

import asyncio
import fcntl
from pathlib import Path

from andon.clock import SystemClock
from andon.events import silent
from andon.messages import Frame
from andon.wire import decode
from ingest.capture import Tools
from ingest.leftover import Leftover, left_behind
from ingest.publisher import Route
from ingest.sources.choice import open_source
from ingest.spool import LOCK, Spool, SpoolPlace
from tests.fakes import MemoryPublisher
from tests.unit.ingest.fakes import frame


def place(folder: Path, camera_id: str = "c") -> SpoolPlace:
    return SpoolPlace(folder / camera_id, 10_000_000)


def filled(folder: Path, frames: int, camera_id: str = "c") -> None:
    spool = Spool(place(folder, camera_id))
    spool.append([(number, frame(number)) for number in range(frames)])
    spool.close()


def leftover(folder: Path, publisher: MemoryPublisher) -> Leftover:
    tools = Tools(open_source, SystemClock(), silent, 8_000_000)
    return Leftover(place(folder), Route("c", "frames", publisher, 5.0), tools, (256, 64_000_000))


async def test_everything_in_it_is_sent_in_order_and_then_gone(tmp_path: Path) -> None:
    filled(tmp_path, 10)
    publisher = MemoryPublisher()
    async with asyncio.timeout(60):
        await leftover(tmp_path, publisher).run(asyncio.Event())
    sent = [decode(record) for record in publisher.topics["frames"]]
    assert [item.seq for item in sent if isinstance(item, Frame)] == list(range(10))
    assert len(sent) == 10, "no status: another ingester says how the camera is"
    assert left_behind(tmp_path, frozenset()) == []


async def test_what_is_not_sent_when_the_process_ends_stays_for_the_next_one(tmp_path: Path) -> None:
    filled(tmp_path, 10)
    publisher, stop = MemoryPublisher(), asyncio.Event()
    publisher.away = True
    running = asyncio.create_task(leftover(tmp_path, publisher).run(stop))
    stop.set()
    async with asyncio.timeout(60):
        await running
    assert left_behind(tmp_path, frozenset()) == ["c"]


def test_only_spools_are_found_that_hold_something_and_that_nobody_holds(tmp_path: Path) -> None:
    for name in ("full", "mine", "held", "empty"):
        filled(tmp_path, 0 if name == "empty" else 3, name)
    (tmp_path / "no-spool").mkdir()
    with (tmp_path / "held" / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert left_behind(tmp_path, {"mine"}) == ["full"]
    assert left_behind(tmp_path / "nowhere", frozenset()) == []
    (tmp_path / "full" / "spool.db").write_bytes(b"no database at all")
    assert "full" in left_behind(tmp_path, frozenset()), "what can be read of it is salvaged"
