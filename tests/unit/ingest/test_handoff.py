"""The mailbox between two threads."""

import asyncio
import threading
from datetime import timedelta

from andon.messages import new_session
from ingest.backlog import Backlog
from ingest.handoff import Handoff, SpoolJob
from ingest.mailbox import Bounds, Mailbox
from ingest.threads import on_thread
from tests.fakes import START, FakeClock
from tests.unit.ingest.fakes import frame, status


def handoff(frames: int = 1) -> Handoff:
    box = Handoff(Mailbox(Bounds(frames, 1000)), FakeClock())
    box.open("s")
    return box


async def blocked_put(box: Handoff) -> "asyncio.Future[int | None]":
    """A put that waits for room, on a thread."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[int | None] = loop.create_future()
    started = threading.Event()

    def put() -> None:
        started.set()
        given_up = box.put(frame(1), wait=True)
        loop.call_soon_threadsafe(result.set_result, given_up)

    threading.Thread(target=put, daemon=True).start()
    started.wait()
    return result


async def test_a_source_that_can_be_slowed_waits_for_room_and_sheds_nothing() -> None:
    box = handoff()
    assert box.put(frame(0), wait=True) == 0
    waiting = await blocked_put(box)
    first = box.take()
    assert first == frame(0)
    assert not waiting.done()
    box.settled(first)
    assert await waiting == 0
    assert box.take() == frame(1)


async def test_sealing_lets_a_waiting_capture_go_and_its_frame_does_not_count() -> None:
    box = handoff()
    box.put(frame(0), wait=True)
    waiting = await blocked_put(box)
    assert box.seal() == ("s", 1)
    assert await waiting is None


async def test_a_live_camera_is_never_held_up() -> None:
    box = handoff()
    assert [box.put(frame(seq), wait=False) for seq in range(3)] == [0, 1, 1]
    assert box.progress == ("s", 3)
    assert box.total == 3


async def test_after_the_end_no_session_is_opened() -> None:
    box = handoff()
    assert box.close() == ("s", 0)
    box.open("t")
    assert box.put(frame(0, session="t"), wait=False) is None
    assert box.drained


async def test_it_is_not_drained_while_the_last_word_waits() -> None:
    box = handoff()
    box.close()
    box.end(status(final=True))
    assert not box.drained
    box.take()
    assert box.drained


async def test_a_put_wakes_who_takes_out() -> None:
    box = handoff()
    box.changed.clear()
    thread = threading.Thread(target=lambda: box.put(frame(0), wait=False))
    thread.start()
    await box.changed.wait()
    thread.join()
    assert box.take() == frame(0)


async def test_a_camera_waits_while_too_many_ended_sessions_wait_for_the_broker() -> None:
    box = handoff()
    box.end(status("s", final=True))
    box.end(status("t", final=True))
    waiting = asyncio.ensure_future(box.few_sessions(2))
    await asyncio.sleep(0)
    assert not waiting.done()
    box.take()
    await waiting


async def test_a_clock_that_was_set_back_gives_no_session_an_earlier_name_or_the_same() -> None:
    clock = FakeClock()
    box = Handoff(Mailbox(Bounds(10, 1000)), clock)
    names = [box.begin()]
    for step_s in (0.0, -3600.0, 1.0, 7200.0):
        clock.advance(step_s)
        names.append(box.begin())
    assert names == sorted(set(names))
    assert names[-1] == new_session(clock.now()), "the host's time, as soon as it is later again"


async def test_the_spools_thread_hears_that_what_waited_for_the_disk_went_without_it() -> None:
    backlog = Backlog(Bounds(2, 1000))
    box = Handoff(Mailbox(Bounds(1, 1000), backlog), FakeClock(), backlog)
    box.open("s")
    box.spooled(0)
    for seq in range(2):
        box.put(frame(seq), wait=False)
    assert box.note_backlog() == "waiting"
    for seq in range(2):
        assert box.take() == frame(seq)
        box.settled(frame(seq))
    job = await asyncio.wait_for(on_thread(lambda: box.next_job(may_store=True, timeout_s=None), "spool"), 10)
    assert job == SpoolJob((), fetch=False, store=None)
    assert box.note_backlog() == "empty"
    box.abandon()


async def test_a_fresh_frame_on_its_way_tells_how_many_were_captured_unless_something_waits_behind_it() -> None:
    box = handoff(frames=3)
    assert not box.told_since(START)
    box.put(frame(0), wait=False)
    assert not box.told_since(START)
    box.take()
    assert box.told_since(START)
    assert not box.told_since(START + timedelta(seconds=1))
    box.put(frame(1), wait=False)
    assert not box.told_since(START)


async def test_a_frame_that_was_given_up_tells_nothing() -> None:
    box = handoff(frames=1)
    for seq in range(2):
        box.put(frame(seq), wait=False)
    while box.take() is not None:
        pass
    assert not box.told_since(START)


async def test_a_frame_of_a_session_that_is_over_tells_nothing_of_the_next() -> None:
    box = handoff()
    box.put(frame(0), wait=False)
    box.take()
    box.seal()
    assert not box.told_since(START)
