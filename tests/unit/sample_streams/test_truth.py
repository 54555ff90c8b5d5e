"""The truth and its file."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from sample_streams.spec import CLASSES, SIZES, LineSpec
from sample_streams.truth import MIN_VISIBLE, PART_MIN_VISIBLE, clip_truth, load, save

SPEC = LineSpec(seed=9, defect_rate=1.0, second_defect_rate=1.0)
TRUTH = clip_truth(SPEC)


def test_a_saved_truth_can_be_loaded(tmp_path: Path) -> None:
    save(TRUTH, tmp_path / "a.truth.json")
    assert load(tmp_path / "a.truth.json") == TRUTH


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.truth.json"
    save(TRUTH, path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": "other"}))
    with pytest.raises(ValueError, match="not a truth of format"):
        load(path)


def test_boxes_lie_within_the_picture() -> None:
    boxes = [label.box for frame in TRUTH.frames for label in frame.labels]
    assert boxes
    assert all(0 <= x1 < x2 <= 640 and 0 <= y1 < y2 <= 480 for x1, y1, x2, y2 in boxes)


def test_a_defect_less_than_half_in_the_picture_is_not_in_the_labels() -> None:
    visible = [label.visible for frame in TRUTH.frames for label in frame.labels]
    assert min(visible) >= MIN_VISIBLE
    assert any(share < 1.0 for share in visible)


def test_a_defect_is_in_the_labels_of_each_frame_from_its_first_to_its_last() -> None:
    for defect in TRUTH.defects:
        indices = [f.index for f in TRUTH.frames for label in f.labels if label.defect_id == defect.defect_id]
        assert defect.first_frame is not None
        assert defect.last_frame is not None
        assert indices == list(range(defect.first_frame, defect.last_frame + 1))


def test_a_defect_moves_with_the_belt() -> None:
    spec = replace(SPEC, parts_per_minute=60.0, pitch_px=300.0)
    whole = [label for f in clip_truth(spec).frames for label in f.labels if label.visible == 1.0]
    first = [label.box[0] for label in whole if label.defect_id == whole[0].defect_id]
    assert [b - a for a, b in pairwise(first)] == pytest.approx([10.0] * (len(first) - 1), abs=0.02)


def test_every_label_names_a_defect_of_its_part() -> None:
    known = {(p.part_id, d.defect_id, d.defect_class) for p in TRUTH.parts for d in p.defects}
    labelled = {(one.part_id, one.defect_id, one.defect_class) for f in TRUTH.frames for one in f.labels}
    assert labelled == known


def test_a_part_is_in_the_labels_of_the_frames_in_which_enough_of_it_is_seen() -> None:
    for part in TRUTH.parts:
        views = [(f.index, one.visible) for f in TRUTH.frames for one in f.parts if one.part_id == part.part_id]
        indices = [index for index, _ in views]
        assert indices == list(range(indices[0], indices[-1] + 1))
        assert part.entry_frame <= indices[0] < indices[-1] <= part.exit_frame
        assert min(visible for _, visible in views) >= PART_MIN_VISIBLE
        assert max(visible for _, visible in views) == 1.0


def test_a_defect_s_box_lies_in_its_part_s() -> None:
    for frame in TRUTH.frames:
        parts = {one.part_id: one.box for one in frame.parts}
        for label in frame.labels:
            x1, y1, x2, y2 = parts[label.part_id]
            assert x1 - 8 <= label.box[0] < label.box[2] <= x2 + 8
            assert y1 - 8 <= label.box[1] < label.box[3] <= y2 + 8


def test_the_numbers_of_the_boxes_are_those_of_the_model_s_classes() -> None:
    frame = next(frame for frame in TRUTH.frames if frame.labels and len(frame.parts) == 2)
    names = [CLASSES[number] for number, _ in frame.boxes]
    assert names == ["part", "part", *(label.defect_class for label in frame.labels)]


def test_each_defect_has_a_size() -> None:
    assert {defect.size for defect in TRUTH.defects} <= set(SIZES)
    assert len({defect.size for defect in TRUTH.defects}) > 1
