"""What a frame's record says of its bytes, and what it asks of the worker that decodes them (pure)."""

from typing import Any

from andon.errors import PoisonError
from andon.settings import CameraSettings
from andon.video.geometry import UPRIGHT, PicturePlan, plan
from ingest.sources.source import EncodedPicture, SourceError


def picture_fields(encoded: EncodedPicture, camera: CameraSettings, health_rules: str | None) -> dict[str, Any]:
    """The fields of `Frame` that depend on whether it holds a JPEG, which is as it shall be published, or an access
    unit, which the worker turns, crops, shrinks and judges by `health_rules`.

    Raises SourceError: the camera's roi lies outside its picture.
    """
    video = encoded.video
    if video is None:
        return {"width": encoded.width, "height": encoded.height}
    published = _plan(encoded, camera)
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


def part_size(encoded: EncodedPicture, camera: CameraSettings) -> tuple[int, int]:
    """Width and height of what is inspected of an access unit's picture, before it is shrunk.

    Raises SourceError: the camera's roi lies outside its picture.
    """
    _, _, width, height = _plan(encoded, camera).crop
    return width, height


def _plan(encoded: EncodedPicture, camera: CameraSettings) -> PicturePlan:
    turn = UPRIGHT if encoded.video is None else encoded.video.turn
    try:
        return plan(encoded.width, encoded.height, camera.roi, camera.longest_side, turn)
    except PoisonError as error:
        raise SourceError(str(error)) from None
