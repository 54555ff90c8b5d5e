"""Ingesters share the cameras: one dies, freezes or comes back, and the account tells all of it."""

import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from andon.messages import tenure_of
from sinks.judgement.tally import Tally
from tests.e2e.line import read_store
from tests.faults.conftest import SESSION_S, ReportRecovery
from tests.faults.rig import SETTLE_S, Rig
from tests.kafka_server import KafkaServer
from tests.rtsp_camera import Faults, RtspCamera, film

CAMERAS = ("north", "east", "south", "west")
FPS = 8.0
MAILBOX = 16
LONG_SESSION_S = 30.0
"""A process starts within it, however busy the machine is."""
TAKEOVER_S = SESSION_S + 5.0


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    """Live cameras, each of which stamps its frames as they come."""
    with RtspCamera(film(16), Faults(fps=FPS)) as camera:
        yield dict.fromkeys(CAMERAS, camera.url)


def start(rig: Rig, name: str, *command: str) -> None:
    """An ingester on a host of its own, as far as its disk goes."""
    rig.start(name, "ingest", *command, ANDON_SPOOL__FOLDER=str(rig.folder / f"spool-{name}"))


def run_line(rig: Rig, urls: dict[str, str]) -> None:
    rig.play(urls, mailbox_frames=MAILBOX)
    rig.start("sink", "sink")
    rig.start("worker", "work")
    start(rig, "one")
    rig.wait_for(lambda: captured_by(rig, "one") == set(CAMERAS), SETTLE_S, "all cameras to deliver")
    start(rig, "two")
    rig.wait_for(lambda: len(captured_by(rig, "two")) == 2, SETTLE_S, "the other one to have its share")
    rig.wait_for(lambda: len(captured_by(rig, "one")) == 2, SETTLE_S, "the first one to have the rest")
    rig.wait_for(lambda: sum(map(len, sessions(rig).values())) == 6, SETTLE_S, "the sessions in the store")


def captured_by(rig: Rig, name: str) -> set[str]:
    """The cameras that an ingester captures, as its own gauges say."""
    lines = [line for line in rig.metrics(name).splitlines() if line.startswith("andon_ingest_camera_online{")]
    return {line.split('"')[1] for line in lines if line.endswith(" 1.0")}


def sessions(rig: Rig) -> dict[str, list[str]]:
    """By camera, in the order in which they began."""
    found: dict[str, list[str]] = {name: [] for name in CAMERAS}
    for camera, session in rig.sessions():
        found[camera].append(session)
    return found


def inspected_in(rig: Rig, newer_than: dict[str, list[str]]) -> set[str]:
    """The cameras of which a frame was inspected in a session that is not among these."""
    return {
        camera
        for (camera, session), tally in tallies(rig).items()
        if session not in newer_than[camera] and tally.inspected
    }


def tallies(rig: Rig) -> dict[tuple[str, str], Tally]:
    """By camera and session."""
    return {key: ledger.tally() for key, ledger in read_store(rig.folder / "andon.db").ledgers.items()}


def of_cameras(report: dict[str, Any], key: str) -> dict[str, Any]:
    return {camera["camera"]: camera[key] for camera in report["cameras"]}


def end(rig: Rig, *names: str) -> dict[str, Any]:
    for name in names:
        assert rig.stop(name) == 0
    rig.settle()
    report = rig.audit()
    assert report["balanced"]
    assert report["ledger"]["duplicates"] == 0
    return report


def test_the_cameras_of_a_killed_ingester_run_on_the_other_one(
    rig: Rig, urls: dict[str, str], report_recovery: ReportRecovery
) -> None:
    run_line(rig, urls)
    dead, before = captured_by(rig, "one"), sessions(rig)
    rig.kill("one")
    since = time.monotonic()
    rig.wait_for(lambda: inspected_in(rig, before) >= dead, SETTLE_S, "inspections of the dead one's cameras")
    report_recovery(time.monotonic() - since, f"its cameras inspected again; the aim is {TAKEOVER_S:.0f} s")
    after = sessions(rig)
    report = end(rig, "two")
    for name in CAMERAS:
        assert len(after[name]) == len(before[name]) + (name in dead), "the others have noticed nothing"
        assert sum(of_cameras(report, "lost")[name].values()) <= (MAILBOX if name in dead else 0)
        assert set(of_cameras(report, "lost")[name]) <= {"ingester_died"}
        assert tenure_of(after[name][-1]) > tenure_of(after[name][-2])
    assert all(any(span["camera"] == name for span in report["spans"]) for name in dead), "the gap in time shows"


def test_an_ingester_that_is_killed_and_started_again_has_its_cameras_back_at_once(
    rig: Rig, urls: dict[str, str], report_recovery: ReportRecovery
) -> None:
    rig.document["kafka"]["session_timeout_s"] = LONG_SESSION_S
    run_line(rig, urls)
    dead, before = captured_by(rig, "one"), sessions(rig)
    rig.kill("one")
    since = time.monotonic()
    rig.start("one", "ingest", ANDON_SPOOL__FOLDER=str(rig.folder / "spool-one"))
    rig.wait_for(lambda: inspected_in(rig, before) >= dead, SETTLE_S, "inspections of its cameras")
    report_recovery(time.monotonic() - since, "its cameras inspected again, its start and 2 s of joining included")
    assert captured_by(rig, "one") == dead
    end(rig, "one", "two")
    assert rig.whole_log("two").count("event=partitions.revoked") == 0


