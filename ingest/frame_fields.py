"""What a frame's record says of its bytes, and what it asks of the worker that decodes them (pure)."""

from typing import Any

from andon.errors import PoisonError
from andon.settings import CameraSettings
from andon.video.geometry import plan
from ingest.sources.source import Encoded, SourceError


def picture_fields(encoded: Encoded, camera: CameraSettings, health_rules: str | None) -> dict[str, Any]:
    """The fields of `Frame` that depend on whether it holds a JPEG, which is as it shall be published, or an access
    unit, which the worker turns, crops, shrinks and judges by `health_rules`.

    Raises SourceError: the camera's roi lies outside its picture.
    """
    video = encoded.video
    if video is None:
        return {"width": encoded.width, "height": encoded.height}
    try:
        published = plan(encoded.width, encoded.height, camera.roi, camera.longest_side, video.turn)
    except PoisonError as error:
        raise SourceError(str(error)) from None
    return {
        "width": published.width,
        "height": published.height,
        "content_type": video.content_type,
        "keyframe": video.keyframe,
        "gap": video.gap,
        "units": video.units,
        "roi": camera.roi,
        "longest_side": camera.longest_side if published.shrinks else None,
        "turn": video.turn,
        "health_rules": health_rules,
    }
