"""The belt's kinematics and what is drawn by chance on it."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sample_streams.flaws import draw_flaw, missing_holes
from sample_streams.line import in_view, plan, pose
from sample_streams.shapes import BRACKET, FLANGE, KINDS, Kind
from sample_streams.spec import CLASSES, LineSpec

SPEC = LineSpec(seed=5, defect_rate=1.0, second_defect_rate=1.0)


def test_the_same_seed_plans_the_same_parts_and_another_seed_others() -> None:
    assert plan(SPEC) == plan(SPEC)
    assert plan(SPEC) != plan(replace(SPEC, seed=6))


def test_no_part_is_in_view_at_the_beginning_and_at_the_end() -> None:
    parts = plan(SPEC)
    edges = [*range(SPEC.margin_frames), *range(SPEC.n_frames - SPEC.margin_frames, SPEC.n_frames)]
    assert not any(in_view(parts, frame) for frame in edges)
    assert any(in_view(parts, frame) for frame in range(SPEC.n_frames))


def test_a_part_enters_and_leaves_outside_the_picture() -> None:
    for part in plan(SPEC):
        assert pose(SPEC, part, part.entry_frame).x_px + part.kind.reach <= 0
        assert pose(SPEC, part, part.exit_frame + 1).x_px - part.kind.reach >= SPEC.width_px


def test_parts_never_overlap() -> None:
    parts = plan(SPEC)
    for one, after in pairwise(parts):
        gap = pose(SPEC, one, 100).x_px - pose(SPEC, after, 100).x_px
        assert gap > one.kind.reach + after.kind.reach


def test_parts_pass_at_the_stated_rate() -> None:
    spec = replace(SPEC, n_frames=9000, parts_per_minute=30.0)
    assert len(plan(spec)) == pytest.approx(30 * 9000 / spec.fps / 60, rel=0.05)


def test_no_defect_rate_means_no_defects() -> None:
    assert not any(part.flaws for part in plan(replace(SPEC, defect_rate=0.0)))


def test_a_line_without_a_moving_belt_is_refused() -> None:
    with pytest.raises(ValueError, match="belt that moves"):
        LineSpec(belt_speed_px_s=0.0)


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
@pytest.mark.parametrize("name", [name for name in CLASSES if name != "missing_hole"])
def test_a_defect_lies_on_the_metal(name: str, kind: Kind) -> None:
    for seed in range(10):
        flaw = draw_flaw(name, kind, (), np.random.default_rng(seed))
        assert flaw is not None
        assert all(kind.depth(point) > 0 for stroke in flaw.strokes for point in stroke)


def test_a_missing_hole_is_one_that_should_have_been_drilled() -> None:
    flaw = draw_flaw("missing_hole", FLANGE, (), np.random.default_rng(0))
    assert flaw is not None
    (hole,) = missing_holes(FLANGE, (flaw,))
    assert hole.drilled


def test_a_second_defect_keeps_clear_of_the_first() -> None:
    first = draw_flaw("stain", BRACKET, (), np.random.default_rng(1))
    assert first is not None
    for seed in range(20):
        second = draw_flaw("scratch", BRACKET, (first,), np.random.default_rng(seed))
        assert second is not None
        a, b = first.bounds, second.bounds
        assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
