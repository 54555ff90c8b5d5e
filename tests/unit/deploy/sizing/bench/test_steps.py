"""`andon bench` as a whole, with parts that take no time: what it gives when a step fails, or Ctrl-C comes."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from andon.cli import main
from andon.config import load
from andon.errors import FatalError
from andon.settings import PoolSettings, Settings
from deploy.local.cpu import CpuSpan
from deploy.sizing.bench import line, model, pictures, steps
from deploy.sizing.costs import Resolution
from deploy.sizing.measured import BenchFigures, LineFigures, PictureFigures
from tests.detectors import FakeDetector, grey
from tests.fakes import FakeClock
from tests.unit.deploy.sizing.plants import measured


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """`andon bench` takes ANDON_* out of its process's environment, which here is that of all tests."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Stands for the parts that take long. A test may replace what one of them does."""
    found = measured()
    does: dict[str, Callable[..., Any]] = {
        "pictures": lambda at, *_: found.pictures[0].model_copy(update={"width": at.width, "height": at.height}),
        "model": lambda *_: found.model,
        "line": lambda *_: found.line,
    }
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model, "opened", lambda *_: FakeDetector())
    monkeypatch.setattr(pictures, "drawn", lambda at: [grey(100, (at.height, at.width))])
    for module, name in ((pictures, "pictures"), (model, "model"), (line, "line")):
        monkeypatch.setattr(module, "measure", partial(_call, does, name))
    return does


def _call(does: dict[str, Callable[..., Any]], name: str, *given: object) -> Any:
    return does[name](*given)


def bench(*arguments: str) -> Result:
    sizes = ("--resolution", "160x120", "--resolution", "320x240")
    return CliRunner().invoke(main, ["bench", *sizes, *arguments], env={"COLUMNS": "160"})


def found_by(*arguments: str) -> BenchFigures:
    done = bench("--json", *arguments)
    assert done.exit_code == 0, done.output
    return BenchFigures.model_validate_json(done.stdout)


@pytest.mark.usefixtures("parts")
def test_everything_is_measured_and_the_rest_is_said() -> None:
    found = found_by("--fps", "5", "--fps", "30")
    assert [(each.width, each.height) for each in found.pictures] == [(640, 480), (160, 120), (320, 240)]
    assert found.model is not None
    assert found.line is not None
    assert [(row.width, row.fps) for row in found.carried] == [(160, 5), (160, 30), (320, 5), (320, 30)]
    assert any("Apache Kafka" in gap for gap in found.not_measured)
    assert any("cameras were files" in gap for gap in found.not_measured)


@pytest.mark.usefixtures("parts")
def test_the_tables_show_the_machine_the_costs_and_the_cameras(tmp_path: Path) -> None:
    done = bench("--out", "bench.json")
    assert done.exit_code == 0, done.output
    for text in (
        "core",
        "CPU ms a frame",
        "H.264 to BGR",
        "the whole line",
        "cameras that this machine carries",
        "p99 120 ms",
    ):
        assert text in done.stdout, text
    assert "not measured: " in done.stdout
    assert BenchFigures.model_validate_json((tmp_path / "bench.json").read_bytes()).line is not None


def test_ctrl_c_leaves_what_was_measured_before(parts: dict[str, Any], tmp_path: Path) -> None:
    def interrupted(*_: object) -> PictureFigures:
        raise KeyboardInterrupt

    parts["model"] = interrupted
    done = bench("--json", "--out", "bench.json")
    assert done.exit_code == 130
    found = BenchFigures.model_validate_json(done.stdout)
    assert len(found.pictures) == 3
    assert found.model is None
    assert found.carried == ()
    assert "what would have come after Ctrl-C" in found.not_measured
    assert (tmp_path / "bench.json").read_text() == done.stdout


def test_a_line_that_does_not_come_up_is_a_gap_and_no_failure(parts: dict[str, Any]) -> None:
    def fails(*_: object) -> LineFigures:
        raise FatalError("the whole line was not up in time")

    parts["line"] = fails
    found = found_by()
    assert found.line is None
    assert "the whole line was not up in time" in found.not_measured
    assert found.carried


def test_a_line_for_which_no_time_is_left_is_not_started(parts: dict[str, Any]) -> None:
    started: list[object] = []
    parts["line"] = started.append
    found = found_by("--seconds", "5")
    assert started == []
    assert any(gap.startswith("a whole line: only ") for gap in found.not_measured)


def test_a_resolution_for_which_no_time_is_left_is_scaled_from_a_measured_one(parts: dict[str, Any]) -> None:
    clock, quick = FakeClock(), parts["pictures"]

    def slow(*given: object) -> PictureFigures:
        clock.advance(25.0)
        figures: PictureFigures = quick(*given)
        return figures

    parts["pictures"] = slow
    sizes = (Resolution(160, 120), Resolution(320, 240))
    run = steps.Bench(
        steps.BenchOrder(Settings(), "default", sizes, (15.0,), 1.0, "jpeg", 100.0, lambda _: None), clock
    )
    assert run.run()
    assert [each.width for each in run.found.pictures] == [640]
    assert "decoding and encoding 160x120: no time was left; give more --seconds" in run.found.not_measured
    assert [row.width for row in run.found.carried] == [160, 320]
    assert run.found.seconds == 25


