"""Turns a detector's arrays into the detections of an inspection message."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from andon.messages import Box, Detection, Keypoint, Point
from andon.pictures.picture import DecodedPicture, Pixels
from workers.detector import Detections, ModelInfo
from workers.task import Head

DECIMALS = 2
"""Of the pixels in shapes: a polygon has up to 64 points, and more digits would only make the record longer."""


def to_detections(found: Detections, model: ModelInfo, picture: DecodedPicture[Pixels]) -> tuple[Detection, ...]:
    """In pixels of the frame as it was published, whatever the size at which it was decoded."""
    if not len(found.boxes):  # most frames of most lines
        return ()
    height, width = picture.pixels.shape[:2]
    scale = np.array([picture.width / width, picture.height / height] * 2)
    rows = zip((found.boxes * scale).tolist(), found.confidences.tolist(), found.classes.tolist(), strict=True)
    if model.head.task == "detect":
        return tuple(
            Detection(label=model.classes[index], confidence=confidence, box=Box(x1=x1, y1=y1, x2=x2, y2=y2))
            for (x1, y1, x2, y2), confidence, index in rows
        )
    return tuple(
        Detection(label=model.classes[index], confidence=confidence, box=Box(x1=x1, y1=y1, x2=x2, y2=y2), **shape)
        for ((x1, y1, x2, y2), confidence, index), shape in zip(
            rows, _shapes(found, model.head, scale[:2]), strict=True
        )
    )


def _shapes(found: Detections, head: Head, scale: np.ndarray) -> Iterable[Mapping[str, Any]]:
    """For each detection, the fields besides its box."""
    if found.polygons is not None:
        return ({} if one is None else {"polygon": _points(one, scale)} for one in found.polygons)
    if found.corners is not None:
        return ({"corners": _points(one, scale)} for one in found.corners)
    if found.keypoints is not None:
        return _keypoints(found.keypoints, found.classes.tolist(), head, scale)
    return ({} for _ in found.boxes)


def _points(points: np.ndarray, scale: np.ndarray) -> tuple[Point, ...]:
    return tuple((x, y) for x, y in (points * scale).round(DECIMALS).tolist())


def _keypoints(
    found: np.ndarray, classes: Sequence[int], head: Head, scale: np.ndarray
) -> Iterator[Mapping[str, tuple[Keypoint, ...]]]:
    unnamed = (None,) * head.keypoints
    points = (found[..., :2] * scale).round(DECIMALS).tolist()
    for places, values, index in zip(points, found[..., 2:].tolist(), classes, strict=True):
        names: Sequence[str | None] = head.keypoint_names.get(index, unnamed)
        yield {
            "keypoints": tuple(
                Keypoint(name=name, x=x, y=y, confidence=value[0] if value else None)
                for name, (x, y), value in zip(names, places, values, strict=True)
            )
        }
