"""Which cameras run in an ingester: they start, end and begin anew one by one, as they are wanted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from andon.cameras.registry import Entry
from andon.messages import CameraConfig
from ingest.fleet import RESTART_S, Fleet, PlannedCamera
from ingest.shares import CameraSelection
from tests.fakes import START, FakeClock, until_idle


class Runner:
    """A camera: it captures until it is stopped, and then sends what it has, unless `stuck`."""

    def __init__(self, wanted: PlannedCamera | None, *, stuck: bool = False) -> None:
        self.wanted = wanted
        self.stuck = stuck
        self.ended = asyncio.Event()
        """Its source has come to its end."""
        self.state = "captures"

    async def run(self, stop: asyncio.Event) -> None:
        try:
            ways = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(self.ended.wait())]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            self.state = "sends"
            if self.stuck:
                await asyncio.Event().wait()
            self.state = "done"
        except asyncio.CancelledError:
            self.state = "cut off"
            raise


class Rig:
    def __init__(self, group: asyncio.TaskGroup) -> None:
        self.clock = FakeClock()
        self.built: list[Runner] = []
        self.stuck = False
        self.looks = 0
        self.fleet = Fleet(self._build, group, self.clock, self._changed)

    def _changed(self) -> None:
        self.looks += 1

    def _build(self, wanted: PlannedCamera) -> Runner:
        self.built.append(Runner(wanted, stuck=self.stuck))
        return self.built[-1]

    async def look(self, **cameras: PlannedCamera) -> float | None:
        delay_s = self.fleet.look(cameras)
        await until_idle()
        return delay_s

    @property
    def states(self) -> list[str]:
        return [runner.state for runner in self.built]


def wanted(camera_id: str, tenure: int = 1, **settings: int) -> PlannedCamera:
    return PlannedCamera(CameraConfig(camera_id=camera_id, settings={"url": "x", **settings}, at=START), tenure)


@asynccontextmanager
async def running() -> AsyncIterator[Rig]:
    async with asyncio.TaskGroup() as group:
        rig = Rig(group)
        yield rig
        for runner in rig.built:
            runner.stuck = False
        rig.fleet.stop()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()


async def test_a_changed_camera_begins_anew_and_the_others_go_on() -> None:
    async with running() as rig:
        await rig.look(a=wanted("a"), b=wanted("b"))
        assert rig.states == ["captures", "captures"]
        await rig.look(a=wanted("a", fps=5), b=wanted("b"))
        assert rig.states == ["done", "captures"]
        assert rig.looks == 1, "it says that a camera has ended"
        await rig.look(a=wanted("a", fps=5), b=wanted("b"))
        assert rig.states == ["done", "captures", "captures"]
        assert rig.built[2].wanted == wanted("a", fps=5)


async def test_a_camera_that_is_written_again_as_it_was_goes_on() -> None:
    again = wanted("a").config.model_copy(update={"at": START + timedelta(seconds=1), "written": "digest"})
    async with running() as rig:
        await rig.look(a=wanted("a"))
        await rig.look(a=PlannedCamera(again, 1))
        assert rig.states == ["captures"]
        rig.built[0].ended.set()
        await until_idle()
        await rig.look(a=PlannedCamera(again, 1))
        assert rig.states == ["done"], "its source has come to its end"


async def test_a_camera_that_is_not_wanted_any_more_ends_and_takes_its_time() -> None:
    async with running() as rig:
        rig.stuck = True
        await rig.look(a=wanted("a"))
        assert await rig.look() is None
        rig.clock.advance(100 * RESTART_S)
        assert await rig.look() is None
        assert rig.states == ["sends"]


async def test_a_camera_that_comes_back_waits_for_what_it_still_sends_and_no_longer_than_it_may() -> None:
    async with running() as rig:
        rig.stuck = True
        await rig.look(a=wanted("a"))
        await rig.look()
        rig.stuck = False
        assert await rig.look(a=wanted("a", tenure=2)) == RESTART_S
        assert rig.states == ["sends"]
        rig.clock.advance(RESTART_S)
        await rig.look(a=wanted("a", tenure=2))
        await rig.look(a=wanted("a", tenure=2))
        assert rig.states == ["cut off", "captures"]


async def test_a_camera_that_this_ingester_lost_and_got_again_begins_a_new_session() -> None:
    async with running() as rig:
        await rig.look(a=wanted("a", tenure=1))
        await rig.look(a=wanted("a", tenure=2))
        await rig.look(a=wanted("a", tenure=2))
        assert rig.states == ["done", "captures"]


async def test_a_file_that_has_come_to_its_end_is_not_played_again_until_it_is_changed() -> None:
    async with running() as rig:
        await rig.look(a=wanted("a"))
        assert rig.fleet.captures
        rig.built[0].ended.set()
        await until_idle()
        await rig.look(a=wanted("a"))
        assert rig.states == ["done"]
        assert not rig.fleet.captures
        assert rig.fleet.cameras == []
        await rig.look(a=wanted("a", fps=5))
        assert rig.states == ["done", "captures"]


async def test_what_an_earlier_process_left_is_sent_unless_the_camera_runs_here() -> None:
    async with running() as rig:
        left, other = Runner(None, stuck=True), Runner(None)
        rig.built += [left, other]
        await rig.look(b=wanted("b"))
        rig.fleet.send_what_is_left("a", left)
        rig.fleet.send_what_is_left("b", other)
        await rig.look(b=wanted("b"))
        assert not rig.fleet.captures or left.state == "captures"
        assert other.state == "captures", "it has never run"
        await rig.look(a=wanted("a"), b=wanted("b"))
        await rig.look(a=wanted("a"), b=wanted("b"))
        assert left.state == "cut off", "the camera itself sends it, in order"
        assert rig.built[-1].wanted == wanted("a")


def entry(**settings: int | str | bool) -> Entry:
    return Entry(CameraConfig(camera_id="a", settings={"url": "x", **settings}, at=START), 3, 0)


def test_an_ingester_takes_the_enabled_cameras_of_its_own_site() -> None:
    here, nowhere = CameraSelection(site="hall-2"), CameraSelection()
    assert here.takes("a", entry(site="hall-2"))
    assert not here.takes("a", entry())
    assert not here.takes("a", entry(site="hall-3"))
    assert not here.takes("a", entry(site="hall-2", enabled=False))
    assert nowhere.takes("a", entry())
    assert not nowhere.takes("a", entry(site="hall-2"))


def test_the_lines_only_ingester_takes_the_cameras_of_all_sites() -> None:
    alone = CameraSelection(alone=True)
    assert alone.takes("a", entry())
    assert alone.takes("a", entry(site="hall-2"))
    assert not alone.takes("a", entry(enabled=False))


def test_a_camera_that_is_named_runs_although_it_is_disabled() -> None:
    named = CameraSelection(alone=True, only=frozenset({"a"}))
    assert named.takes("a", entry(enabled=False))
    assert not named.takes("b", entry())
