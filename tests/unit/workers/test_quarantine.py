import pytest

from andon.errors import FatalError, PoisonError, QuarantineReason
from andon.events import CameraRefused, CameraResumed
from tests.fakes import RecordedEvents
from workers.quarantine import MOST_CAMERAS, QuarantineLimit

DAMAGED = PoisonError("undecodable", "a damaged JPEG")


def limit_of(count: int) -> tuple[QuarantineLimit, RecordedEvents]:
    events = RecordedEvents()
    return QuarantineLimit(count, 60.0, events), events


def failure(reason: QuarantineReason = "detector_error") -> PoisonError:
    return PoisonError(reason, "it failed")


def test_one_record_past_the_limit_reports_the_camera_with_the_reasons() -> None:
    limit, events = limit_of(3)
    limit.admit("bad", PoisonError("too_large", "9 MB"), 0.0)
    for second in (1.0, 2.0):
        limit.admit("bad", DAMAGED, second)
    assert events.of(CameraRefused) == []
    limit.admit("bad", DAMAGED, 3.0)
    assert events.of(CameraRefused) == [
        CameraRefused("bad", "undecodable 3, too_large 1", 3, 60.0, "a damaged JPEG"),
    ]
    assert limit.refused(3.0) == {"bad": True}


def test_a_camera_is_reported_once_a_window_however_many_records_follow() -> None:
    limit, events = limit_of(1)
    for second in range(150):
        limit.admit("bad", DAMAGED, float(second))
    assert len(events.of(CameraRefused)) == 3


def test_each_camera_has_a_limit_of_its_own() -> None:
    limit, events = limit_of(2)
    for number in range(12):
        limit.admit(f"cam-{number % 6}", DAMAGED, float(number))
    assert events.of(CameraRefused) == []
    limit.admit("cam-0", DAMAGED, 12.0)
    assert [event.camera for event in events.of(CameraRefused)] == ["cam-0"]


def test_records_that_have_left_the_window_do_not_count() -> None:
    limit, events = limit_of(2)
    for second in (0.0, 1.0, 60.5, 61.5, 121.0, 122.0):
        limit.admit("bad", DAMAGED, second)
    assert events.of(CameraRefused) == []


def test_a_camera_resumes_when_its_frames_are_inspected_and_it_is_below_the_limit() -> None:
    limit, events = limit_of(1)
    for second in (0.0, 1.0):
        limit.admit("bad", DAMAGED, second)
    limit.inspected("bad", 30.0)
    assert events.of(CameraResumed) == [], "two of the last minute's records are still too many"
    limit.inspected("bad", 62.0)
    assert events.of(CameraResumed) == [CameraResumed("bad")]
    assert limit.refused(62.0) == {}


def test_a_camera_that_went_away_is_past_no_limit() -> None:
    limit, _ = limit_of(1)
    for second in (0.0, 1.0):
        limit.admit("bad", DAMAGED, second)
    assert limit.refused(100.0) == {"bad": False}


def test_one_camera_on_whose_pictures_the_model_fails_never_ends_the_worker() -> None:
    limit, events = limit_of(2)
    for second in range(50):
        limit.admit("bad", failure(), float(second))
    assert [event.camera for event in events.of(CameraRefused)] == ["bad"]


def test_a_model_that_fails_on_all_cameras_ends_the_worker() -> None:
    limit, _ = limit_of(3)
    for number in range(3):
        limit.admit(f"cam-{number}", failure(), float(number))
    with pytest.raises(FatalError, match=r"failed on 4 pictures of 3 cameras .*worker.quarantine_limit is 3"):
        limit.admit("cam-0", failure(), 3.0)


def test_a_model_that_succeeds_on_one_camera_goes_on() -> None:
    limit, _ = limit_of(3)
    limit.inspected("good", 0.0)
    for number in range(50):
        limit.admit(f"cam-{number % 2}", failure(), float(number))
    with pytest.raises(FatalError):
        limit.admit("cam-0", failure(), 61.0)


def test_the_cameras_of_a_broken_producer_are_bounded() -> None:
    limit, _ = limit_of(3)
    for number in range(2 * MOST_CAMERAS):
        limit.admit(f"cam-{number}", DAMAGED, float(number))
    assert len(limit.refused(0.0)) == MOST_CAMERAS
