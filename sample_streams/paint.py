"""Paints a defect on a part's metal, at the metal's scale."""

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
"""Pixels of the metal for one of the picture: thin lines stay smooth when the part is turned and moved."""
_SHIFT = 4  # cv2's fixed-point bits for coordinates finer than a pixel
_ROOM = 12
"""Margin in pixels of the metal that painting a defect may touch."""

_BROWN = np.array([52.0, 78.0, 108.0], np.float32)
_OIL = np.array([66.0, 56.0, 52.0], np.float32)


def paint_flaw(metal: Picture, flaw: Flaw, angle_rad: float, rng: np.random.Generator) -> None:
    """Paint the defect on the metal (H, W, 3) BGR float32 0-255, in place.

    The metal's middle is the part's centre; `angle_rad` is the turn that the part will lie at under the lamp.
    """
    half = metal.shape[0] / 2
    x1, y1, x2, y2 = (round(edge * SCALE + half) for edge in flaw.bounds)
    left, top = max(x1 - _ROOM, 0), max(y1 - _ROOM, 0)
    spot = metal[top : y2 + _ROOM, left : x2 + _ROOM]
    strokes = [np.array(stroke) * SCALE + half - np.array([left, top]) for stroke in flaw.strokes]
    if flaw.name == "dent":
        _dent(spot, strokes[0], angle_rad, rng)
    else:
        _PAINTERS[flaw.name](spot, strokes, flaw.width_px * SCALE, rng)


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
    """A groove: bright where it faces the lamp, with its own shadow beside it; a second one is fainter."""
    bright = float(rng.uniform(232, 252))
    for stroke, strength in zip(strokes, (0.95, 0.7), strict=False):
        _blend(metal, 0.7 * strength * _line(metal.shape[:2], [stroke + 0.45 * width], width * 0.7), 68.0)
        _blend(metal, strength * _line(metal.shape[:2], [stroke], width * 0.7), bright)


def _crack(metal: Picture, strokes: list[Pixels], width: float, rng: np.random.Generator) -> None:
    """A gap that tapers to its end, with a rim that catches some light."""
    trunk, branch = strokes
    dark, half = float(rng.uniform(22, 48)), len(trunk) // 2
    _blend(metal, 0.35 * _line(metal.shape[:2], [trunk - 0.5 * width], width * 0.5), 222.0)
    _blend(metal, 0.85 * _line(metal.shape[:2], [trunk[: half + 1]], width), dark)
    _blend(metal, 0.85 * _line(metal.shape[:2], [trunk[half:], branch], width * 0.65), dark)


def _dent(metal: Picture, rim: Pixels, angle_rad: float, rng: np.random.Generator) -> None:
    bowl = cv2.GaussianBlur(fill(metal.shape[:2], rim), (0, 0), 1.2)
    depth = cv2.GaussianBlur(bowl, (0, 0), float(np.ptp(rim[:, 0])) * 0.16)
    # the lamp is at the upper left, so a bowl is dark on the lamp's side and bright on the other
    heading = math.radians(45) - angle_rad
    across, down = cv2.Sobel(depth, cv2.CV_32F, 1, 0), cv2.Sobel(depth, cv2.CV_32F, 0, 1)
    slope = math.cos(heading) * across + math.sin(heading) * down
    steepest = max(float(np.abs(slope).max()), 1e-6)
    metal += (bowl * (float(rng.uniform(62, 88)) * -(slope / steepest) - 10.0))[..., None]


def _stain(metal: Picture, strokes: list[Pixels], width: float, rng: np.random.Generator) -> None:
    """A dried drop: cloudy inside, darkest along its rim."""
    shape = metal.shape[:2]
    blot = fill(shape, strokes[0])
    within = cv2.GaussianBlur(blot, (0, 0), 5.0)
    rim = np.clip(1.0 - np.abs(2.0 * within - 1.2), 0, 1)
    cloud = cv2.GaussianBlur(rng.standard_normal(shape, dtype=np.float32), (0, 0), 5.0)
    strength = float(rng.uniform(0.45, 0.68)) + 0.14 * (cloud / max(float(np.abs(cloud).max()), 1e-6)) + 0.2 * rim
    cover = cv2.GaussianBlur(blot, (0, 0), 2.4) * strength
    _blend(metal, np.clip(cover, 0, 1).astype(np.float32), _BROWN if rng.random() < 0.6 else _OIL)


def _missing_hole(metal: Picture, strokes: list[Pixels], width: float, rng: np.random.Generator) -> None:
    """The punch's imprint: a faint ring and the centre mark; the metal inside is untouched."""
    centre = strokes[0].mean(axis=0)
    ring = np.concatenate([strokes[0], strokes[0][:1]])
    mark = centre + (strokes[0] - centre) * (4.5 / max(float(np.ptp(strokes[0][:, 0])) / 2, 4.5))
    _blend(metal, 0.5 * _line(metal.shape[:2], [ring + 1.0], 2.0), 225.0)
    _blend(metal, 0.6 * _line(metal.shape[:2], [ring], 2.6), float(rng.uniform(60, 90)))
    _blend(metal, 0.75 * fill(metal.shape[:2], mark), 50.0)


_PAINTERS: dict[str, Callable[[Picture, list[Pixels], float, np.random.Generator], None]] = {
    "scratch": _scratch,
    "stain": _stain,
    "crack": _crack,
    "missing_hole": _missing_hole,
}
