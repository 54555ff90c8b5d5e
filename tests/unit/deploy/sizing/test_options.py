"""The options of `andon size`: resolutions, durations, models and GPUs, and how figures are shown."""

import click
import pytest

from andon.errors import ConfigError
from deploy.sizing.costs import Resolution
from deploy.sizing.sizes import DurationType, ResolutionType, shown
from deploy.sizing.speed_choice import chosen_speed, gpu_of
from tests.unit.deploy.sizing.plants import machine, measured


@pytest.mark.parametrize(
    ("text", "width", "height"), [("1080p", 1920, 1080), ("VGA", 640, 480), ("1936x1216", 1936, 1216)]
)
def test_a_resolution_has_a_name_or_pixels(text: str, width: int, height: int) -> None:
    assert ResolutionType().convert(text, None, None) == Resolution(width, height)


@pytest.mark.parametrize("text", ["big", "1920", "0x480", "8x8", "99999x2", "1920 x 1080", ""])
def test_another_resolution_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="1920x1200"):
        ResolutionType().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("1s", 1), ("90min", 5400), ("24h", 86_400), ("7d", 604_800)]
)
def test_a_duration_has_a_unit(text: str, seconds: float) -> None:
    assert DurationType().convert(text, None, None) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["24", "0h", "-1s", "1 year", "1m", ""])
def test_another_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="24h"):
        DurationType().convert(text, None, None)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.244e9, "B/s", "9.95 Gbit/s"),
        (3.2e12, "B", "3.2 TB"),
        (45_000, "B", "45 kB"),
        (12.34, "cores", "12.3 cores"),
        (2.5, "ms", "2.5 ms"),
        (24, "", "24"),
        (6000, "frames/s", "6000 frames/s"),
    ],
)
def test_a_figure_is_shown_as_people_say_it(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text


def test_the_measured_model_is_taken_where_nothing_else_is_asked_for() -> None:
    bench = measured()
    for model, gpu in ((None, None), ("line", "cpu"), ("models/line.pt", None)):
        assert chosen_speed(model, gpu, None, bench).basis == "measured"
    assert chosen_speed("yolo26s", "l4", None, bench).basis == "published"
    assert chosen_speed("yolo26s", "cpu", 640, bench).basis == "published"


@pytest.mark.parametrize(
    ("model", "gpu", "complaint"),
    [
        (None, "t4", r"^--model: not given; known: yolo26n, .*--measured"),
        ("yolov99", "t4", r"^--model: yolov99: nobody has published it; known: yolo26n, "),
        ("yolo26s", None, r"^--gpu: not given; known: a2, t4, .*cpu, or --measured"),
        ("yolo26s", "gtx", r"^--gpu: gtx: nobody has published it; known: a2, "),
        ("rtdetr-l", "cpu", r"^--model rtdetr-l: nobody has published it on a CPU"),
    ],
)
def test_an_unknown_name_is_one_line_with_what_is_known(model: str | None, gpu: str | None, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        chosen_speed(model, gpu, None, None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "gpu"),
    [
        ("NVIDIA H200", "h200"),
        ("Tesla T4", "t4"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA L4", "l4"),
        ("Voodoo", None),
    ],
)
def test_a_measured_gpu_is_known_by_its_name(name: str, gpu: str | None) -> None:
    assert gpu_of(machine(gpu=name), on_gpu=True) == gpu
    assert gpu_of(machine(gpu=name), on_gpu=False) == "cpu"
