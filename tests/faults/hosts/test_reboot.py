"""A host loses its power, and boots again: what was on its disk is there, what it had in memory is not."""

import time
from collections import Counter
from pathlib import Path

from tests.faults.conftest import ReportRecovery
from tests.faults.hosts.farm import INGESTERS, MAILBOX, SINK, Farm
from tests.faults.recording import CAMERAS, FRAMES, GROUP, Recording


def test_the_host_of_a_broker_that_leads_is_rebooted(
    farm: Farm, recording: Recording, long_clips: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    farm.run_line(long_clips)
    victim = farm.leader()
    farm.power_off(victim)
    report_recovery(farm.wait_inspected(farm.inspected() + 40), "inspections, on the two brokers that are left")
    farm.power_on(victim)
    farm.cluster.servers[victim].start()
    farm.finish_all()
    farm.wait_for_all(recording)


def test_the_host_of_a_worker_is_rebooted(
    farm: Farm, recording: Recording, long_clips: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    farm.run_line(long_clips)
    victim = farm.worker_of(CAMERAS[0])
    before, since = farm.inspected_of(CAMERAS[0]), time.monotonic()
    farm.power_off(victim)
    farm.wait_for(lambda: farm.inspected_of(CAMERAS[0]) > before + 20, 60, "the other worker to inspect its camera")
    report_recovery(time.monotonic() - since, "its camera's inspections, by the other worker")
    farm.power_on(victim, "work")
    farm.finish_all()
    farm.wait_for_all(recording)


def test_the_host_of_the_sink_and_of_redis_is_rebooted(
    farm: Farm, recording: Recording, long_clips: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    farm.run_line(long_clips)
    farm.wait_for(lambda: len(farm.alert_ids()) > 0, 60, "an alert")
    farm.power_off(SINK)
    before, since = farm.inspected(), time.monotonic()
    farm.power_on(SINK)
    farm.redis.start()
    farm.start(SINK, "sink", ready=False)
    farm.wait_inspected(before + 40)
    report_recovery(time.monotonic() - since, "the account goes on, the start of Redis and of the sink included")
    farm.finish_all()
    farm.wait_for_all(recording)


def test_an_ingest_host_is_rebooted_and_loses_at_most_what_it_had_in_memory(
    farm: Farm, recording: Recording, long_clips: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    farm.run_line(long_clips)
    victim, camera = next(iter(INGESTERS.items()))
    farm.network.cut(victim)
    farm.wait_for(lambda: farm.waiting(victim) > 0, 60, "a frame in the spool")
    farm.power_off(victim)
    since = time.monotonic()
    farm.power_on(victim, *farm.ingesting(victim))
    farm.wait_for(lambda: len(farm.sessions()) == len(INGESTERS) + 1, 60, "a new session")
    report_recovery(time.monotonic() - since, "a new session of its camera is in the account, its start included")
    farm.finish_all()
    farm.settle()
    report = farm.audit()
    assert report["balanced"]
    assert report["ledger"]["duplicates"] == 0
    lost = {item["camera"]: item["lost"] for item in report["cameras"]}
    assert set(lost[camera]) <= {"ingester_died", "missing"}  # missing: later ones were on its disk
    assert sum(lost[camera].values()) <= MAILBOX
    assert all(not reasons for name, reasons in lost.items() if name != camera)
    unproven = report["ledger"]["quarantined"]
    assert unproven <= (0 if farm.encoding == "jpeg" else GROUP - 1)  # those that build on a frame that is lost
    assert (
        report["ledger"]["captured"] == report["ledger"]["inspected"] + report["ledger"]["lost"] + unproven > 2 * FRAMES
    )
    farm.wait_for(lambda: farm.steps() == recording.steps, 60, "every event of the whole sessions")
    assert max(Counter(farm.alert_ids()).values()) == 1
