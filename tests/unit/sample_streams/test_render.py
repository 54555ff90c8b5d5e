"""The pictures: the same from the same seed, and showing what the truth says."""

from dataclasses import replace

import numpy as np
import pytest

from sample_streams.line import plan
from sample_streams.render import Camera, frames
from sample_streams.spec import CLASSES, LineSpec
from sample_streams.truth import Label, clip_truth

SPEC = LineSpec(seed=3, n_frames=130)
BUSY = replace(SPEC, defect_rate=1.0, second_defect_rate=1.0)


def test_the_same_seed_gives_the_same_bytes_in_any_order() -> None:
    camera, again = Camera(SPEC), Camera(SPEC)
    forth = [camera.frame(index).tobytes() for index in (20, 40)]
    back = [again.frame(index).tobytes() for index in (40, 20)]
    assert forth == back[::-1]


def test_another_seed_gives_another_picture() -> None:
    assert Camera(SPEC).frame(20).tobytes() != Camera(replace(SPEC, seed=4)).frame(20).tobytes()


def test_frames_come_one_by_one_with_their_truth() -> None:
    short = replace(SPEC, n_frames=3)
    told = list(frames(short))
    assert [truth.index for _, truth in told] == [0, 1, 2]
    assert all(image.shape == (480, 640, 3) and image.dtype == np.uint8 for image, _ in told)


def test_the_first_and_the_last_frames_show_an_empty_belt() -> None:
    camera = Camera(SPEC)
    assert plan(SPEC)
    for index in (0, SPEC.margin_frames - 1, SPEC.n_frames - SPEC.margin_frames, SPEC.n_frames - 1):
        assert camera.frame(index)[60:420].mean() < 70  # metal is more than twice as bright
    assert camera.frame(50)[60:420].max() > 150


def labels_of(name: str) -> tuple[LineSpec, int, Label]:
    """A line, a frame and a label of the class that lies wholly in it."""
    for seed in range(50):
        spec = replace(BUSY, seed=seed)
        for frame in clip_truth(spec).frames:
            for label in frame.labels:
                if label.defect_class == name and label.visible == 1.0 and frame.index % 10 == 0:
                    return spec, frame.index, label
    raise AssertionError(f"no {name} in fifty lines")


@pytest.mark.parametrize("name", CLASSES)
def test_a_labelled_box_differs_from_the_same_part_without_its_defect(name: str) -> None:
    spec, index, label = labels_of(name)
    with_it = Camera(spec).frame(index).astype(int)
    without = Camera(spec, flaws=False).frame(index).astype(int)
    difference = np.abs(with_it - without).max(axis=2)
    x1, y1, x2, y2 = (round(edge) for edge in label.box)
    assert difference[y1:y2, x1:x2].max() > 40
    assert (difference[y1:y2, x1:x2] > 15).mean() > 0.03


def test_pictures_differ_only_where_the_truth_has_defects() -> None:
    spec, index, _ = labels_of("scratch")
    difference = np.abs(Camera(spec).frame(index).astype(int) - Camera(spec, flaws=False).frame(index)).max(axis=2)
    for label in clip_truth(spec).frames[index].labels:
        x1, y1, x2, y2 = (round(edge) for edge in label.box)
        difference[max(y1 - 6, 0) : y2 + 6, max(x1 - 6, 0) : x2 + 6] = 0
    assert difference[:, 30:610].max() < 15  # defects half out at the sides are not in the labels
