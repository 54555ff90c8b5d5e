"""The supervisor restarts dead processes and stops a line in the order in which frames travel."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from andon.clock import SystemClock
from andon.errors import FatalError
from deploy.local.events import RoleDied, StageStopped
from deploy.local.role_process import Role, RoleProcess
from deploy.local.rotating_log import LogLimits
from deploy.local.server import free_port
from deploy.local.supervisor import RoleGroup, Supervisor, Timeouts
from tests.fakes import RecordedEvents
from tests.integration.deploy import fake_role

pytestmark = pytest.mark.integration
TIMEOUTS = Timeouts(ready_s=20.0, backlog_s=20.0, stop_s=20.0)


def role(folder: Path, name: str) -> Role:
    port = free_port()
    command = (sys.executable, fake_role.__file__, name, str(port), str(folder / "journal"))
    return Role(name, command, f"http://127.0.0.1:{port}", folder / f"{name}.log")


def script(folder: Path, name: str, code: str) -> Role:
    return Role(name, (sys.executable, "-c", textwrap.dedent(code)), "http://127.0.0.1:1", folder / f"{name}.log")


def stage(folder: Path, name: str, behind: Callable[[], Awaitable[int | None]] | None = None) -> RoleGroup:
    return RoleGroup(name, (role(folder, name),), behind)


def supervisor(emit: RecordedEvents, timeouts: Timeouts = TIMEOUTS) -> Supervisor:
    return Supervisor(emit, SystemClock(), timeouts)


def journal(folder: Path) -> list[str]:
    return (folder / "journal").read_text().splitlines()


async def test_a_killed_process_starts_again_and_its_end_is_logged(tmp_path: Path) -> None:
    events = RecordedEvents()
    stages = stage(tmp_path, "ingest")
    async with asyncio.timeout(60), supervisor(events) as running:
        await running.start(stages)
        process = running.processes[0]
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        while not (process.starts == 2 and await process.ready()):
            await asyncio.sleep(0.05)
        assert await running.drain([stages])
    (died,) = events.of(RoleDied)
    assert (died.process, died.code) == ("ingest", -signal.SIGKILL)
    assert journal(tmp_path) == ["ingest began", "ingest began", "ingest ended"]


async def test_each_stage_stops_when_the_one_before_has_and_its_own_lag_is_gone(tmp_path: Path) -> None:
    lags: dict[str, list[int | None]] = {"workers": [7, None, 0], "sinks": [3, 0]}

    async def behind(name: str) -> int | None:
        before = "ingest" if name == "workers" else "workers"
        assert f"{before} ended" in journal(tmp_path)
        assert f"{name} ended" not in journal(tmp_path)
        return lags[name].pop(0)

    events = RecordedEvents()
    ingest = stage(tmp_path, "ingest")
    workers = stage(tmp_path, "workers", lambda: behind("workers"))
    sinks = stage(tmp_path, "sinks", lambda: behind("sinks"))
    async with asyncio.timeout(60), supervisor(events) as running:
        for each in (sinks, workers, ingest):
            await running.start(each)
        assert await running.drain([ingest, workers, sinks])
    assert lags == {"workers": [], "sinks": []}
    assert [line for line in journal(tmp_path) if "ended" in line] == ["ingest ended", "workers ended", "sinks ended"]
    assert [(event.stage, event.left) for event in events.of(StageStopped)] == [
        ("ingest", 0),
        ("workers", 0),
        ("sinks", 0),
    ]


async def test_a_backlog_that_outlasts_its_time_is_logged_and_is_a_failure(tmp_path: Path) -> None:
    async def stuck() -> int:
        return 12

    events = RecordedEvents()
    workers = stage(tmp_path, "workers", stuck)
    async with asyncio.timeout(60), supervisor(events, Timeouts(backlog_s=0.5)) as running:
        await running.start(workers)
        assert not await running.drain([workers])
    assert [event.left for event in events.of(StageStopped)] == [12]
    assert journal(tmp_path)[-1] == "workers ended"


async def test_a_process_that_ignores_sigterm_is_killed_and_that_is_a_failure(tmp_path: Path) -> None:
    events = RecordedEvents()
    deaf = stage(tmp_path, "ingest")
    async with asyncio.timeout(60), supervisor(events, Timeouts(stop_s=0.5)) as running:
        await running.start(deaf)
        pid = running.processes[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)  # a stopped process handles no signal
        assert not await running.drain([deaf])
    assert events.of(StageStopped)[0].codes == str(-signal.SIGKILL)


async def test_a_process_that_is_stopped_before_it_has_begun_is_no_failure(tmp_path: Path) -> None:
    events = RecordedEvents()
    workers = stage(tmp_path, "workers")
    loading = script(tmp_path, "worker-2", "print('loads', flush=True); import time; time.sleep(60)")
    async with asyncio.timeout(60), supervisor(events) as running:
        await running.start(workers)
        running.add("workers", loading)
        while not (loading.log.exists() and loading.log.read_text()):
            await asyncio.sleep(0.05)
        running.add("workers", script(tmp_path, "worker-3", "raise AssertionError('is never started')"))
        assert await running.drain([workers])
    assert events.of(StageStopped)[0].codes == "0,0,0"


async def test_a_mistake_in_the_settings_ends_the_start_with_the_line_that_says_why(tmp_path: Path) -> None:
    output = "process.started role=work\\nprocess.stopped role=work\\nandon work: line.yaml: no such key"
    wrong = script(tmp_path, "worker-1", f"import sys; print('{output}'); sys.exit(2)")
    with pytest.raises(
        FatalError, match=r"^worker-1 can't start: line\.yaml: no such key \(its log: .*worker-1\.log\)$"
    ):
        async with supervisor(RecordedEvents()) as running:
            await running.start(RoleGroup("workers", (wrong,)))


async def test_the_error_of_a_process_that_never_gets_ready_names_its_log(tmp_path: Path) -> None:
    slow = script(tmp_path, "worker-1", "import sys; sys.stdin.read(); import time; time.sleep(60)")
    with pytest.raises(FatalError, match=r"worker-1 was not ready after .*worker-1\.log"):
        async with supervisor(RecordedEvents(), Timeouts(ready_s=0.5)) as running:
            await running.start(RoleGroup("workers", (slow,)))


async def test_leaving_the_block_leaves_no_process(tmp_path: Path) -> None:
    async with supervisor(RecordedEvents()) as running:
        await running.start(stage(tmp_path, "ingest"))
        pid = running.processes[0].pid
    assert pid is not None
    assert not psutil.pid_exists(pid)


async def test_a_process_that_ended_a_moment_ago_can_be_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(pid: int, number: int) -> None:
        raise ProcessLookupError

    async with supervisor(RecordedEvents()) as running:
        await running.start(stage(tmp_path, "ingest"))
        with monkeypatch.context() as patch:
            patch.setattr(os, "killpg", gone)
            running.processes[0].kill()


async def test_the_output_of_a_process_is_echoed_line_by_line_and_kept_in_its_log(tmp_path: Path) -> None:
    lines: list[tuple[str, str]] = []
    code = "import sys; print('one'); print('two', file=sys.stderr); sys.exit(2)"
    talker = script(tmp_path, "ingest", code)
    with pytest.raises(FatalError):
        async with Supervisor(RecordedEvents(), SystemClock(), TIMEOUTS, lambda *line: lines.append(line)) as running:
            await running.start(RoleGroup("ingest", (talker,)))
    assert sorted(lines) == [("ingest", "one"), ("ingest", "two")]
    assert sorted(talker.log.read_text().split()) == ["one", "two"]


async def test_a_process_that_ended_because_a_call_hung_is_started_again_later_each_time(tmp_path: Path) -> None:
    code = """
        import os, sys
        print("the model has not returned for 60 s: the process ends and must be started again", flush=True)
        os._exit(1)
    """
    events, hanging = RecordedEvents(), script(tmp_path, "worker-1", code)
    process = RoleProcess(hanging, events)
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(process.keep())
        while len(events.of(RoleDied)) < 3:
            await asyncio.sleep(0.05)
        keeping.cancel()
    died = events.of(RoleDied)
    assert {event.code for event in died} == {1}
    assert all("the model has not returned for 60 s" in event.said for event in died)
    # each pause is drawn from the upper half of its ceiling, and the ceilings double
    assert all(ceiling / 2 <= event.after_s <= ceiling for event, ceiling in zip(died, (0.5, 1.0, 2.0), strict=False))


async def test_the_log_of_a_process_that_writes_a_lot_stays_within_its_limits(tmp_path: Path) -> None:
    code = "import sys; [print(f'line {number:06}') for number in range(20_000)]; sys.exit(2)"
    role = replace(script(tmp_path, "ingest", code), limits=LogLimits(50_000, 3))
    with pytest.raises(FatalError, match="line 019999"):
        async with supervisor(RecordedEvents()) as running:
            await running.start(RoleGroup("ingest", (role,)))
    with os.scandir(tmp_path) as entries:
        sizes = {entry.name: entry.stat().st_size for entry in entries}
    assert sorted(sizes) == ["ingest.log", "ingest.log.1", "ingest.log.2"]
    assert all(0 < size <= 50_000 for size in sizes.values())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills the children of a killed parent")
def test_killing_the_supervisor_leaves_no_orphan(tmp_path: Path) -> None:
    code = """
        import asyncio, sys
        from pathlib import Path
        from tests.integration.deploy.test_supervisor import RecordedEvents, stage, supervisor
        async def main():
            async with supervisor(RecordedEvents()) as running:
                await running.start(stage(Path(sys.argv[1]), "ingest"))
                print(running.processes[0].pid, flush=True)
                await asyncio.Event().wait()
        asyncio.run(main())
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    _, alive = psutil.wait_procs([child], timeout=60)
    assert not alive
