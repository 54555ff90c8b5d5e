"""An ingest host that is cut off: its camera runs on the other host, and the account knows of both."""

import time
from collections import Counter
from pathlib import Path

from tests.faults.conftest import SESSION_S, ReportRecovery
from tests.faults.hosts.farm import INGESTERS, MAILBOX, SINK, WORKERS, Farm
from tests.faults.recording import CAMERAS


def test_the_cameras_of_an_ingest_host_that_is_cut_off_run_on_the_other_one(
    farm: Farm, long_clips: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    farm.play(long_clips, mailbox_frames=MAILBOX, loop=True)
    farm.start_together({SINK: ["sink"]} | {name: ["work"] for name in WORKERS})
    farm.start_together({name: ["ingest"] for name in INGESTERS})
    farm.wait_for(lambda: all(farm.inspected_of(camera) > 5 for camera in CAMERAS), 60, "both cameras' frames")
    camera = CAMERAS[0]
    victim = farm.ingester_of(camera)
    before, length = farm.newest_session(camera), len(farm.whole_log(victim))
    farm.network.cut(victim)
    since = time.monotonic()
    farm.wait_for(lambda: farm.newest_session(camera) > before, 60, "a session of the other host")
    report_recovery(
        time.monotonic() - since, f"its camera's frames, from the other host; a session is {SESSION_S:.0f} s"
    )
    farm.wait_for(lambda: farm.waiting(victim) > MAILBOX, 60, "the first host to spool what it still captures")
    since = time.monotonic()
    farm.network.join(victim)
    farm.wait_for(lambda: "event=partitions.revoked" in farm.whole_log(victim)[length:], 60, "it to give the camera up")
    report_recovery(time.monotonic() - since, "the first host knows that it has lost its camera, and ends its session")
    farm.wait_for(lambda: farm.waiting(victim) == 0, 60, "what it had spooled to be in Kafka")
    for name in INGESTERS:
        assert farm.stop(name) == 0
    farm.settle()
    report = farm.audit()
    assert report["balanced"]
    ledger = report["ledger"]
    assert (ledger["lost"], ledger["duplicates"], ledger["shed"]) == (0, 0, 0)
    assert ledger["captured"] == ledger["inspected"]  # both hosts' video comes by turns, and all of it is proven
    assert max(Counter(farm.alert_ids()).values(), default=0) <= 1
    twice = {item["camera"]: item["captured_twice"] for item in report["cameras"]}
    assert twice[camera] > 0  # the account says that two hosts had the camera
