"""One command: what it measures, and what it does about a measurement that fails."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from andon.errors import FatalError
from andon.settings import KafkaSettings, RedisSettings
from bench import __main__ as command
from bench.__main__ import MEASUREMENTS, Measurement
from bench.harness.context import Room
from bench.harness.report import AIMS, Findings, Ratio, Report
from bench.harness.servers import Servers


@pytest.fixture
def room(tmp_path: Path) -> Room:
    servers = Servers("embedded", KafkaSettings(), RedisSettings(), {})
    return Room(tmp_path, servers, True, lambda _: None)


def standing_in(monkeypatch: pytest.MonkeyPatch, measure: Callable[[Room], Findings]) -> Measurement:
    monkeypatch.setitem(sys.modules, "bench.measurements.standin", SimpleNamespace(measure=measure))
    return Measurement("standin", "measurements.standin", ("worker_vs_bare",))


def test_the_measurements_give_every_ratio_that_is_aimed_at_once() -> None:
    keys = [key for measurement in MEASUREMENTS for key in measurement.keys]
    assert sorted(keys) == sorted(aim.key for aim in AIMS)


def test_only_what_is_asked_for_is_measured() -> None:
    assert [each.name for each in command.chosen(("line",), roboflow=False)] == ["line"]
    assert "peers.roboflow" not in [each.name for each in command.chosen((), roboflow=False)]
    assert "peers.roboflow" in [each.name for each in command.chosen((), roboflow=True)]


def test_an_unknown_measurement_is_told_with_those_there_are() -> None:
    with pytest.raises(click.UsageError, match=r"no measurement lien; there are: worker, line"):
        command.chosen(("lien",), roboflow=False)


def test_a_measurement_that_fails_is_told_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch, room: Room) -> None:
    def fails(_: Room) -> Findings:
        raise FatalError("the broker went away")

    report = Report({})
    assert not command.measured(standing_in(monkeypatch, fails), room, report)
    assert report.as_json()["failed"]["worker_vs_bare"] == "FatalError: the broker went away"


def test_what_was_found_is_there_for_the_next(monkeypatch: pytest.MonkeyPatch, room: Room) -> None:
    def finds(_: Room) -> Findings:
        return Findings([Ratio("worker_vs_bare", 0.9)], {"frames_per_s": 100.0})

    report = Report({})
    assert command.measured(standing_in(monkeypatch, finds), room, report)
    assert room.found["standin"] == {"frames_per_s": 100.0}


def test_a_ratio_that_could_not_be_had_is_a_failure(monkeypatch: pytest.MonkeyPatch, room: Room) -> None:
    def finds_nothing(_: Room) -> Findings:
        return Findings(failed={"worker_vs_bare": "no GPU here"})

    assert not command.measured(standing_in(monkeypatch, finds_nothing), room, Report({}))


def test_the_report_says_on_what_it_was_measured(room: Room) -> None:
    told: dict[str, Any] = command.machine(room.servers, quick=True)
    assert told["broker"] == "embedded"
    assert told["quick"] is True
    assert told["cores"] >= 1
    assert {"openvino", "torch", "ultralytics"} <= set(told["versions"])
