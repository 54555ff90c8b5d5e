"""Asks an industrial camera for what its settings say, through Aravis, which knows how the makers' cameras differ.

`camera` and `aravis` are Aravis' own objects, which have no types in Python.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from andon.settings import GenicamSettings
from andon.settings.genicam import KEEP
from ingest.sources.refusals import Refusal

HEARTBEAT_TIMEOUT = 0x0938
"""The register with the heartbeat timeout in milliseconds. Source: GigE Vision 2.0, table 28-1."""
CLOSE = 0.01
"""A value that a camera reports may differ from the wanted one by this part of it: it rounds times and rates."""
EDGES = {"rising": "RisingEdge", "falling": "FallingEdge", "any": "AnyEdge"}
Failure = Callable[[Callable[[], object]], str]
"""Calls, and returns why the camera refused; empty: it did not. Raises SourceError: the camera is gone."""
Value = float | str


@dataclass(frozen=True, slots=True)
class SetupStep:
    name: str
    wanted: Value
    ask: Callable[[], object]
    given: Callable[[], Value | None] | None = None
    """What the camera gives afterwards; None: it can't be asked."""


def set_up(camera: Any, aravis: Any, settings: GenicamSettings, failure: Failure) -> list[Refusal]:
    """Ask for everything. Blocks. Returns what the camera did not accept, by what it says and reports afterwards."""
    steps = list(_steps(camera, aravis, settings))
    reasons = [failure(step.ask) for step in steps]
    refused = []
    for step, reason in zip(steps, reasons, strict=True):
        found = reason or _differs(step)
        if found:
            refused.append(Refusal(step.name, f"{step.wanted}", found))
    return refused


def _differs(step: SetupStep) -> str:
    """What the camera gives, if it is something else than was wanted."""
    try:
        given = step.given() if step.given is not None else None
    except RuntimeError:  # GLib.Error: a value that can't be read says nothing against the setting
        return ""
    return "" if given is None or _same(step.wanted, given) else f"it gives {given}"


def _same(wanted: Value, given: Value) -> bool:
    try:
        return abs(float(given) - float(wanted)) <= CLOSE * abs(float(wanted))
    except ValueError:
        return str(given).lower() == str(wanted).lower()


def _steps(camera: Any, aravis: Any, settings: GenicamSettings) -> Iterator[SetupStep]:
    """In the order in which cameras need them: the format limits the size, the size the rate, and the rate switches
    a trigger off."""
    for name, value in settings.features.items():
        yield _feature(camera, aravis, name, value)
    if camera.is_feature_available("AcquisitionMode"):
        continuous = partial(camera.set_acquisition_mode, aravis.AcquisitionMode.CONTINUOUS)
        yield SetupStep("the acquisition mode", "Continuous", continuous)
    yield from _picture(camera, settings)
    if settings.fps is not None:
        yield SetupStep("fps", settings.fps, partial(camera.set_frame_rate, settings.fps), camera.get_frame_rate)
    yield from _exposure(camera, aravis, settings.exposure_us)
    yield from _gain(camera, aravis, settings.gain)
    yield from _trigger(camera, settings)
    if camera.is_gv_device():
        yield from _network(camera, aravis, settings)


def _feature(camera: Any, aravis: Any, name: str, value: bool | float | str) -> SetupStep:
    """By its GenICam name. A command is executed."""
    node = camera.get_device().get_feature(name)
    wanted = str(value).lower() if isinstance(value, bool) else f"{value}"
    if node is None:
        return SetupStep(name, wanted, _no_such_feature)
    if isinstance(node, aravis.GcCommand):
        return SetupStep(name, wanted, partial(camera.execute_command, name) if value is True else _only_executed)
    return SetupStep(name, wanted, partial(node.set_value_from_string, wanted), node.get_value_as_string)


def _no_such_feature() -> None:
    raise RuntimeError("it has no such feature")


def _only_executed() -> None:
    raise RuntimeError("it is a command: true executes it")


