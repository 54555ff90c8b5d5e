"""The pictures: the same from the same seed, and showing what the truth says."""

from dataclasses import replace

import numpy as np
import pytest

from sample_streams.line import plan
from sample_streams.render import LineRenderer, frames
from sample_streams.spec import DEFECTS, FASTEST, LineSpec, Look
from sample_streams.truth import Label, clip_truth

SPEC = LineSpec(seed=3, n_frames=130)
BUSY = replace(SPEC, defect_rate=1.0, second_defect_rate=1.0)


def test_the_same_seed_gives_the_same_bytes_in_any_order() -> None:
    camera, again = LineRenderer(SPEC), LineRenderer(SPEC)
    forth = [camera.frame(index).tobytes() for index in (20, 40)]
    back = [again.frame(index).tobytes() for index in (40, 20)]
    assert forth == back[::-1]


def test_another_seed_gives_another_picture() -> None:
    assert LineRenderer(SPEC).frame(20).tobytes() != LineRenderer(replace(SPEC, seed=4)).frame(20).tobytes()


def test_frames_come_one_by_one_with_their_truth() -> None:
    short = replace(SPEC, n_frames=3)
    pairs = list(frames(short))
    assert [truth.index for _, truth in pairs] == [0, 1, 2]
    assert all(image.shape == (480, 640, 3) and image.dtype == np.uint8 for image, _ in pairs)


def test_the_first_and_the_last_frames_show_an_empty_belt() -> None:
    camera = LineRenderer(SPEC)
    assert plan(SPEC)
    for index in (0, SPEC.margin_frames - 1, SPEC.n_frames - SPEC.margin_frames, SPEC.n_frames - 1):
        assert camera.frame(index)[60:420].mean() < 70  # metal is more than twice as bright
    assert camera.frame(50)[60:420].max() > 150


def test_moving_parts_are_smeared_along_their_way_and_still_ones_are_not() -> None:
    still = Look(noise_grey=0.0, flicker=0.0, exposure_s=0.0)
    fast = replace(SPEC, parts_per_minute=FASTEST, look=still)
    slow_shutter = replace(fast, look=replace(still, exposure_s=0.004))
    index = plan(fast)[1].entry_frame + 8
    sharp, smeared = (LineRenderer(spec).frame(index).astype(float) for spec in (fast, slow_shutter))
    assert (sharp[:34] == smeared[:34]).all()
    steepest_across, steepest_down = (
        [float(np.abs(np.diff(picture[60:420], axis=axis)).max()) for picture in (sharp, smeared)] for axis in (1, 0)
    )
    assert steepest_across[1] < 0.5 * steepest_across[0]
    assert steepest_down[1] > 0.7 * steepest_down[0]


def test_a_part_lies_where_the_truth_says() -> None:
    camera = LineRenderer(replace(SPEC, defect_rate=0.0, look=Look(noise_grey=0.0)))
    truth = clip_truth(camera.spec)
    index = next(frame.index for frame in truth.frames if frame.parts and 20 < frame.parts[0].box[0] < 300)
    x1, y1, x2, y2 = truth.frames[index].parts[0].box
    metal = camera.frame(index)[40:440, int(x1) - 12 : int(x2) + 12].max(axis=2) > 110
    rows, columns = np.flatnonzero(metal.any(axis=1)) + 40, np.flatnonzero(metal.any(axis=0)) + int(x1) - 12
    assert [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1] == pytest.approx([x1, y1, x2, y2], abs=3)


def brightness(spec: LineSpec, indices: range) -> list[float]:
    camera = LineRenderer(spec)
    return [float(camera.frame(index)[:30].mean()) for index in indices]


def test_the_lamps_beat_with_the_camera_s_rate_unless_the_shutter_evens_them_out() -> None:
    lamps = Look(noise_grey=0.0, flicker=0.1, flicker_hz=100.0)
    greys = brightness(replace(SPEC, fps=30, look=lamps), range(6))
    assert max(greys) > 1.08 * min(greys)
    assert greys[:3] == pytest.approx(greys[3:], rel=0.01)  # 100 Hz seen 30 times a second comes again each third frame
    evened = brightness(replace(SPEC, fps=30, look=replace(lamps, exposure_s=0.01)), range(6))
    assert max(evened) == pytest.approx(min(evened), rel=0.005)


def test_noise_differs_from_frame_to_frame_as_much_as_its_look_says() -> None:
    camera = LineRenderer(replace(SPEC, look=Look(noise_grey=4.0, flicker=0.0)))
    first, second = camera.frame(0)[:30].astype(float), camera.frame(1)[:30].astype(float)
    assert (first - second).std() == pytest.approx(4.0 * 2**0.5, rel=0.1)


def test_the_light_falls_off_towards_its_far_side() -> None:
    camera = LineRenderer(replace(SPEC, look=Look(light_gradient=0.4, light_angle_rad=0.0, noise_grey=0.0)))
    rail = camera.frame(0)[5:10].mean(axis=(0, 2))
    assert rail[-1] / rail[0] == pytest.approx(0.8 / 1.2, rel=0.03)


def labels_of(name: str) -> tuple[LineSpec, int, Label]:
    """A line, a frame and a label of the class that lies wholly in it."""
    for seed in range(50):
        spec = replace(BUSY, seed=seed)
        for frame in clip_truth(spec).frames:
            for label in frame.labels:
                if label.defect_class == name and label.visible == 1.0 and frame.index % 10 == 0:
                    return spec, frame.index, label
    raise AssertionError(f"no {name} in fifty lines")


@pytest.mark.parametrize("name", DEFECTS)
def test_a_labelled_box_differs_from_the_same_part_without_its_defect(name: str) -> None:
    spec, index, label = labels_of(name)
    with_it = LineRenderer(spec).frame(index).astype(int)
    without = LineRenderer(spec, flaws=False).frame(index).astype(int)
    difference = np.abs(with_it - without).max(axis=2)
    x1, y1, x2, y2 = (round(edge) for edge in label.box)
    assert difference[y1:y2, x1:x2].max() > 40
    assert (difference[y1:y2, x1:x2] > 15).mean() > 0.03


def test_pictures_differ_only_where_the_truth_has_defects() -> None:
    spec, index, _ = labels_of("scratch")
    difference = np.abs(LineRenderer(spec).frame(index).astype(int) - LineRenderer(spec, flaws=False).frame(index)).max(
        axis=2
    )
    for label in clip_truth(spec).frames[index].labels:
        x1, y1, x2, y2 = (round(edge) for edge in label.box)
        difference[max(y1 - 6, 0) : y2 + 6, max(x1 - 6, 0) : x2 + 6] = 0
    assert difference[:, 30:610].max() < 15  # defects half out at the sides are not in the labels
