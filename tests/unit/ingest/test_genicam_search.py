"""Finding an industrial camera among those that answer."""

import threading

import pytest

from ingest.sources import genicam_search
from ingest.sources.genicam_search import Found, GenicamSearch, IndustrialCamera, cameras_in_reach, find
from ingest.sources.source import SourceError
from tests.fakes import FakeClock

FRONT = IndustrialCamera("gige", "2301", "Basler", "acA1300", "192.168.1.7", "Basler-acA1300-2301")
BACK = IndustrialCamera("usb3", "77", "FLIR", "BFS", "", "FLIR-BFS-77")
TWIN = IndustrialCamera("gige", "2301", "Other", "X1", "192.168.1.8", "Other-X1-2301")


class Looks:
    """What each search finds, in turn; the last one again and again."""

    def __init__(self, *found: Found) -> None:
        self._found = list(found)
        self.count = 0

    def __call__(self) -> Found:
        found = self._found[min(self.count, len(self._found) - 1)]
        self.count += 1
        return found


def searched(monkeypatch: pytest.MonkeyPatch, *found: IndustrialCamera) -> None:
    monkeypatch.setattr(genicam_search, "_SEARCH", GenicamSearch(Looks(found)))


def test_a_camera_is_found_by_its_serial_number_and_its_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    searched(monkeypatch, BACK, FRONT)
    assert find("gige", "2301", 5.0, FakeClock()) is FRONT
    assert find("usb3", "77", 5.0, FakeClock()) is BACK


def test_a_camera_that_is_not_there_is_refused_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    searched(monkeypatch, BACK, FRONT)
    with pytest.raises(SourceError) as caught:
        find("gige", "77", 5.0, FakeClock())
    assert str(caught.value) == (
        "gige:77: no such camera on this machine's networks and ports; "
        "seen: usb3:77 (FLIR BFS), gige:2301 (Basler acA1300, 192.168.1.7)"
    )


def test_where_no_camera_answers_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    searched(monkeypatch)
    with pytest.raises(SourceError, match=r"seen: none$"):
        find("gige", "2301", 5.0, FakeClock())


def test_a_long_list_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    searched(monkeypatch, *[FRONT] * 11)
    with pytest.raises(SourceError, match=r", 3 more$"):
        find("gige", "x", 5.0, FakeClock())


def test_two_cameras_of_one_serial_number_are_told_apart_by_their_makers(monkeypatch: pytest.MonkeyPatch) -> None:
    searched(monkeypatch, FRONT, TWIN)
    with pytest.raises(SourceError, match="name it gige:Basler-acA1300-2301 or gige:Other-X1-2301"):
        find("gige", "2301", 5.0, FakeClock())
    assert find("gige", "Other-X1-2301", 5.0, FakeClock()) is TWIN


def test_whoever_asks_what_there_is_gets_cameras_with_their_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    searched(monkeypatch, FRONT, BACK)
    assert [camera.url for camera in cameras_in_reach()] == ["gige:2301", "usb3:77"]


def test_cameras_that_are_opened_together_share_one_search() -> None:
    clock, looks = FakeClock(), Looks((FRONT,), (FRONT, BACK))
    search = GenicamSearch(looks)
    assert search.found(5.0, clock) == (FRONT,)
    clock.advance(1.9)
    assert search.found(5.0, clock) == (FRONT,)
    clock.advance(0.2)
    assert search.found(5.0, clock) == (FRONT, BACK)
    assert looks.count == 2


def test_a_search_that_failed_is_made_again() -> None:
    def fail() -> Found:
        raise SourceError("no library")

    search = GenicamSearch(fail)
    for _ in range(2):
        with pytest.raises(SourceError, match="no library"):
            search.found(5.0, FakeClock())


def test_a_search_that_hangs_holds_up_the_other_cameras_for_their_time_limit_only() -> None:
    looking, go_on = threading.Event(), threading.Event()

    def hang() -> Found:
        looking.set()
        go_on.wait()
        return ()

    search, clock = GenicamSearch(hang), FakeClock()
    first = threading.Thread(target=lambda: search.found(5.0, clock))
    first.start()
    looking.wait()
    with pytest.raises(SourceError, match=r"has not ended within 0\.01 s"):
        search.found(0.01, clock)
    go_on.set()
    first.join()