def _picture(camera: Any, settings: GenicamSettings) -> Iterator[SetupStep]:
    if settings.pixel_format is not None:
        ask = partial(camera.set_pixel_format_from_string, settings.pixel_format)
        yield SetupStep("pixel_format", settings.pixel_format, ask, camera.get_pixel_format_as_string)
    for key, name, value in (
        ("reverse_x", "ReverseX", settings.reverse_x),
        ("reverse_y", "ReverseY", settings.reverse_y),
    ):
        if value is not None:
            yield SetupStep(key, str(value), partial(camera.set_boolean, name, value), _text(camera.get_boolean, name))
    if settings.width is not None and settings.height is not None:
        region = settings.x, settings.y, settings.width, settings.height
        yield SetupStep("the region", _region(region), partial(camera.set_region, *region), lambda: region_of(camera))


def _text(get: Callable[[str], object], name: str) -> Callable[[], str]:
    return lambda: str(get(name))


def region_of(camera: Any) -> str:
    return _region(tuple(camera.get_region()))


def _region(region: tuple[int, ...]) -> str:
    x, y, width, height = region
    return f"{width}x{height} at {x},{y}"


def _exposure(camera: Any, aravis: Any, value: float | Literal["auto"] | None) -> Iterator[SetupStep]:
    if value == "auto":
        yield SetupStep("exposure_us", value, partial(camera.set_exposure_time_auto, aravis.Auto.CONTINUOUS))
    elif value is not None:
        if camera.is_exposure_auto_available():
            yield SetupStep("exposure_us", value, partial(camera.set_exposure_time_auto, aravis.Auto.OFF))
        yield SetupStep("exposure_us", value, partial(camera.set_exposure_time, value), camera.get_exposure_time)


def _gain(camera: Any, aravis: Any, value: float | Literal["auto"] | None) -> Iterator[SetupStep]:
    if value == "auto":
        yield SetupStep("gain", value, partial(camera.set_gain_auto, aravis.Auto.CONTINUOUS))
    elif value is not None:
        if camera.is_gain_auto_available():
            yield SetupStep("gain", value, partial(camera.set_gain_auto, aravis.Auto.OFF))
        yield SetupStep("gain", value, partial(camera.set_gain, value), camera.get_gain)


def _trigger(camera: Any, settings: GenicamSettings) -> Iterator[SetupStep]:
    if settings.trigger is None:
        if camera.is_feature_available("TriggerMode"):
            yield SetupStep("trigger", "none", camera.clear_triggers)
    elif settings.trigger != KEEP:
        yield SetupStep(
            "trigger", settings.trigger, partial(camera.set_trigger, settings.trigger), camera.get_trigger_source
        )
        edge = EDGES[settings.trigger_edge]
        ask = partial(camera.set_string, "TriggerActivation", edge)
        yield SetupStep("trigger_edge", edge, ask, _text(camera.get_string, "TriggerActivation"))


def _network(camera: Any, aravis: Any, settings: GenicamSettings) -> Iterator[SetupStep]:
    size, device = settings.packet_size, camera.get_device()
    if size == "auto":
        yield SetupStep("packet_size", size, camera.gv_auto_packet_size)
    else:
        yield SetupStep("packet_size", size, partial(camera.gv_set_packet_size, size), camera.gv_get_packet_size)
    camera.gv_set_packet_size_adjustment(aravis.GvPacketSizeAdjustment.NEVER)
    if settings.packet_delay_us is not None:
        ask = partial(camera.gv_set_packet_delay, round(1000 * settings.packet_delay_us))
        yield SetupStep("packet_delay_us", settings.packet_delay_us, ask, lambda: camera.gv_get_packet_delay() / 1000)
    yield SetupStep(
        "heartbeat_s",
        settings.heartbeat_s,
        partial(device.write_register, HEARTBEAT_TIMEOUT, round(1000 * settings.heartbeat_s)),
        lambda: device.read_register(HEARTBEAT_TIMEOUT) / 1000,
    )
