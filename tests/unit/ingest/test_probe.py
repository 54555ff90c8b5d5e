"""What `andon camera test` measures."""

import pytest

from ingest.probe import probe
from ingest.sources.source import Picture
from tests.fakes import FakeClock
from tests.unit.ingest.fakes import ScriptedSource, bgr, pictures


def test_a_file_is_read_for_so_much_of_its_own_time() -> None:
    found = probe(ScriptedSource(pictures(500)), 2.0, FakeClock())
    assert found.frames == 51
    assert found.fps == pytest.approx(25)
    assert found.jitter_ms is None
    assert found.last is not None


def test_an_even_camera_has_no_jitter_and_an_uneven_one_has() -> None:
    for gaps, expected in (((0.04, 0.04), 0.0), ((0.02, 0.06), 10.0)):
        clock = FakeClock()
        steps = iter(gaps * 1000)
        source = ScriptedSource(pictures(2000), "camera", lambda clock=clock, steps=steps: clock.advance(next(steps)))  # type: ignore[misc]  # mypy can't infer a lambda's defaults
        found = probe(source, 4.0, clock)
        assert found.jitter_ms == pytest.approx(expected, abs=0.2)


def test_a_camera_without_timestamps_is_measured_by_arrival() -> None:
    clock = FakeClock()
    source = ScriptedSource([Picture(None, bgr)] * 200, "host", lambda: clock.advance(0.05))
    found = probe(source, 3.0, clock)
    assert found.fps == pytest.approx(20)
    assert found.jitter_ms == pytest.approx(0, abs=0.01)


def test_corrupt_pictures_are_counted_and_never_the_snapshot() -> None:
    found = probe(ScriptedSource([Picture(0.0, None, corrupt=True)]), 1.0, FakeClock())
    assert (found.frames, found.corrupt, found.last) == (1, 1, None)
