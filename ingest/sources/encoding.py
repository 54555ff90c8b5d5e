"""Decides whether a stream's own access units go on, or its pictures are decoded and encoded as JPEG."""

from andon.settings import CameraSettings
from andon.video.access_unit import Layout
from ingest.sources.traits import PROGRESSIVE, Traits

PASSED = {"h264": "video/h264", "hevc": "video/h265"}
"""By FFmpeg's name of the codec: the content type under which it is passed on."""


def obstacle(codec: str, camera: CameraSettings, traits: Traits | None, layout: Layout | None = None) -> str:
    """Why the stream is not passed on, in a few words; empty: it can be.

    `traits`, `layout`: of its pictures, once one is known.
    """
    if codec not in PASSED:
        return f"{codec} is no video that is passed on"
    if camera.encoding == "jpeg":
        return "encoding: jpeg"
    if camera.deinterlace == "on":
        return "deinterlace: on"
    if (traits is not None and traits.fields != PROGRESSIVE) or (layout is not None and layout.interlaced):
        return "it is interlaced"
    return ""
