"""Values of options, and how figures are shown: 1080p, 24h, 2.8 TB."""

import re

import click

from deploy.sizing.costs import Resolution

NAMES = {
    "vga": Resolution(640, 480),
    "720p": Resolution(1280, 720),
    "1080p": Resolution(1920, 1080),
    "1440p": Resolution(2560, 1440),
    "4k": Resolution(3840, 2160),
}
MOST_PX = 16_384
SECONDS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86_400}
_SIZE = re.compile(r"(?P<width>\d{1,5})x(?P<height>\d{1,5})")
_TIME = re.compile(r"(?P<number>\d+(\.\d+)?)\s*(?P<unit>ms|s|min|h|d)")
_STEPS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


class ResolutionType(click.ParamType[Resolution]):
    """`1080p`, or `1920x1200`."""

    name = "resolution"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Resolution:
        if isinstance(value, Resolution):
            return value
        text = str(value).strip().lower()
        found = _SIZE.fullmatch(text)
        size = Resolution(int(found["width"]), int(found["height"])) if found else NAMES.get(text)
        if size is None or not 16 <= min(size.width, size.height) <= max(size.width, size.height) <= MOST_PX:
            self.fail(f"{value!r}: expected {', '.join(NAMES)}, or pixels such as 1920x1200", param, ctx)
        return size


class DurationType(click.ParamType[float]):
    """`24h`, `90min`, `30s`, `500ms`: seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = _TIME.fullmatch(str(value).strip().lower())
        seconds = float(found["number"]) * SECONDS[found["unit"]] if found else 0.0
        if seconds <= 0:
            self.fail(f"{value!r}: expected a time such as 500ms, 30s, 90min, 24h or 7d", param, ctx)
        return seconds


def shown(value: float, unit: str) -> str:
    """A figure for people. Networks are sold in bits a second, disks in bytes."""
    match unit:
        case "B/s":
            return f"{_scaled(8 * value)}bit/s"
        case "B":
            return f"{_scaled(value)}B"
        case "cores":
            return f"{value:.1f} cores"
        case "ms":
            return f"{value:.3g} ms" if value < 1000 else f"{value / 1000:.3g} s"
        case "":
            return f"{value:.0f}"
        case _:
            return f"{value:.0f} {unit}"


def _scaled(value: float) -> str:
    for step, prefix in _STEPS:
        if value >= step:
            return f"{value / step:.3g} {prefix}"
    return f"{value:.0f} "
