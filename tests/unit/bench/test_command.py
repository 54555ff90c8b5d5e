"""The command: which measurements it runs, and what it does if one fails."""

import json
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
from bench.accuracy.published import KEY
from bench.harness.aims import KEYS
from bench.harness.context import Context
from bench.harness.report import Course, Findings, Ratio, Report
from bench.harness.servers import Servers


@pytest.fixture
def context(tmp_path: Path) -> Context:
    servers = Servers("embedded", KafkaSettings(), RedisSettings(), {})
    return Context(tmp_path, servers, True, lambda _: None)


def standing_in(monkeypatch: pytest.MonkeyPatch, measure: Callable[[Context], Findings]) -> Measurement:
    monkeypatch.setitem(sys.modules, "bench.measurements.standin", SimpleNamespace(measure=measure))
    return Measurement("standin", "measurements.standin", ("worker_vs_bare",))


def test_each_aim_has_exactly_one_measurement() -> None:
    keys = [key for measurement in MEASUREMENTS for key in measurement.keys]
    assert sorted([*keys, KEY]) == sorted(KEYS)


def test_only_the_selected_measurements_run() -> None:
    assert [each.name for each in command.select(("line",))] == ["line"]
    assert [each.name for each in command.select(("roboflow", "tutorial"))] == ["tutorial", "roboflow"]
    whole = ["tune", "worker", "line", "plant", "latency", "scaling", "spike", "growth"]
    assert [each.name for each in command.select(())] == whole


def test_an_unknown_measurement_is_refused_with_the_list_of_names() -> None:
    with pytest.raises(click.UsageError, match=r"no measurement lien; there are: tune, worker, line"):
        command.select(("lien",))


def test_a_failed_measurement_is_reported_with_its_error(monkeypatch: pytest.MonkeyPatch, context: Context) -> None:
    def fails(_: Context) -> Findings:
        raise FatalError("the broker went away")

    report = Report({})
    assert not command.run_measurement(standing_in(monkeypatch, fails), context, report, context.folder)
    assert report.as_json()["failed"]["worker_vs_bare"] == "FatalError: the broker went away"
    assert json.loads((context.folder / "report.json").read_bytes()) == report.as_json()


def test_later_measurements_get_the_figures_of_earlier_ones(monkeypatch: pytest.MonkeyPatch, context: Context) -> None:
    def finds(_: Context) -> Findings:
        return Findings([Ratio("worker_vs_bare", 0.9)], {"frames_per_s": 100.0})

    report = Report({})
    assert command.run_measurement(standing_in(monkeypatch, finds), context, report, context.folder)
    assert context.figures["standin"] == {"frames_per_s": 100.0}
    assert json.loads((context.folder / "report.json").read_bytes())["ratios"]["worker_vs_bare"] == 0.9


def test_a_measurement_without_its_ratio_has_failed(monkeypatch: pytest.MonkeyPatch, context: Context) -> None:
    def finds_nothing(_: Context) -> Findings:
        return Findings(failed={"worker_vs_bare": "no GPU here"})

    assert not command.run_measurement(standing_in(monkeypatch, finds_nothing), context, Report({}), context.folder)


def test_the_report_describes_the_machine(context: Context) -> None:
    document: dict[str, Any] = command.machine(context.servers, quick=True)
    assert document["broker"] == "embedded"
    assert document["quick"] is True
    assert document["cores"] >= 1
    assert {"openvino", "torch", "ultralytics"} <= set(document["versions"])


def choices(context: Context, *only: str) -> command.Choices:
    return command.Choices(only, context.folder, quick=True, resume=True, embedded=True)


def test_a_run_that_resumes_gives_later_measurements_the_figures_of_the_earlier_run(context: Context) -> None:
    earlier = Report({"commit": "abc"})
    earlier.add("worker", Findings([Ratio("worker_vs_bare", 0.9)], {"bare": {"frames_per_s": 100.0}}), Course(1.0))
    earlier.write(context.folder)
    assert command.kept(Report({"commit": "abc"}), choices(context), context) == ["worker"]
    assert context.figures["worker"] == {"bare": {"frames_per_s": 100.0}}


def test_what_is_named_is_measured_again(context: Context) -> None:
    earlier, later = Report({}), Report({})
    for name, key in (("worker", "worker_vs_bare"), ("scaling", "scaling_8_workers")):
        earlier.add(name, Findings([Ratio(key, 0.9)]), Course(1.0))
    earlier.write(context.folder)
    assert command.kept(later, choices(context, "worker"), context) == ["scaling"]
    assert set(later.ratios) == {"scaling_8_workers"}


def test_there_is_nothing_to_go_on_with_at_first(context: Context) -> None:
    assert command.kept(Report({}), choices(context), context) == []


@pytest.mark.parametrize("content", ["{", "[]", '{"machine": {"commit": "another"}}'])
def test_a_report_that_does_not_fit_is_refused_with_its_reason(context: Context, content: str) -> None:
    (context.folder / "report.json").write_text(content)
    with pytest.raises(click.UsageError, match=r"report\.json can't be gone on with: .*; run without --resume"):
        command.kept(Report({"commit": "abc"}), choices(context), context)