def test_the_line_gets_cameras_that_the_machine_should_carry(parts: dict[str, Any]) -> None:
    trials: list[line.LineTrial] = []
    whole = measured().line

    def note(trial: line.LineTrial, _: Path) -> LineFigures | None:
        trials.append(trial)
        return whole

    parts["line"] = note
    found_by()
    assert 1 <= trials[0].cameras <= steps.MOST_CAMERAS


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--pool", "heavy", "-c", "line.yaml"), "andon: --pool heavy: no such pool; the pools are: default\n"),
        (("-c", "none.yaml"), "andon: none.yaml: No such file or directory; `andon init` writes an example\n"),
        (("--out", "no/such/folder.json"), "andon: --out no/such/folder.json: No such file or directory\n"),
    ],
)
@pytest.mark.usefixtures("parts")
def test_a_mistake_is_one_line(tmp_path: Path, arguments: Sequence[str], complaint: str) -> None:
    (tmp_path / "other.yaml").write_text("{}")
    if "line.yaml" in arguments:
        (tmp_path / "line.yaml").write_text("pools: {default: {model: {weights: a.pt}}}")
    done = bench(*arguments)
    assert done.exit_code == 2
    assert done.stderr.splitlines(keepends=True)[-1] == complaint


def trial(settings: Settings, pool: str = "default") -> line.LineTrial:
    return line.LineTrial(settings, pool, 3, 2, 0.0, "passthrough")


def test_the_measured_line_has_the_model_and_the_judgement_of_the_user_s_and_none_of_its_places(tmp_path: Path) -> None:
    config = tmp_path / "own.yaml"
    model = {"weights": "models/own.onnx", "confidence": 0.6}
    own = {
        "kafka": {"bootstrap_servers": "kafka:9092"},
        "redis": {"url": "redis://:secret@redis:6379/0"},
        "cameras": [{"id": "press", "url": "rtsp://user:secret@camera/1"}],
        "pools": {"default": {}, "fine": {"model": model, "batch": {"size": 4}}},
        "parts": {"class": "part"},
        "defects": {"ignore": ["dust"]},
        "sinks": {"store": "postgresql://user:secret@db/andon"},
    }
    config.write_text(yaml.safe_dump(own))
    document = line.document(trial(load(config, {}), "fine"), tmp_path)
    assert "secret" not in json.dumps(document)
    written = tmp_path / "line.yaml"
    written.write_text(yaml.safe_dump(document))
    settings = load(written, {})
    assert settings.pools["default"].model.weights == str(Path("models/own.onnx").absolute())
    assert (settings.pools["default"].model.confidence, settings.pools["default"].batch.size) == (0.6, 4)
    assert settings.defects.ignore == ("dust",)
    assert settings.parts is not None
    assert settings.parts.label == "part"
    assert settings.sinks.store.get_secret_value() == f"sqlite:///{tmp_path / 'andon.db'}"
    assert "kafka" not in document
    assert [camera.id for camera in settings.cameras] == ["bench-0", "bench-1", "bench-2"]
    assert {camera.encoding for camera in settings.cameras} == {"passthrough"}


def test_a_user_s_environment_does_not_lead_the_measured_line_to_his_servers(
    parts: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "line.yaml").write_text("pools: {default: {model: {weights: a.pt}}}")
    monkeypatch.setenv("ANDON_SINKS__STORE", "postgresql://db/andon")
    stores: list[str | None] = []
    whole = measured().line

    def note(*_: object) -> LineFigures | None:
        stores.append(os.environ.get("ANDON_SINKS__STORE"))
        return whole

    parts["line"] = note
    found_by()
    assert stores == [None]


def test_the_line_s_figures_are_costs_of_a_frame() -> None:
    cpu_s = {"ingest": 1.0, "workers": 4.0, "broker": 0.5}
    span = CpuSpan(10.0, cpu_s, {"ingest": 500.0, "workers": 490.0, "broker": 500.0})
    found = line.figures(trial(Settings(pools={"default": PoolSettings()})), span, [0.05] * 98 + [0.2, 0.4])
    assert found.cpu_ms == pytest.approx({"ingest": 2.0, "workers": 8.163, "broker": 1.0})
    assert (found.captured_per_s, found.frames_per_s, found.behind) == (50, 49, False)
    assert found.busy == pytest.approx(0.275)
    assert (found.p50_ms, found.p99_ms) == (50, 200)
    with pytest.raises(FatalError, match="inspected no frame"):
        line.figures(trial(Settings()), span, [])


def test_a_line_that_fell_behind_has_costs_and_its_latency_is_a_gap(
    parts: dict[str, Any],
) -> None:
    span = CpuSpan(10.0, {"ingest": 1.5, "workers": 2.0}, {"ingest": 750.0, "workers": 250.0})
    behind = line.figures(trial(Settings()), span, [9.0, 18.0])
    assert behind.cpu_ms == {"ingest": 2.0, "workers": 8.0}
    whole = measured().line
    assert whole is not None
    parts["line"] = lambda *_: whole.model_copy(update={"frames_per_s": 25.0, "captured_per_s": 75.0})
    gaps = [gap for gap in found_by().not_measured if gap.startswith("latency")]
    assert gaps == ["latency: the whole line fell behind (25 of 75 frames/s); does the machine do something else, too?"]


def test_a_line_that_missed_the_aimed_latency_says_so(parts: dict[str, Any]) -> None:
    whole = measured().line
    assert whole is not None
    parts["line"] = lambda *_: whole.model_copy(update={"p99_ms": 1_200.0})
    gap = "latency as computed: the whole line's p99 was 1200 ms; does the machine do something else, too?"
    assert gap in found_by().not_measured
    assert gap not in found_by("--latency", "2s").not_measured


def test_what_ingest_published_is_read_off_its_metrics() -> None:
    text = (
        "# TYPE andon_ingest_frames_published_total counter\n"
        'andon_ingest_frames_published_total{camera="a"} 193.0\n'
        'andon_ingest_frames_published_total{camera="b"} 7.0\n'
        'andon_ingest_frames_published_created{camera="b"} 1.79e+09\n'
    )
    assert line.published(text) == 200
    assert line.published("") == 0
