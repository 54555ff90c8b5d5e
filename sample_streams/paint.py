"""How a defect looks: paints it on a part's sprite, at the sprite's own scale."""

import math
from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from sample_streams.flaws import Flaw

Gray: TypeAlias = NDArray[np.float32]
Picture: TypeAlias = NDArray[np.float32]
Pixels: TypeAlias = NDArray[np.float64]

SCALE = 2
"""Sprite pixels for each picture pixel: thin lines stay smooth when the part is turned and moved."""
_SHIFT = 4  # cv2's fixed-point bits for coordinates finer than a pixel

_BROWN = np.array([45.0, 72.0, 105.0], np.float32)
_OIL = np.array([62.0, 50.0, 44.0], np.float32)


def paint_flaw(metal: Picture, flaw: Flaw, angle_rad: float, rng: np.random.Generator) -> None:
    """Paint the defect on the sprite's metal (H, W, 3) BGR float32 0-255, in place.

    The sprite's centre is the part's centre; `angle_rad` is the turn that the part will lie at under the lamp.
    """
    half = metal.shape[0] / 2
    strokes = [np.array(stroke) * SCALE + half for stroke in flaw.strokes]
    if flaw.name == "dent":
        _dent(metal, strokes[0], angle_rad, rng)
    else:
        _PAINTERS[flaw.name](metal, strokes, flaw.width_px * SCALE, rng)


def fill(shape: tuple[int, int], outline: Pixels) -> Gray:
    """Coverage 0-1 (H, W) of a closed outline (N, 2), antialiased."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(outline * (1 << _SHIFT)).astype(np.int32)], 255, cv2.LINE_AA, _SHIFT)
    return mask.astype(np.float32) / np.float32(255)


def _line(shape: tuple[int, int], strokes: list[Pixels], width: float) -> Gray:
    mask = np.zeros(shape, np.uint8)
    points = [np.round(stroke * (1 << _SHIFT)).astype(np.int32) for stroke in strokes]
    cv2.polylines(mask, points, False, 255, max(round(width), 1), cv2.LINE_AA, _SHIFT)
    return mask.astype(np.float32) / np.float32(255)


def _blend(metal: Picture, cover: Gray, colour: NDArray[np.float32] | float) -> None:
    metal += cover[..., None] * (colour - metal)


def _scratch(metal: Picture, strokes: list[Pixels], width: float, rng: np.random.Generator) -> None:
    groove = [stroke + 0.35 * width for stroke in strokes]
    _blend(metal, 0.75 * _line(metal.shape[:2], groove, width * 0.7), 70.0)
    _blend(metal, 0.95 * _line(metal.shape[:2], strokes, width * 0.75), float(rng.uniform(236, 255)))


def _crack(metal: Picture, strokes: list[Pixels], width: float, rng: np.random.Generator) -> None:
    rim = [stroke - 0.5 * width for stroke in strokes]
    _blend(metal, 0.35 * _line(metal.shape[:2], rim, width * 0.5), 225.0)
    _blend(metal, 0.95 * _line(metal.shape[:2], strokes[:1], width), float(rng.uniform(12, 34)))
    _blend(metal, 0.95 * _line(metal.shape[:2], strokes[1:], width * 0.7), float(rng.uniform(12, 34)))


def _dent(metal: Picture, rim: Pixels, angle_rad: float, rng: np.random.Generator) -> None:
    bowl = fill(metal.shape[:2], rim)
    depth = cv2.GaussianBlur(bowl, (0, 0), float(np.ptp(rim[:, 0])) * 0.14)
    # The lamp stands at the picture's upper left: a bowl is dark on the lamp's side and bright on the other.
    heading = math.radians(45) - angle_rad
    across, down = cv2.Sobel(depth, cv2.CV_32F, 1, 0), cv2.Sobel(depth, cv2.CV_32F, 0, 1)
    slope = math.cos(heading) * across + math.sin(heading) * down
    steepest = max(float(np.abs(slope).max()), 1e-6)
    metal += (bowl * (float(rng.uniform(70, 95)) * -(slope / steepest) - 14.0))[..., None]


def _stain(metal: Picture, strokes: list[Pixels], width: float, rng: np.random.Generator) -> None:
    blot = cv2.GaussianBlur(fill(metal.shape[:2], strokes[0]), (0, 0), 2.2)
    cloud = cv2.GaussianBlur(rng.standard_normal(metal.shape[:2], dtype=np.float32), (0, 0), 6.0)
    strength = float(rng.uniform(0.55, 0.8)) + 0.15 * (cloud / max(float(np.abs(cloud).max()), 1e-6))
    _blend(metal, np.clip(blot * strength, 0, 1), _BROWN if rng.random() < 0.6 else _OIL)


def _missing_hole(metal: Picture, strokes: list[Pixels], width: float, rng: np.random.Generator) -> None:
    """Leave the punch's imprint: a faint ring and the centre mark, the metal within untouched."""
    centre = strokes[0].mean(axis=0)
    ring = np.concatenate([strokes[0], strokes[0][:1]])
    mark = centre + (strokes[0] - centre) * 0.16
    _blend(metal, 0.4 * _line(metal.shape[:2], [ring], 2.0), float(rng.uniform(70, 100)))
    _blend(metal, 0.7 * fill(metal.shape[:2], mark), 50.0)


_PAINTERS: dict[str, Callable[[Picture, list[Pixels], float, np.random.Generator], None]] = {
    "scratch": _scratch,
    "stain": _stain,
    "crack": _crack,
    "missing_hole": _missing_hole,
}
