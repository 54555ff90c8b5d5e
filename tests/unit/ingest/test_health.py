"""Image health, on made pictures."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from andon.messages import ImageHealth
from andon.pictures.health.judgement import UsualSharpness
from andon.pictures.health.measurement import PictureMeasurement, PictureMeter
from andon.pictures.health.monitor import MEASURE_S, HealthMonitor, Size
from andon.pictures.picture import Bgr
from andon.settings import HealthSettings

FPS = 25.0
SCENES = 7
SETTINGS = HealthSettings(learn_s=2.0)


class Rig:
    """A watch and its time; pictures have a part's edges and a sensor's noise, other in each."""

    def __init__(self, settings: HealthSettings = SETTINGS, usual: UsualSharpness | None = None) -> None:
        self.usual = usual or UsualSharpness(settings.learn_s)
        self.changes: list[tuple[float, ImageHealth | None]] = []
        self.sizes: list[tuple[Size, Size]] = []
        self.at_s = 0.0
        self._random = np.random.default_rng(7)
        self._scenes: dict[Size, list[Bgr]] = {}
        self._next = 0
        self.watch = HealthMonitor(settings, self.usual, self._changed, lambda *sizes: self.sizes.append(sizes))

    def _changed(self, health: ImageHealth | None) -> None:
        self.changes.append((self.at_s, health))

    def scene(self, size: Size = (160, 120)) -> Bgr:
        """One of a few, made once: noise is dear."""
        scenes = self._scenes.setdefault(size, [])
        if len(scenes) < SCENES:
            picture = np.full((size[1], size[0], 3), 70, np.uint8)
            cv2.rectangle(picture, (size[0] // 4, size[1] // 4), (size[0] // 2, size[1] // 2), (150, 160, 170), -1)
            noisy = picture + self._random.normal(0, 3, picture.shape)
            scenes.append(np.clip(noisy, 0, 255).astype(np.uint8))
        self._next = (self._next + 1) % len(scenes)
        return scenes[self._next]

    def show(self, seconds: float, picture: Callable[[], Bgr], fps: float = FPS) -> list[ImageHealth | None]:
        return list(self._shown(seconds, picture, fps))

    def _shown(self, seconds: float, picture: Callable[[], Bgr], fps: float) -> Iterator[ImageHealth | None]:
        for _ in range(round(seconds * fps)):
            self.at_s += 1 / fps
            yield self.watch.saw(picture, self.at_s)


def test_a_still_scene_with_a_sensors_noise_is_healthy() -> None:
    rig = Rig()
    assert set(rig.show(20, rig.scene)) == {None}
    assert rig.changes == []


def test_the_same_picture_for_two_seconds_is_frozen_and_moving_again_is_not() -> None:
    rig = Rig()
    rig.show(3, rig.scene)
    held = rig.scene()
    began_s = rig.at_s
    verdicts = rig.show(4, lambda: held)
    ((at_s, state),) = rig.changes
    assert state == "frozen"
    assert 2.0 <= at_s - began_s <= 2.2
    assert verdicts[-1] == "frozen"
    rig.show(2, rig.scene)
    assert [health for _, health in rig.changes] == ["frozen", None]


def test_a_frozen_picture_whose_keyframes_are_coded_anew_is_frozen() -> None:
    rig = Rig()
    rig.show(3, rig.scene)
    held = rig.scene()
    coded = [held, np.clip(held.astype(np.int16) + 1, 0, 255).astype(np.uint8)]
    numbers = iter(range(10_000))
    rig.show(6, lambda: coded[next(numbers) // 25 % 2])  # a keyframe each second
    assert [health for _, health in rig.changes] == ["frozen"]


def test_a_camera_that_delivers_each_picture_twice_is_not_frozen() -> None:
    rig = Rig()
    held = [rig.scene()]

    def picture() -> Bgr:
        held.append(held[-1] if len(held) % 2 else rig.scene())
        return held[-1]

    assert set(rig.show(10, picture)) == {None}


def test_a_slow_camera_needs_several_pictures_to_be_frozen() -> None:
    rig = Rig()
    held = rig.scene()
    assert rig.show(4, lambda: held, fps=1) == [None] * 4
    assert rig.show(3, lambda: held, fps=1)[-1] == "frozen"


@pytest.mark.parametrize(("level", "health"), [(2, "dark"), (252, "overexposed")])
def test_a_picture_without_light_or_shade_is_marked_at_once_and_is_the_cameras_state_in_a_second(
    level: int, health: ImageHealth
) -> None:
    rig = Rig()
    rig.show(3, rig.scene)
    began_s = rig.at_s
    noise = np.random.default_rng(1)

    def flat() -> Bgr:
        return np.clip(level + noise.normal(0, 1.5, (120, 160, 3)), 0, 255).astype(np.uint8)

    assert set(rig.show(3, flat)) == {health}
    ((at_s, state),) = rig.changes
    assert state == health
    assert at_s - began_s == pytest.approx(1.0, abs=0.1)
    after = rig.show(2, rig.scene)
    assert after[0] == health  # until it has been healthy for as long
    assert after[-1] is None
    assert [state for _, state in rig.changes] == [health, None]


def test_black_without_any_noise_is_dark_rather_than_frozen() -> None:
    rig = Rig()
    black = np.zeros((120, 160, 3), np.uint8)
    rig.show(5, lambda: black)
    assert [health for _, health in rig.changes] == ["dark"]


def test_a_passing_shadow_is_no_state_of_the_camera() -> None:
    rig = Rig()
    rig.show(3, rig.scene)
    black = np.zeros((120, 160, 3), np.uint8)
    assert set(rig.show(0.5, lambda: black)) == {"dark"}
    rig.show(2, rig.scene)
    assert rig.changes == []


def test_light_that_wavers_about_the_threshold_does_not_make_the_state_flap() -> None:
    rig = Rig()
    dim = np.full((120, 160, 3), 17, np.uint8)
    levels = iter([17, 18, 21, 22] * 1000)
    rig.show(2, lambda: np.clip(dim + rig._random.normal(0, 0.3, dim.shape), 0, 255).astype(np.uint8))
    rig.show(10, lambda: np.full((120, 160, 3), next(levels), np.uint8))
    assert [health for _, health in rig.changes] == ["dark"]


def test_a_lens_out_of_focus_is_blurred_against_what_the_camera_usually_shows() -> None:
    rig = Rig()
    rig.show(4, rig.scene)
    assert rig.usual.usual is not None
    began_s = rig.at_s
    rig.show(3, lambda: cv2.GaussianBlur(rig.scene(), (0, 0), 3).astype(np.uint8))
    ((at_s, state),) = rig.changes
    assert state == "blurred"
    assert at_s - began_s <= 1.5
    rig.show(2, rig.scene)
    assert [health for _, health in rig.changes] == ["blurred", None]


def test_nothing_is_blurred_before_the_usual_is_learned_and_dark_pictures_teach_nothing() -> None:
    rig = Rig()
    black = np.zeros((120, 160, 3), np.uint8)
    rig.show(10, lambda: black)
    assert rig.usual.usual is None


def test_the_usual_sharpness_outlives_a_reconnect() -> None:
    first = Rig()
    first.show(4, first.scene)
    second = Rig(usual=first.usual)
    second.show(3, lambda: cv2.GaussianBlur(second.scene(), (0, 0), 3).astype(np.uint8))
    assert [health for _, health in second.changes] == ["blurred"]


def test_another_size_is_reported_once_and_is_neither_frozen_nor_blurred() -> None:
    rig = Rig()
    rig.show(4, rig.scene)
    assert set(rig.show(5, lambda: rig.scene((80, 60)))) == {None}
    assert rig.sizes == [((160, 120), (80, 60))]
    assert rig.changes == []


def test_a_flood_is_measured_no_more_often_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    measured_at: list[float] = []
    measure = PictureMeter.measure

    def counted(self: PictureMeter, bgr: Bgr, *, sharpness: bool) -> PictureMeasurement:
        measured_at.append(rig.at_s)
        return measure(self, bgr, sharpness=sharpness)

    monkeypatch.setattr(PictureMeter, "measure", counted)
    held = rig.scene()
    rig.show(1, lambda: held, fps=1000)
    assert len(measured_at) <= 1 / MEASURE_S + 1
