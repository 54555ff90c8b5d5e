"""Decides whether a stream's own access units go on, or its pictures are decoded and encoded as JPEG."""

from andon.settings import CameraSettings
from andon.video.access_unit import AccessUnit
from ingest.sources.source import SourceError, SourceInfo
from ingest.sources.traits import PROGRESSIVE, Traits

PASSED = {"h264": "video/h264", "hevc": "video/h265"}
"""By FFmpeg's name of the codec: the content type under which it is passed on."""


def obstacle(codec: str, camera: CameraSettings, traits: Traits | None, unit: AccessUnit | None = None) -> str:
    """Why the stream is not passed on, in a few words; empty: it can be.

    `traits`, `unit`: of its newest keyframe, once there is one.
    """
    if codec not in PASSED:
        return f"{codec} is no video that is passed on"
    if camera.encoding == "jpeg":
        return "encoding: jpeg"
    if camera.deinterlace == "on":
        return "deinterlace: on"
    in_fields = unit is not None and unit.layout is not None and unit.layout.interlaced
    if in_fields or (traits is not None and traits.fields != PROGRESSIVE):
        return "it is interlaced"
    if unit is not None and unit.recovery and not unit.exact:
        return "it has no keyframe, and its pictures depend on where a decoder begins"
    return ""


def decoded(camera: CameraSettings) -> CameraSettings:
    """The camera's settings for one who looks at its pictures here."""
    return camera.model_copy(update={"encoding": "jpeg"})


def travels(info: SourceInfo, camera: CameraSettings) -> str:
    """How the camera's pictures travel, and why. Raises SourceError: not as its settings say."""
    reason = obstacle(info.codec, camera, info.traits)
    if not reason:
        return f"as its own {info.codec}: it is passed on"
    if camera.encoding == "passthrough" and info.codec != "mjpeg":
        raise SourceError(f"it can't be passed on: {reason}: set encoding to auto")
    return "as JPEG" + ("" if info.codec == "mjpeg" else f": {reason}")
