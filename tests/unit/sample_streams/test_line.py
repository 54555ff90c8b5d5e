"""The belt's kinematics and what is drawn by chance on it."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sample_streams.flaws import annotated, draw_flaw, missing_holes
from sample_streams.line import in_view, plan, pose
from sample_streams.shapes import BRACKET, FLANGE, KINDS, Kind
from sample_streams.spec import DEFECTS, FASTEST, SIZES, SLOWEST, LineSpec, Look

SPEC = LineSpec(seed=5, defect_rate=1.0, second_defect_rate=1.0)
FAST = replace(SPEC, parts_per_minute=FASTEST)


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
        assert pose(SPEC, part, part.entry_frame - 1).x_px + part.kind.reach <= 0
        assert pose(SPEC, part, part.exit_frame + 1).x_px - part.kind.reach >= SPEC.width_px


def test_parts_in_view_have_entered_and_not_left() -> None:
    parts = plan(FAST)
    for frame in range(0, FAST.n_frames, 7):
        assert in_view(parts, frame) == tuple(p for p in parts if p.entry_frame <= frame <= p.exit_frame)


@pytest.mark.parametrize("spec", [SPEC, FAST], ids=["slow", "fast"])
def test_parts_never_overlap(spec: LineSpec) -> None:
    for one, after in pairwise(plan(spec)):
        gap = pose(spec, one, 100).x_px - pose(spec, after, 100).x_px
        assert gap > one.kind.reach + after.kind.reach


@pytest.mark.parametrize("rate", [SLOWEST, 90.0, FASTEST])
def test_parts_pass_at_the_stated_rate(rate: float) -> None:
    spec = replace(SPEC, n_frames=9000, parts_per_minute=rate, defect_rate=0.0)
    assert len(plan(spec)) == pytest.approx(rate * 9000 / spec.fps / 60, rel=0.06)


def test_the_belt_runs_as_fast_as_parts_a_minute_ask() -> None:
    assert FAST.belt_speed_px_s == pytest.approx(FAST.pitch_px * FASTEST / 60)
    assert FAST.smear_px == pytest.approx(8 * replace(FAST, parts_per_minute=SLOWEST).smear_px)
    assert replace(FAST, look=Look(exposure_s=0.001)).smear_px == pytest.approx(FAST.belt_speed_px_s / 1000)


def test_a_part_of_the_fastest_line_is_seen_whole_in_at_least_eight_frames() -> None:
    for part in plan(FAST):
        places = [pose(FAST, part, frame).x_px for frame in range(part.entry_frame, part.exit_frame + 1)]
        assert sum(part.kind.half_width <= x <= FAST.width_px - part.kind.half_width for x in places) >= 8


def test_most_parts_have_no_defect_and_some_have_two() -> None:
    parts = plan(LineSpec(seed=3, n_frames=9000, parts_per_minute=FASTEST))
    bad = [part for part in parts if part.flaws]
    assert 0.75 <= 1 - len(bad) / len(parts) <= 0.85
    assert {len(part.flaws) for part in bad} == {1, 2}
    assert {(flaw.name, flaw.size) for part in bad for flaw in part.flaws} == {(d, s) for d in DEFECTS for s in SIZES}


def test_no_defect_rate_means_no_defects() -> None:
    assert not any(part.flaws for part in plan(replace(SPEC, defect_rate=0.0)))


def test_a_line_without_a_moving_belt_is_refused() -> None:
    with pytest.raises(ValueError, match="belt that moves"):
        LineSpec(parts_per_minute=0.0)


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", [name for name in DEFECTS if name != "missing_hole"])
def test_a_defect_of_any_size_lies_on_the_metal(name: str, size: str, kind: Kind) -> None:
    for seed in range(5):
        flaw = draw_flaw(name, size, kind, (), np.random.default_rng(seed))
        assert flaw is not None
        assert all(kind.depth(point) > 0 for stroke in flaw.strokes for point in stroke)


@pytest.mark.parametrize("name", DEFECTS)
def test_a_larger_size_makes_a_larger_defect(name: str) -> None:
    def diagonal(size: str) -> float:
        flaw = draw_flaw(name, size, BRACKET, (), np.random.default_rng(4))
        assert flaw is not None
        x1, y1, x2, y2 = flaw.bounds
        return float(np.hypot(x2 - x1, y2 - y1))

    small, medium, large = (diagonal(size) for size in SIZES)
    assert small < medium < large


@pytest.mark.parametrize("size", SIZES)
def test_a_missing_hole_is_one_of_its_size(size: str) -> None:
    flaw = draw_flaw("missing_hole", size, FLANGE, (), np.random.default_rng(0))
    assert flaw is not None
    (hole,) = missing_holes(FLANGE, (flaw,))
    assert hole.size == size


def test_no_annotated_box_is_thinner_than_a_person_would_draw_it() -> None:
    assert annotated(np.array([[0.0, 0.0], [50.0, 0.0]]), 2.0) == pytest.approx((-3.0, -8.0, 53.0, 8.0))
    assert annotated(np.array([[0.0, 0.0], [50.0, 30.0]]), 0.0) == pytest.approx((-2.0, -2.0, 52.0, 32.0))


def test_a_second_defect_keeps_clear_of_the_first() -> None:
    first = draw_flaw("stain", "medium", BRACKET, (), np.random.default_rng(1))
    assert first is not None
    for seed in range(20):
        second = draw_flaw("scratch", "small", BRACKET, (first,), np.random.default_rng(seed))
        assert second is not None
        a, b = first.bounds, second.bounds
        assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
