"""The demo counts inspections and alerts from outside."""

from datetime import timedelta

from andon.messages import Box, CameraStatus, Defect, Detection, Inspection, Outcome, RecordRef, Timings, Transition
from sample_streams.observer import Observer, percentile
from sample_streams.score import InspectedSession
from tests.fakes import START


def frame(seq: int, outcome: Outcome = "inspected", latency_s: float = 0.1, *labels: str) -> Inspection:
    captured_at = START + timedelta(seconds=seq / 10)
    return Inspection(
        camera_id="cam",
        session="s",
        seq=seq,
        captured_at=captured_at,
        outcome=outcome,
        reason=None if outcome == "inspected" else "stale",
        detections=tuple(Detection(label=name, confidence=0.9, box=Box(x1=0, y1=0, x2=1, y2=1)) for name in labels),
        width=640,
        height=480,
        frame=RecordRef(topic="t", partition=0, offset=seq),
        timings=Timings(batch_size=4),
        inspected_at=captured_at + timedelta(seconds=latency_s),
    )


def defect(transition: Transition, name: str = "d1") -> Defect:
    return Defect(
        event_id=f"{name}/{transition}",
        defect_id=name,
        transition=transition,
        camera_id="cam",
        session="s",
        label="scratch",
        severity="major",
        confidence=0.9,
        box=Box(x1=0, y1=0, x2=1, y2=1),
        first_frame="cam/s/1",
        best_frame="cam/s/2",
        last_frame="cam/s/4",
        frames=4,
        opened_at=START,
        at=START,
    )


def test_a_percentile_is_the_value_of_the_nearest_rank() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert [percentile(values, percent) for percent in (50, 95, 99, 100)] == [50.0, 95.0, 99.0, 100.0]
    assert percentile([7.0], 99) == 7.0
    assert percentile([], 50) is None


def test_every_inspection_counts_once_however_often_it_comes() -> None:
    observer = Observer(["cam"])
    for message in (frame(0), frame(1), frame(1)):
        observer.add_message(message)
    assert (observer.inspected, observer.conflicts, len(observer.latencies_s)) == (2, 0, 2)


def test_a_frame_under_two_outcomes_is_a_conflict() -> None:
    observer = Observer(["cam"])
    observer.add_message(frame(3))
    observer.add_message(frame(3, "shed"))
    assert observer.conflicts == 1


def test_a_frame_that_was_not_inspected_leaves_the_verdict_unknown_and_no_latency() -> None:
    observer = Observer(["cam"])
    observer.add_message(frame(0, "inspected", 0.1, "dent"))
    assert observer.cameras["cam"].verdict == "dent"
    observer.add_message(frame(1, "shed"))
    assert observer.cameras["cam"].verdict == "unknown"
    assert (observer.cameras["cam"].other, len(observer.latencies_s)) == (1, 1)


def test_a_part_is_not_a_defect() -> None:
    observer = Observer(["cam"], part="part")
    observer.add_message(frame(0, "inspected", 0.1, "part"))
    assert observer.cameras["cam"].verdict == "ok"
    observer.add_message(frame(1, "inspected", 0.1, "part", "dent"))
    assert observer.cameras["cam"].verdict == "dent"


def test_the_rate_is_that_of_the_capture_times() -> None:
    observer = Observer(["cam"])
    for seq in range(31):
        observer.add_message(frame(seq, "inspected", 5.0))
    assert round(observer.cameras["cam"].fps, 6) == 10.0
    assert observer.seconds == 3.0
    assert observer.sessions == [InspectedSession("cam", "s", 30)]


def test_a_cameras_state_is_that_of_its_last_status() -> None:
    observer = Observer(["cam"])
    observer.add_message(CameraStatus(camera_id="cam", state="online", at=START))
    assert observer.cameras["cam"].state == "online"


def test_an_alert_that_comes_twice_is_counted_as_repeated_and_its_defect_once() -> None:
    observer = Observer(["cam"])
    for transition in ("opened", "opened", "closed"):
        observer.add_alert(defect(transition), START + timedelta(seconds=0.3))
    assert observer.repeated_alerts == 1
    assert [item.transition for item in observer.raised] == ["closed"]


def test_an_alerts_latency_is_that_of_its_opening() -> None:
    observer = Observer(["cam"])
    observer.add_alert(defect("opened"), START + timedelta(seconds=0.3))
    observer.add_alert(defect("closed"), START + timedelta(seconds=9))
    assert observer.alert_latencies_s == [0.3]