def test_an_ingester_that_was_frozen_ends_its_sessions_and_the_account_says_what_was_captured_twice(
    rig: Rig, urls: dict[str, str], report_recovery: ReportRecovery
) -> None:
    run_line(rig, urls)
    frozen, before = captured_by(rig, "one"), sessions(rig)
    rig.signal("one", signal.SIGSTOP)
    since = time.monotonic()
    rig.wait_for(lambda: inspected_in(rig, before) >= frozen, SETTLE_S, "inspections of the frozen one's cameras")
    report_recovery(time.monotonic() - since, f"its cameras inspected again; the aim is {TAKEOVER_S:.0f} s")
    current = {name: found[-1] for name, found in sessions(rig).items()}
    rig.signal("one", signal.SIGCONT)
    since = time.monotonic()
    rig.wait_for(lambda: "event=partitions.revoked" in log_since_thaw(rig), SETTLE_S, "it to learn what it lost")
    report_recovery(time.monotonic() - since, "it knows what it has lost")
    rig.wait_for(lambda: len(captured_by(rig, "one") | captured_by(rig, "two")) == 4, SETTLE_S, "all to deliver")
    report = end(rig, "one", "two")
    twice = of_cameras(report, "captured_twice")
    assert all(twice[name] == 0 for name in set(CAMERAS) - frozen)
    assert sum(twice.values()) <= FPS * SESSION_S * len(frozen)
    known = tallies(rig)
    for name in frozen:
        old = before[name][-1]
        assert known[name, old].in_flight == 0
        assert tenure_of(old) < tenure_of(current[name])
    assert set().union(*of_cameras(report, "lost").values()) <= {"ingester_died"}


def log_since_thaw(rig: Rig) -> str:
    """What the first one has logged since it got its first share: it gave up a part for the other one, once."""
    return rig.whole_log("one").split("event=partitions.revoked", 1)[-1]


def test_the_spool_of_a_dead_host_is_inspected_when_the_host_comes_back(
    rig: Rig, node: KafkaServer, urls: dict[str, str], report_recovery: ReportRecovery
) -> None:
    run_line(rig, urls)
    dead = captured_by(rig, "one")
    node.freeze()
    rig.wait_for(lambda: rig.gauge("one", "andon_ingest_spool_depth_records") > 30, SETTLE_S, "frames on its disk")
    rig.kill("one")
    node.thaw()
    before = sessions(rig)
    rig.wait_for(lambda: inspected_in(rig, before) >= dead, SETTLE_S, "its cameras on the other one")
    rig.start("one-again", "ingest", ANDON_SPOOL__FOLDER=str(rig.folder / "spool-one"))
    since = time.monotonic()
    rig.wait_for(
        lambda: rig.whole_log("one-again").count("event=spool.drained") == 2, SETTLE_S, "both spools to be sent"
    )
    report_recovery(time.monotonic() - since, "what lay in both spools is sent")
    report = end(rig, "one-again", "two")
    for name in CAMERAS:
        assert sum(of_cameras(report, "lost")[name].values()) <= (MAILBOX if name in dead else 0)
    assert set(of_cameras(report, "captured_twice").values()) == {0}


def test_a_camera_that_is_added_while_the_line_runs_is_inspected(
    rig: Rig, urls: dict[str, str], report_recovery: ReportRecovery
) -> None:
    rig.play({"north": urls["north"]})
    rig.start("sink", "sink")
    rig.start("worker", "work")
    start(rig, "one")
    rig.wait_for(lambda: captured_by(rig, "one") == {"north"}, SETTLE_S, "the line to run")
    before = sessions(rig)
    rig.run("camera", "add", urls["east"], "--id", "east", "--set", f"encoding={rig.encoding}")
    since = time.monotonic()
    rig.wait_for(lambda: inspected_in(rig, before) >= {"east"}, SETTLE_S, "inspections of the new camera")
    report_recovery(time.monotonic() - since, "inspections of a camera that was added; the aim is 5 s")
    rig.run("camera", "remove", "east")
    rig.wait_for(lambda: captured_by(rig, "one") == {"north"}, SETTLE_S, "it to be captured no more")
    rig.wait_for(lambda: tallies(rig)["east", sessions(rig)["east"][-1]].in_flight == 0, SETTLE_S, "its account")
    report = end(rig, "one")
    assert sum(of_cameras(report, "lost")["east"].values()) == 0
    assert len(sessions(rig)["north"]) == 1, "the other camera has noticed nothing"


def test_a_camera_of_a_site_is_captured_there_alone(rig: Rig, urls: dict[str, str]) -> None:
    site = "hall-2"
    cameras = [{"id": name, "url": url, **({"site": site} if name == "north" else {})} for name, url in urls.items()]
    rig.write(cameras)
    start(rig, "plain")
    start(rig, "there", "--site", site)
    rig.wait_for(lambda: captured_by(rig, "there") == {"north"}, SETTLE_S, "the site's camera")
    rig.wait_for(lambda: captured_by(rig, "plain") == set(CAMERAS) - {"north"}, SETTLE_S, "all others")
    assert rig.stop("there") == 0
    assert rig.stop("plain") == 0


def test_a_camera_that_can_not_be_opened_stays_where_it_is(rig: Rig) -> None:
    rig.write([{"id": name, "url": "rtsp://127.0.0.1:1/nowhere", "reconnect_max_s": 0.5} for name in CAMERAS])
    start(rig, "one")
    start(rig, "two")

    def attempts(name: str) -> int:
        return rig.whole_log(name).count("state=offline")

    rig.wait_for(lambda: attempts("one") + attempts("two") >= 6, SETTLE_S, "each to be tried, two of them twice")
    revoked = rig.whole_log("one").count("event=partitions.revoked")
    time.sleep(2 * SESSION_S)
    assert rig.whole_log("one").count("event=partitions.revoked") == revoked <= 1
    assert "event=partitions.revoked" not in rig.whole_log("two")
