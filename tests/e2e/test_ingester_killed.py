"""An ingester is killed: the account says what it lost, at most its mailbox, and shows the gap in time."""

import pytest

from tests.e2e.line import CLIPS, Line

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
MAILBOX = 64


def gap_s(line: Line) -> float:
    """How long no frame has come; 0 if the last span without frames is over."""
    account = line.account()
    return max((account.seconds(span) for span in account.spans if span.ended_at is None), default=0.0)


def test_a_killed_ingester_loses_at_most_its_mailbox_and_the_gap_shows(line: Line) -> None:
    url = str(CLIPS / "press-1.mp4")
    line.write([{"id": "press-1", "url": url, "loop": True, "mailbox_frames": MAILBOX}])
    # the embedded broker takes 5 s to form a group, and does not know a member again
    ingest = ("ingest",) if line.document["kafka"].get("idempotent", True) else ("ingest", "--alone")
    line.start("sink", "sink")
    line.start("worker", "work")
    line.start("ingest", *ingest)
    line.wait_for(lambda: line.inspected() > 30, 60, "inspections")
    line.kill("ingest")
    line.wait_for(lambda: gap_s(line) >= 3, 60, "a gap of three seconds")
    line.start("ingest", *ingest)
    before = line.inspected()
    line.wait_for(lambda: line.inspected() > before + 30, 60, "inspections after the restart")
    assert line.stop("ingest") == 0
    line.wait_for(lambda: line.audit()["ledger"]["in_flight"] == 0, 60, "everything to be accounted for")
    report = line.audit()
    assert report["balanced"]
    assert report["ledger"]["lost"] <= MAILBOX
    assert set(report["cameras"][0]["lost"]) <= {"ingester_died"}
    assert any(span["camera"] == "press-1" and span["seconds"] >= 3 for span in report["spans"])
