"""A host is cut off while it works, for longer than it takes the others to miss it, and comes back."""

import time
from pathlib import Path

from tests.faults.conftest import SESSION_S, ReportRecovery
from tests.faults.hosts.farm import MAILBOX, SINK, WORKERS, Farm
from tests.faults.recording import CAMERAS, Recording

CUT_S = 3 * SESSION_S
"""The group has given the partitions of a member that is cut off to others long before."""


def test_a_broker_that_leads_is_cut_off_and_comes_back(
    farm: Farm, recording: Recording, long_clips: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    farm.run_line(long_clips)
    victim = farm.leader()
    farm.network.cut(victim)
    report_recovery(farm.wait_inspected(farm.inspected() + 40), "inspections, on the two brokers that can be reached")
    assert farm.leader() != victim
    farm.network.join(victim)
    farm.finish_all()
    farm.wait_for_all(recording)


def test_a_worker_that_was_cut_off_comes_back_and_counts_nothing_twice(
    farm: Farm, recording: Recording, long_clips: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    farm.run_line(long_clips)
    victim = farm.worker_of(CAMERAS[0])
    (other,) = set(WORKERS) - {victim}
    farm.network.cut(victim)
    before = farm.inspected_of(CAMERAS[0])
    since = time.monotonic()
    farm.wait_for(lambda: farm.inspected_of(CAMERAS[0]) > before + 20, 60, "the other worker to inspect its camera")
    report_recovery(time.monotonic() - since, f"its camera's inspections, by {other}; a session is {SESSION_S:.0f} s")
    farm.network.join(victim)
    farm.finish_all()
    farm.wait_for_all(recording)
    assert farm.stop(victim) == 0
    farm.wait_for_all(recording)


def test_the_host_of_the_sink_is_cut_off_and_catches_up(
    farm: Farm, recording: Recording, long_clips: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    farm.run_line(long_clips)
    farm.network.cut(SINK)
    time.sleep(CUT_S)
    before, since = farm.inspected(), time.monotonic()
    farm.network.join(SINK)
    farm.wait_inspected(before + 40)
    report_recovery(time.monotonic() - since, "the account goes on")
    farm.finish_all()
    farm.wait_for_all(recording)


def test_an_ingest_host_that_is_cut_off_spools_and_sends_all_of_it_when_it_is_back(
    farm: Farm, recording: Recording, long_clips: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    farm.run_line(long_clips)
    victim = "ingest-1"
    farm.network.cut(victim)
    farm.wait_for(lambda: farm.waiting(victim) > 2 * MAILBOX, 60, "frames in the spool")
    since = time.monotonic()
    farm.network.join(victim)
    farm.wait_for(lambda: "event=spool.drained" in farm.whole_log(victim), 60, "the spool to be drained")
    report_recovery(time.monotonic() - since, "everything that was spooled is in Kafka")
    farm.finish_all()
    farm.wait_for_all(recording)
