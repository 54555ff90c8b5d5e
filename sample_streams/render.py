"""The camera's picture of the line: belt, parts, rails, light, motion blur and noise, frame by frame."""

import math
from collections.abc import Iterator
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from sample_streams.line import Part, Pose, in_view, plan, pose
from sample_streams.paint import SCALE, Gray, Picture
from sample_streams.spec import LineSpec
from sample_streams.sprite import Sprite, draw_sprite
from sample_streams.truth import FrameTruth, frame_truth

Frame: TypeAlias = NDArray[np.uint8]

_RAIL_PX = 34
_RIB_PX = 120


class Camera:
    """Draws any frame of one line; holds the sprites of the parts in view, nothing else that changes."""

    def __init__(self, spec: LineSpec, *, flaws: bool = True) -> None:
        self.spec = spec
        self.parts = plan(spec)
        self._flaws = flaws
        self._sprites: dict[str, Sprite] = {}
        rng = np.random.default_rng([spec.seed, 4])
        self._belt = _belt(spec, rng)
        self._light = _light(spec)
        self._phase = float(rng.uniform(0, 2 * math.pi))

    def frame(self, index: int) -> Frame:
        """Draw frame `index`: (height, width, 3) uint8 BGR, the caller's own."""
        visible = in_view(self.parts, index)
        self._sprites = {part.part_id: self._sprite(part) for part in visible}
        scene = _belt_at(self._belt, self.spec, index)
        for part in visible:
            _lay(scene, self._sprites[part.part_id], pose(self.spec, part, index))
        scene = np.asarray(cv2.filter2D(scene, -1, _motion(self.spec)), np.float32)
        _rails(scene)
        scene *= (self._light * self._flicker(index))[..., None]
        scene += self._noise(index)[..., None]
        return np.clip(np.round(scene), 0, 255).astype(np.uint8)

    def _sprite(self, part: Part) -> Sprite:
        known = self._sprites.get(part.part_id)
        return known or draw_sprite(part, self.spec.look.metal_grey, flaws=self._flaws)

    def _flicker(self, index: int) -> float:
        look = self.spec.look
        return 1 + look.flicker * math.sin(2 * math.pi * look.flicker_hz * index / self.spec.fps + self._phase)

    def _noise(self, index: int) -> Gray:
        rng = np.random.default_rng([self.spec.seed, 5, index])
        shape = (self.spec.height_px, self.spec.width_px)
        return rng.standard_normal(shape, dtype=np.float32) * np.float32(self.spec.look.noise_grey)


def frames(spec: LineSpec) -> Iterator[tuple[Frame, FrameTruth]]:
    """Yield the line's frames, each as (height, width, 3) uint8 BGR with its truth, from the first to the last."""
    camera = Camera(spec)
    for index in range(spec.n_frames):
        yield camera.frame(index), frame_truth(spec, camera.parts, index)


def _belt(spec: LineSpec, rng: np.random.Generator) -> Picture:
    """The belt's whole loop, wider than the picture: rubber with grain, ribs across it and specks of dust."""
    period = _RIB_PX * math.ceil(spec.width_px * 1.5 / _RIB_PX)
    grain = cv2.GaussianBlur(rng.standard_normal((spec.height_px, period), dtype=np.float32), (0, 0), 1.2)
    tone: Gray = np.asarray(spec.look.belt_grey + 3.5 * grain / grain.std(), np.float32)
    for rib in range(0, period, _RIB_PX):
        tone[:, rib : rib + 3] -= 16
        tone[:, rib + 3 : rib + 5] += 9
    for x, y in zip(rng.integers(0, period, 60), rng.integers(0, spec.height_px, 60), strict=True):
        cv2.circle(tone, (int(x), int(y)), 1, float(tone[y, x] + rng.uniform(8, 26)), -1, cv2.LINE_AA)
    return np.asarray(tone[..., None] * np.array([1.0, 1.02, 0.94], np.float32), np.float32)


def _belt_at(belt: Picture, spec: LineSpec, index: int) -> Picture:
    whole, rest = divmod(-spec.step_px * index, 1.0)
    columns = (np.arange(spec.width_px + 1) + int(whole)) % belt.shape[1]
    strip = belt[:, columns]
    return np.asarray(strip[:, :-1] * (1 - rest) + strip[:, 1:] * rest, np.float32)


def _lay(scene: Picture, sprite: Sprite, at: Pose) -> None:
    """Lay the sprite on the scene, in place, at the pose."""
    c, s, half = math.cos(at.angle_rad) / SCALE, math.sin(at.angle_rad) / SCALE, sprite.cover.shape[0] / 2
    move = np.array([[c, -s, at.x_px - (c - s) * half], [s, c, at.y_px - (s + c) * half]])
    size = (scene.shape[1], scene.shape[0])
    shade = cv2.warpAffine(sprite.shade, move, size)[..., None]
    cover = cv2.warpAffine(sprite.cover, move, size)[..., None]
    metal = cv2.warpAffine(sprite.metal, move, size)
    scene *= 1 - 0.6 * shade
    scene += cover * (metal - scene)


def _motion(spec: LineSpec) -> Gray:
    """The blur's kernel (1, N): as many pixels as the belt moves while the shutter is open, ends in fractions."""
    way = max(spec.belt_speed_px_s * spec.look.exposure_s, 1.0)
    side = math.ceil((way - 1) / 2)
    kernel = np.ones((1, 2 * side + 1), np.float32)
    if side:
        kernel[0, 0] = kernel[0, -1] = (way - (2 * side - 1)) / 2
    return np.asarray(kernel / kernel.sum(), np.float32)


def _rails(scene: Picture) -> None:
    """Draw the belt's fixed guides along the upper and the lower edge, with their bolts."""
    height, width = scene.shape[:2]
    profile = np.float32(92) + 46 * np.sin(np.linspace(0, math.pi, _RAIL_PX, dtype=np.float32))
    for top in (0, height - _RAIL_PX):
        scene[top : top + _RAIL_PX] = profile[:, None, None]
        for x in range(width // 8, width, width // 4):
            cv2.circle(scene, (x, top + _RAIL_PX // 2), 6, (70.0, 70.0, 70.0), -1, cv2.LINE_AA)
            cv2.circle(scene, (x - 1, top + _RAIL_PX // 2 - 1), 4, (150.0, 150.0, 150.0), -1, cv2.LINE_AA)
    scene[_RAIL_PX : _RAIL_PX + 5] *= 0.7


def _light(spec: LineSpec) -> Gray:
    y, x = np.mgrid[0 : spec.height_px, 0 : spec.width_px].astype(np.float32)
    along = (x / spec.width_px - 0.5) * math.cos(spec.look.light_angle_rad)
    along += (y / spec.height_px - 0.5) * math.sin(spec.look.light_angle_rad)
    return np.asarray(1.0 - spec.look.light_gradient * along, np.float32)
