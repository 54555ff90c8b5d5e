"""Roles are killed and frozen: whoever takes over counts nothing twice, leaves nothing out, and alerts once."""

import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.conftest import SESSION_S, ReportRecovery
from tests.faults.recording import FRAMES, Recording, account_of
from tests.faults.rig import Rig

RATE = 60.0
"""Records a second: the feed lasts five seconds, and a fault meets it."""


STORM_RATE = 20.0
STORM_WORKERS = 3
"""Workers that come and go at least, however slow the machine is."""
"""Fifteen seconds."""
MAILBOX = 64


def moment(seed: int) -> int:
    """After how many inspected frames the fault strikes."""
    return random.Random(seed).randint(20, 200)


def started(rig: Rig, *workers: str) -> None:
    rig.write()
    rig.start("sink", "sink")
    for name in workers:
        rig.start(name, "work")


@pytest.mark.parametrize("seed", [1, 2])
def test_a_worker_killed_at_any_moment_is_replaced_by_the_other(
    rig: Rig, recording: Recording, report_recovery: ReportRecovery, seed: int
) -> None:
    started(rig, "worker-1", "worker-2")
    rig.feed(account_of(recording.frames, "s1"), RATE)
    rig.wait_inspected(moment(seed))
    rig.kill("worker-1")
    report_recovery(rig.wait_inspected(2 * FRAMES), "every frame inspected by the other worker")
    rig.wait_for_all(recording)


@pytest.mark.parametrize("seed", [3, 4])
def test_a_sink_killed_at_any_moment_goes_on_where_it_stood(
    rig: Rig, recording: Recording, report_recovery: ReportRecovery, seed: int
) -> None:
    started(rig, "worker")
    rig.feed(account_of(recording.frames, "s1"), RATE)
    rig.wait_inspected(moment(seed))
    rig.kill("sink")
    before = rig.inspected()
    rig.start("sink", "sink", ready=False)
    report_recovery(rig.wait_inspected(before + 1), "the account goes on, the sink's start included")
    rig.wait_for_all(recording)


@pytest.mark.parametrize("seed", [5, 6])
def test_an_ingester_killed_at_any_moment_loses_at_most_what_it_held_and_begins_anew(
    rig: Rig, recording: Recording, videos: dict[str, Path], report_recovery: ReportRecovery, seed: int
) -> None:
    rig.play(videos, mailbox_frames=MAILBOX)
    rig.start("sink", "sink")
    rig.start("worker", "work")
    rig.start("ingest-1", "ingest")
    rig.wait_inspected(moment(seed))
    rig.kill("ingest-1")
    since = time.monotonic()
    rig.start("ingest-2", "ingest", "--once")
    rig.wait_for(lambda: len(rig.sessions()) == 2 * len(videos), 60, "new sessions")
    report_recovery(time.monotonic() - since, "new frames accounted for, the ingester's start included")
    assert rig.finish("ingest-2") == 0
    rig.settle()
    report = rig.audit()
    assert report["balanced"]
    assert report["ledger"]["duplicates"] == 0
    lost = Counter[str]()
    for camera in report["cameras"]:
        lost.update(camera["lost"])
        assert sum(camera["lost"].values()) <= MAILBOX
    assert set(lost) <= {"ingester_died"}
    assert report["ledger"]["captured"] == report["ledger"]["inspected"] + lost.total()
    newest = dict(rig.sessions()).values()
    rig.wait_for(lambda: rig.steps(newest) == recording.steps, 60, "every event of the whole sessions")
    assert Counter(rig.alert_ids()).most_common(1)[0][1] == 1
    assert rig.steps() == recording.steps  # what the killed one saw begins in the same way


def test_a_frozen_worker_that_wakes_up_counts_nothing_twice(
    rig: Rig, recording: Recording, report_recovery: ReportRecovery
) -> None:
    started(rig, "worker-1", "worker-2")
    feed = rig.feed(account_of(recording.frames, "s1"), RATE)
    rig.wait_inspected(40)
    rig.signal("worker-1", signal.SIGSTOP)
    report_recovery(rig.wait_inspected(2 * FRAMES), f"every frame inspected; the group's session is {SESSION_S:.0f} s")
    feed.wait()
    rig.signal("worker-1", signal.SIGCONT)
    rig.wait_for(lambda: 'andon_stage_in_flight_records{stage="workers"} 0.0' in rig.metrics("worker-1"), 60, "calm")
    rig.wait_for_all(recording)
    assert rig.stop("worker-1") == 0
    rig.wait_for_all(recording)


def test_a_frozen_sink_that_wakes_up_neither_counts_nor_alerts_twice(
    rig: Rig, recording: Recording, report_recovery: ReportRecovery
) -> None:
    started(rig, "worker")
    rig.start("sink-2", "sink")
    rig.feed(account_of(recording.frames, "s1"), RATE)
    rig.wait_inspected(40)
    rig.signal("sink", signal.SIGSTOP)
    report_recovery(
        rig.wait_inspected(2 * FRAMES), f"every frame accounted for; the group's session is {SESSION_S:.0f} s"
    )
    rig.signal("sink", signal.SIGCONT)
    rig.wait_for_all(recording)
    assert rig.stop("sink") == 0
    rig.wait_for_all(recording)


def test_workers_that_join_and_leave_all_the_time_leave_nothing_out_and_count_nothing_twice(
    rig: Rig, recording: Recording, report_recovery: ReportRecovery
) -> None:
    started(rig, "worker-0")
    feed = rig.feed(account_of(recording.frames, "s1"), STORM_RATE)
    chance = random.Random(8)
    coming = 0
    while feed.sent < 2 * FRAMES or coming < STORM_WORKERS:
        coming += 1
        name = f"worker-{coming}"
        rig.start(name, "work")
        time.sleep(chance.uniform(0.0, 2.0))
        if chance.random() < 0.5:
            rig.kill(name)
        else:
            assert rig.stop(name) == 0
    feed.wait()
    report_recovery(rig.wait_inspected(2 * FRAMES), f"what was held up by {coming} workers that came and went")
    rig.wait_for_all(recording)
