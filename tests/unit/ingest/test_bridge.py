"""The queue between two threads."""

import asyncio
import threading

from andon.messages import new_session
from ingest.bridge import Bridge
from ingest.queue import Lossless
from ingest.threads import on_thread
from tests.fakes import FakeClock
from tests.unit.ingest.fakes import frame, status


def bridge(frames: int = 1) -> Bridge:
    clock = FakeClock()
    crossing = Bridge(Lossless(frames, 1000, clock), clock)
    crossing.open("s")
    return crossing


async def blocked_put(crossing: Bridge) -> "asyncio.Future[int | None]":
    """A put that waits for room, on a thread."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[int | None] = loop.create_future()
    started = threading.Event()

    def put() -> None:
        started.set()
        shed = crossing.put(frame(1), wait=True)
        loop.call_soon_threadsafe(result.set_result, shed)

    threading.Thread(target=put, daemon=True).start()
    started.wait()
    return result


async def test_a_source_that_can_be_slowed_waits_for_room_and_sheds_nothing() -> None:
    crossing = bridge()
    assert crossing.put(frame(0), wait=True) == 0
    waiting = await blocked_put(crossing)
    first = crossing.take()
    assert first == frame(0)
    assert not waiting.done()
    crossing.settled(first)
    assert await waiting == 0
    assert crossing.take() == frame(1)


async def test_sealing_lets_a_waiting_capture_go_and_its_frame_does_not_count() -> None:
    crossing = bridge()
    crossing.put(frame(0), wait=True)
    waiting = await blocked_put(crossing)
    assert crossing.seal() == ("s", 1)
    assert await waiting is None


async def test_a_live_camera_is_never_held_up() -> None:
    crossing = bridge()
    assert [crossing.put(frame(seq), wait=False) for seq in range(3)] == [0, 1, 1]
    assert crossing.progress == ("s", 3)
    assert crossing.total == 3


async def test_after_the_end_no_session_is_opened() -> None:
    crossing = bridge()
    assert crossing.close() == ("s", 0)
    crossing.open("t")
    assert crossing.put(frame(0, session="t"), wait=False) is None
    assert crossing.drained


async def test_it_is_not_drained_while_a_final_status_waits() -> None:
    crossing = bridge()
    crossing.close()
    crossing.end(status(final=True))
    assert not crossing.drained
    crossing.take()
    assert crossing.drained


async def test_a_put_wakes_who_takes_out() -> None:
    crossing = bridge()
    crossing.changed.clear()
    thread = threading.Thread(target=lambda: crossing.put(frame(0), wait=False))
    thread.start()
    await crossing.changed.wait()
    thread.join()
    assert crossing.take() == frame(0)


async def test_a_camera_waits_while_too_many_ended_sessions_wait_for_the_broker() -> None:
    crossing = bridge()
    crossing.end(status("s", final=True))
    crossing.end(status("t", final=True))
    waiting = asyncio.ensure_future(crossing.sessions_below(2))
    await asyncio.sleep(0)
    assert not waiting.done()
    crossing.take()
    await waiting


async def test_a_clock_that_was_set_back_gives_no_session_an_earlier_name_or_the_same() -> None:
    clock = FakeClock()
    crossing = Bridge(Lossless(10, 1000, clock), clock)
    names = [crossing.begin()]
    for step_s in (0.0, -3600.0, 1.0, 7200.0):
        clock.advance(step_s)
        names.append(crossing.begin())
    assert names == sorted(set(names))
    assert names[-1] == new_session(clock.now()), "the host's time, as soon as it is later again"


async def test_the_spools_thread_is_woken_only_for_work() -> None:
    crossing = bridge()
    work: list[str] = []
    crossing.serve(lambda: bool(work))
    waiting = on_thread(lambda: crossing.wait_for_work(None), "spool")
    crossing.put(frame(0), wait=False)
    assert not waiting.done()
    work.append("something")
    crossing.take()
    await asyncio.wait_for(waiting, 60)


async def test_the_newest_frame_counts_as_sent_unless_another_one_waits_behind_it() -> None:
    crossing = bridge(frames=3)
    assert not crossing.newest_sent_since(0.0)
    crossing.put(frame(0), wait=False)
    assert not crossing.newest_sent_since(0.0)
    crossing.take()
    assert crossing.newest_sent_since(0.0)
    assert not crossing.newest_sent_since(1.0)
    crossing.put(frame(1), wait=False)
    assert not crossing.newest_sent_since(0.0)


async def test_a_frame_that_was_shed_tells_nothing() -> None:
    crossing = bridge(frames=1)
    for seq in range(2):
        crossing.put(frame(seq), wait=False)
    while crossing.take() is not None:
        pass
    assert not crossing.newest_sent_since(0.0)


async def test_a_frame_of_an_ended_session_does_not_count_for_the_next() -> None:
    crossing = bridge()
    crossing.put(frame(0), wait=False)
    crossing.take()
    crossing.seal()
    assert not crossing.newest_sent_since(0.0)
