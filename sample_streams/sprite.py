"""A part drawn once, flat and unturned, to be moved over the belt: brushed metal, holes, edges, defects, shadow."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from sample_streams.flaws import missing_holes
from sample_streams.line import SHADOW_PX, Part
from sample_streams.paint import SCALE, Gray, Picture, Pixels, fill, paint_flaw
from sample_streams.shapes import Hole, Kind

_ARC = np.linspace(0, math.pi / 2, 24)


@dataclass(frozen=True, slots=True)
class Sprite:
    """A part's picture, SCALE sprite pixels for one, its centre in the middle.

    metal: (S, S, 3) float32 BGR 0-255; cover: (S, S) float32 0-1, where the part hides the belt; shade: (S, S)
    float32 0-1, how much light it takes from the belt.
    """

    metal: Picture
    cover: Gray
    shade: Gray


def draw_sprite(part: Part, metal_grey: float, *, flaws: bool = True) -> Sprite:
    """Draw the part; with `flaws` false as it would be without its defects, of otherwise the same pixels."""
    side = 2 * math.ceil((part.kind.reach + SHADOW_PX) * SCALE)
    rng = np.random.default_rng([part.seed, 2])
    metal = _brushed(side, metal_grey, rng)
    forgotten = missing_holes(part.kind, part.flaws) if flaws else frozenset[Hole]()
    cover = _cover(side, part.kind, forgotten)
    for number, flaw in enumerate(part.flaws if flaws else ()):
        paint_flaw(metal, flaw, part.angle_rad, np.random.default_rng([part.seed, 3, number]))
    metal += _edges(cover, part.angle_rad)[..., None]
    return Sprite(np.clip(metal, 0, 255), cover, _shade(cover, part.angle_rad))


def outline(kind: Kind) -> Pixels:
    """The part's outline (N, 2), in its own pixels."""
    dx, dy = kind.half_width - kind.corner, kind.half_height - kind.corner
    corners = ((dx, dy, 0.0), (-dx, dy, 0.5), (-dx, -dy, 1.0), (dx, -dy, 1.5))
    arcs = [
        np.stack([x + kind.corner * np.cos(_ARC + turn * math.pi), y + kind.corner * np.sin(_ARC + turn * math.pi)], 1)
        for x, y, turn in corners
    ]
    return np.concatenate(arcs)


def _brushed(side: int, grey: float, rng: np.random.Generator) -> Picture:
    fine = cv2.blur(rng.standard_normal((side, side), dtype=np.float32), (81, 1))
    broad = cv2.resize(rng.standard_normal((6, 6), dtype=np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    tone = grey + rng.uniform(-10, 10) + 5.0 * fine / fine.std() + 4.0 * broad / broad.std()
    tint = np.array([1.02, 1.0, 0.985], np.float32)
    return np.asarray(tone[..., None] * tint, np.float32)


def _cover(side: int, kind: Kind, forgotten: frozenset[Hole]) -> Gray:
    cover = fill((side, side), outline(kind) * SCALE + side / 2)
    for hole in kind.holes:
        if hole not in forgotten:
            ring = np.stack([hole.x + hole.radius * np.cos(_FULL), hole.y + hole.radius * np.sin(_FULL)], 1)
            cover *= 1 - fill((side, side), ring * SCALE + side / 2)
    return cover


_FULL = np.linspace(0, 2 * math.pi, 64, endpoint=False)


def _edges(cover: Gray, angle_rad: float) -> Gray:
    """Bright edges towards the lamp at the picture's upper left, dark ones away from it."""
    soft = cv2.GaussianBlur(cover, (0, 0), 2.0)
    # The part turns under a lamp that stands still: the lamp's direction in the part's own coordinates.
    heading = math.radians(225) - angle_rad
    across, down = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    return np.asarray(-38.0 * (math.cos(heading) * across + math.sin(heading) * down), np.float32)


def _shade(cover: Gray, angle_rad: float) -> Gray:
    heading = math.radians(45) - angle_rad
    dx, dy = 6 * SCALE * math.cos(heading), 6 * SCALE * math.sin(heading)
    move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    size = (cover.shape[1], cover.shape[0])
    return np.asarray(cv2.GaussianBlur(cv2.warpAffine(cover, move, size), (0, 0), 3.0 * SCALE), np.float32)
