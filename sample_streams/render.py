"""The camera's picture of the line: belt, parts, rails, light, motion blur and noise, frame by frame."""

import math
from collections.abc import Iterator
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from sample_streams.line import Part, in_view, plan, pose
from sample_streams.paint import Gray, Picture
from sample_streams.spec import LineSpec
from sample_streams.sprite import Sprite, draw_sprite, smear
from sample_streams.truth import FrameTruth, frame_truth

Frame: TypeAlias = NDArray[np.uint8]

_RAIL_PX = 34
_RIB_PX = 120
_NOISE_TILE = (292, 380)
_NOISE_ROOM = (97, 113)
"""Extra rows and columns of the noise: each frame cuts another window out of it."""


class LineRenderer:
    """Draws any frame of one line. Its only changing state are the sprites of the parts in view."""

    def __init__(self, spec: LineSpec, *, flaws: bool = True) -> None:
        self.spec = spec
        self.parts = plan(spec)
        self._flaws = flaws
        self._sprites: dict[str, Sprite] = {}
        rng = np.random.default_rng([spec.seed, 4])
        self._belt = _belt(spec, rng)
        self._rails = _rails(spec)
        self._light = _light(spec)
        self._phase = float(rng.uniform(0, 2 * math.pi))
        self._noise = _noise(spec, rng)

    def frame(self, index: int) -> Frame:
        """Draw frame `index`: (height, width, 3) uint8 BGR; the caller owns it."""
        visible = in_view(self.parts, index)
        self._sprites = {part.part_id: self._sprite(part) for part in visible}
        scene = self._belt_at(index)
        for part in visible:
            self._sprites[part.part_id].paste(scene, pose(self.spec, part, index).x_px)
        scene[:_RAIL_PX], scene[-_RAIL_PX:] = self._rails
        scene[_RAIL_PX : _RAIL_PX + 5] *= 0.7
        cv2.multiply(scene, self._light, scene, scale=self._flicker(index))
        return np.asarray(cv2.add(scene, self._noise_at(index), dtype=cv2.CV_8U), np.uint8)

    def _sprite(self, part: Part) -> Sprite:
        known = self._sprites.get(part.part_id)
        return known or draw_sprite(part, self.spec, flaws=self._flaws)

    def _belt_at(self, index: int) -> Picture:
        width, period = self.spec.width_px, self._belt.shape[1] - self.spec.width_px - 1
        whole, rest = divmod(-self.spec.step_px * index, 1.0)
        strip = self._belt[:, int(whole) % period :]
        return np.asarray(cv2.addWeighted(strip[:, :width], 1 - rest, strip[:, 1 : width + 1], rest, 0), np.float32)

    def _flicker(self, index: int) -> float:
        """The lamps' brightness during the frame's exposure, 1 on average."""
        look = self.spec.look
        evened = float(np.sinc(look.flicker_hz * look.exposure_s))
        return 1 + look.flicker * evened * math.sin(2 * math.pi * look.flicker_hz * index / self.spec.fps + self._phase)

    def _noise_at(self, index: int) -> Picture:
        y, x = np.random.default_rng([self.spec.seed, 5, index]).integers(0, _NOISE_ROOM)
        return self._noise[y : y + self.spec.height_px, x : x + self.spec.width_px]


def frames(spec: LineSpec) -> Iterator[tuple[Frame, FrameTruth]]:
    """Yield the line's frames, each as (height, width, 3) uint8 BGR with its truth, from the first to the last."""
    camera = LineRenderer(spec)
    for index in range(spec.n_frames):
        yield camera.frame(index), frame_truth(spec, camera.parts, index)


def _belt(spec: LineSpec, rng: np.random.Generator) -> Picture:
    """The belt's whole loop and one more picture's width: grained rubber, ribs, dust."""
    period = _RIB_PX * math.ceil(spec.width_px * 1.5 / _RIB_PX)
    grain = cv2.GaussianBlur(rng.standard_normal((spec.height_px, period), dtype=np.float32), (0, 0), 1.2)
    tone: Gray = np.asarray(spec.look.belt_grey + 3.5 * grain / grain.std(), np.float32)
    for rib in range(0, period, _RIB_PX):
        tone[:, rib : rib + 3] -= 16
        tone[:, rib + 3 : rib + 5] += 9
    for x, y in zip(rng.integers(0, period, 60), rng.integers(0, spec.height_px, 60), strict=True):
        cv2.circle(tone, (int(x), int(y)), 1, float(tone[y, x] + rng.uniform(8, 26)), -1, cv2.LINE_AA)
    kernel = smear(spec)
    room = kernel.shape[1]
    looped = cv2.filter2D(np.concatenate([tone[:, -room:], tone, tone[:, :room]], axis=1), -1, kernel)[:, room:-room]
    long = np.concatenate([looped, looped[:, : spec.width_px + 1]], axis=1)
    return np.asarray(long[..., None] * np.array([1.0, 1.02, 0.94], np.float32), np.float32)


def _rails(spec: LineSpec) -> tuple[Picture, Picture]:
    """The belt's fixed guides along the upper and the lower edge, with their bolts."""
    profile = np.float32(92) + 46 * np.sin(np.linspace(0, math.pi, _RAIL_PX, dtype=np.float32))
    rail = np.repeat(np.repeat(profile[:, None, None], spec.width_px, axis=1), 3, axis=2)
    for x in range(spec.width_px // 8, spec.width_px, spec.width_px // 4):
        cv2.circle(rail, (x, _RAIL_PX // 2), 6, (70.0, 70.0, 70.0), -1, cv2.LINE_AA)
        cv2.circle(rail, (x - 1, _RAIL_PX // 2 - 1), 4, (150.0, 150.0, 150.0), -1, cv2.LINE_AA)
    return rail, rail


def _light(spec: LineSpec) -> Picture:
    y, x = np.mgrid[0 : spec.height_px, 0 : spec.width_px].astype(np.float32)
    along = (x / spec.width_px - 0.5) * math.cos(spec.look.light_angle_rad)
    along += (y / spec.height_px - 0.5) * math.sin(spec.look.light_angle_rad)
    light = 1.0 - spec.look.light_gradient * along
    return np.repeat(np.asarray(light, np.float32)[..., None], 3, axis=2)


def _noise(spec: LineSpec, rng: np.random.Generator) -> Picture:
    """The sensor's noise, mostly in brightness: a repeated tile, too large for an eye to notice."""
    rows, columns = spec.height_px + _NOISE_ROOM[0], spec.width_px + _NOISE_ROOM[1]
    tile = rng.standard_normal((*_NOISE_TILE, 3), dtype=np.float32) * np.float32(spec.look.noise_grey)
    mixed = cv2.transform(tile, np.full((3, 3), 0.49, np.float32) + 0.22 * np.eye(3, dtype=np.float32))
    times = (math.ceil(rows / _NOISE_TILE[0]), math.ceil(columns / _NOISE_TILE[1]), 1)
    return np.ascontiguousarray(np.tile(np.asarray(mixed, np.float32), times)[:rows, :columns])
