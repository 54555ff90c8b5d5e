"""The network falls apart into two: each part goes on as far as it can, and together they count everything once."""

import time
from pathlib import Path

from tests.faults.conftest import SESSION_S, ReportRecovery
from tests.faults.hosts.farm import MAILBOX, SINK, Farm
from tests.faults.recording import CAMERAS, Recording


def test_a_minority_with_an_ingester_and_a_worker_is_split_off_and_comes_back(
    farm: Farm, recording: Recording, long_clips: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    farm.run_line(long_clips)
    minority = [farm.leader(), "ingest-1", farm.worker_of(CAMERAS[0])]
    farm.network.split(minority)
    before, since = farm.inspected_of(CAMERAS[1]), time.monotonic()
    farm.wait_for(lambda: farm.inspected_of(CAMERAS[1]) > before + 20, 60, "the majority to go on")
    report_recovery(time.monotonic() - since, f"inspections in the majority; a session is {SESSION_S:.0f} s")
    farm.wait_for(lambda: farm.waiting("ingest-1") > MAILBOX, 60, "the minority's ingester to spool")
    since = time.monotonic()
    farm.network.join(*minority)
    farm.wait_for(lambda: "event=spool.drained" in farm.whole_log("ingest-1"), 60, "the spool to be drained")
    report_recovery(time.monotonic() - since, "the minority's frames are in Kafka")
    farm.finish_all()
    farm.wait_for_all(recording)


def test_the_sink_is_left_alone_with_one_broker(
    farm: Farm, recording: Recording, long_clips: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    farm.run_line(long_clips)
    farm.network.split([farm.leader(), SINK])
    time.sleep(3 * SESSION_S)  # the two brokers have elected leaders, and gone on without the sink
    before, since = farm.inspected(), time.monotonic()
    farm.network.join(*farm.network.hosts)
    farm.wait_inspected(before + 40)
    report_recovery(time.monotonic() - since, "the account goes on")
    farm.finish_all()
    farm.wait_for_all(recording)
