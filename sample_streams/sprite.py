"""A part, drawn once as it lies under the camera, and pasted into each frame that shows it.

The sprite holds all that is the same in each frame: rotation, the lens's blur, and the smear of the motion.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from sample_streams.flaws import missing_holes
from sample_streams.line import SHADOW_PX, Part
from sample_streams.paint import SCALE, Gray, Picture, fill, paint_flaw
from sample_streams.shapes import Hole, Kind
from sample_streams.spec import LineSpec

_SPARE_PX = 4
"""Margin of a sprite for its blur, beside its smear."""
_SHADOW = 0.6
"""Largest share of the belt's light that a part's shadow takes."""
_TINT = np.array([1.02, 1.0, 0.985], np.float32)


@dataclass(frozen=True, slots=True)
class Sprite:
    """A part's picture; the scene behind it becomes `scene * keep + add`.

    keep, add: (H, W, 3) float32. The part's centre lies `x` columns from the left; row 0 is the picture's row `top`.
    """

    keep: Picture
    add: Picture
    x: int
    top: int

    def paste(self, scene: Picture, x_px: float) -> None:
        """Lay the part on the scene (H, W, 3) float32, in place, its centre at column `x_px`."""
        left = math.floor(x_px) - self.x
        rows = _overlap(self.top, self.keep.shape[0], scene.shape[0])
        columns = _overlap(left, self.keep.shape[1], scene.shape[1])
        if rows.stop <= rows.start or columns.stop <= columns.start:
            return
        part = scene[rows, columns]
        ours = (slice(rows.start - self.top, rows.stop - self.top), slice(columns.start - left, columns.stop - left))
        rest = x_px - math.floor(x_px)
        np.multiply(part, _shifted(self.keep, ours, rest), out=part)
        np.add(part, _shifted(self.add, ours, rest), out=part)


def draw_sprite(part: Part, spec: LineSpec, *, flaws: bool = True) -> Sprite:
    """Draw the part; with `flaws` false without its defects, all other pixels the same."""
    side = 2 * math.ceil((part.kind.reach + SHADOW_PX) * SCALE)
    metal = _brushed(side, spec.look.metal_grey, np.random.default_rng([part.seed, 2]))
    forgotten = missing_holes(part.kind, part.flaws) if flaws else frozenset[Hole]()
    cover = _cover(side, part.kind, forgotten)
    for number, flaw in enumerate(part.flaws if flaws else ()):
        paint_flaw(metal, flaw, part.angle_rad, np.random.default_rng([part.seed, 3, number]))
    metal += _edges(cover, part.angle_rad)[..., None]
    add = cover[..., None] * np.clip(metal, 0, 255)
    keep = (1 - _SHADOW * _shade(cover, part.angle_rad)) * (1 - cover)
    return _projected(part, spec, np.asarray(keep, np.float32), np.asarray(add, np.float32))


def smear(spec: LineSpec) -> Gray:
    """The motion's kernel (1, N): the pixels that the belt moves during the exposure, with fractions at its ends."""
    way = max(spec.smear_px, 1.0)
    side = math.ceil((way - 1) / 2)
    kernel = np.ones((1, 2 * side + 1), np.float32)
    if side:
        kernel[0, 0] = kernel[0, -1] = (way - (2 * side - 1)) / 2
    return np.asarray(kernel / kernel.sum(), np.float32)


def _overlap(start: int, length: int, within: int) -> slice:
    return slice(max(start, 0), min(start + length, within))


def _shifted(picture: Picture, window: tuple[slice, slice], rest: float) -> Picture:
    """The window of the picture moved `rest` (0 to 1) pixels to the right."""
    rows, columns = window
    before = slice(max(columns.start - 1, 0), max(columns.stop - 1, 0))
    if before.stop - before.start < columns.stop - columns.start:  # the first column has none before it
        return picture[rows, columns]  # this column is empty margin, so a pixel's offset does not show
    return np.asarray(cv2.addWeighted(picture[rows, columns], 1 - rest, picture[rows, before], rest, 0), np.float32)


def _projected(part: Part, spec: LineSpec, keep: Gray, add: Picture) -> Sprite:
    """Turn, shrink and blur a drawing made at SCALE."""
    kernel = smear(spec)
    half = keep.shape[0] // (2 * SCALE) + _SPARE_PX + kernel.shape[1] // 2 + 1
    c, s, middle = math.cos(part.angle_rad) / SCALE, math.sin(part.angle_rad) / SCALE, keep.shape[0] / 2
    top = math.floor(part.y_px) - half
    move = np.array([[c, -s, half - (c - s) * middle], [s, c, part.y_px - top - (s + c) * middle]])
    blur = max(spec.look.softness_px, 0.3) * SCALE  # less would let the metal's grain flicker as it shrinks
    size = (2 * half, 2 * half)
    keep = cv2.warpAffine(cv2.GaussianBlur(keep, (0, 0), blur), move, size, borderValue=1.0)  # type: ignore[assignment]
    add = cv2.warpAffine(cv2.GaussianBlur(add, (0, 0), blur), move, size)  # type: ignore[assignment]
    kept = cv2.filter2D(keep, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return Sprite(
        np.repeat(np.asarray(kept, np.float32)[..., None], 3, axis=2),
        np.asarray(cv2.filter2D(add, -1, kernel), np.float32),
        half,
        top,
    )


def _brushed(side: int, grey: float, rng: np.random.Generator) -> Picture:
    size = (side, side)
    # brushing runs along x: coarse noise, stretched
    fine = cv2.resize(rng.standard_normal((side, side // 24), dtype=np.float32), size, interpolation=cv2.INTER_LINEAR)
    broad = cv2.resize(rng.standard_normal((6, 6), dtype=np.float32), size, interpolation=cv2.INTER_CUBIC)
    tone = np.float32(grey + rng.uniform(-10, 10)) + 7.0 * fine + 5.0 * broad
    return np.asarray(tone[..., None] * _TINT, np.float32)


def _cover(side: int, kind: Kind, forgotten: frozenset[Hole]) -> Gray:
    cover = fill((side, side), kind.outline * SCALE + side / 2)
    for hole in kind.holes:
        if hole not in forgotten:
            cover *= 1 - fill((side, side), hole.rim * SCALE + side / 2)
    return cover


def _edges(cover: Gray, angle_rad: float) -> Gray:
    """Bright edges towards the lamp at the picture's upper left, dark ones away from it."""
    soft = cv2.GaussianBlur(cover, (0, 0), 2.0)
    # the lamp stands still and the part turns: this is the lamp's direction in the part's coordinates
    heading = math.radians(225) - angle_rad
    across, down = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    return np.asarray(-38.0 * (math.cos(heading) * across + math.sin(heading) * down), np.float32)


def _shade(cover: Gray, angle_rad: float) -> Gray:
    heading = math.radians(45) - angle_rad
    dx, dy = 6 * SCALE * math.cos(heading), 6 * SCALE * math.sin(heading)
    move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    size = (cover.shape[1], cover.shape[0])
    return np.asarray(cv2.GaussianBlur(cv2.warpAffine(cover, move, size), (0, 0), 3.0 * SCALE), np.float32)
