"""Each part has one verdict, at any speed. No result is never a pass."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate
from math import ceil

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from andon.messages import Box, Detection, Inspection, PartVerdict, ShedRange
from andon.settings import CameraPartSettings, DefectSettings, Settings
from sinks.judgement.rules import DefectRules, JudgementRules
from sinks.judgement.snapshot import snapshot
from sinks.judgement.state import from_bytes, to_bytes
from sinks.judgement.step import AccountMessage
from sinks.role import judgement_rules
from tests.fakes import START
from tests.unit.sinks.judgement.belt import Belt, Flaw, Piece, a_row, part_rules
from tests.unit.sinks.judgement.frames import DEFECT_RULES, Steps, crossing, detection, inspected, shed, status

SPEEDS = ((30, 10.0), (60, 16.0), (120, 35.0), (240, 55.0), (240, 70.0), (240, 90.0))
"""Parts a minute, and pixels a frame; the picture is 640 px wide."""
GOOD = Piece(-120)
BAD = Piece(-120, (Flaw(),))


def run(records: Iterable[AccountMessage], rules: JudgementRules | None = None) -> Steps:
    return Steps().take(list(records), rules or part_rules())


def outcomes(steps: Steps) -> list[tuple[str, str | None]]:
    return [(part.verdict, part.reason) for part in steps.verdicts]


def passing(*pieces: Piece, step_px: float = 40.0, **belt: object) -> list[Inspection]:
    """The frames of these parts as they move to the right, until the last one has left."""
    frames = int((max(-piece.at_px for piece in pieces) + 800) / step_px) + 3
    return list(replace(Belt(pieces, step_px, frames), **belt).inspections())  # type: ignore[arg-type]  # its fields


def changed(records: Sequence[Inspection], numbers: Iterable[int], **changes: object) -> list[Inspection]:
    chosen = set(numbers)
    return [record.model_copy(update=changes) if record.seq in chosen else record for record in records]


def without(records: Sequence[Inspection], numbers: Iterable[int]) -> list[Inspection]:
    gone = set(numbers)
    return [record for record in records if record.seq not in gone]


# ---- at any speed


@pytest.mark.parametrize(("per_minute", "step_px"), SPEEDS)
@pytest.mark.parametrize("seed", [2, 3])
def test_at_any_speed_each_part_has_its_verdict_and_each_defect_is_one(
    per_minute: float, step_px: float, seed: int
) -> None:
    """Small defects move six times their own size a frame; a detector misses every fifth one and jitters."""
    belt = a_row(30, per_minute, Belt((), step_px, 0, miss=0.2, miss_part=0.02, jitter_px=2.0, seed=seed))
    steps = run(belt.inspections())
    due = ["reject" if piece.flaws else "pass" for piece in belt.pieces]
    assert [verdict.verdict for verdict in steps.verdicts] == due
    assert [len(verdict.defects) for verdict in steps.verdicts if verdict.verdict == "reject"] == [
        len(piece.flaws) for piece in belt.pieces if piece.flaws
    ]


@pytest.mark.parametrize("step_px", [55.0, 90.0])
@pytest.mark.parametrize("seed", range(5))
def test_neighbouring_defects_of_one_class_stay_apart_at_speed(step_px: float, seed: int) -> None:
    flaws = tuple(Flaw(x, y) for x, y in ((0.2, 0.3), (0.45, 0.3), (0.7, 0.35), (0.4, 0.7)))
    pieces = (Piece(-120, flaws), Piece(-120 - step_px * 3.75, flaws))
    steps = run(passing(*pieces, step_px=step_px, jitter_px=2.0, seed=seed))
    assert [len(verdict.defects) for verdict in steps.verdicts] == [4, 4]
    assert Counter(event.transition for event in steps.events)["opened"] == 8


@pytest.mark.parametrize(("slow_px", "fast_px"), [(10.0, 40.0), (10.0, 90.0), (0.0, 60.0), (0.0, 90.0)])
def test_a_belt_that_stops_starts_and_changes_its_speed_loses_no_part(slow_px: float, fast_px: float) -> None:
    draw = random.Random(4)
    pieces = tuple(Piece(-120 - 340 * n, (Flaw(draw.uniform(0.2, 0.8)),) if n % 3 == 0 else ()) for n in range(9))
    ways = [0.0]
    while ways[-1] < 340 * 9 + 900:
        ways.append(ways[-1] + (slow_px if len(ways) // 25 % 2 else fast_px))
    belt = Belt(pieces, 0.0, len(ways), jitter_px=2.0, way=ways.__getitem__)
    steps = run(belt.inspections())
    assert [verdict.verdict for verdict in steps.verdicts] == ["reject", "pass", "pass"] * 3


# ---- the content of a verdict


def test_a_reject_names_the_defect_its_place_on_the_part_and_its_evidence() -> None:
    steps = run(passing(replace(BAD, flaws=(Flaw(0.25, 0.8),)), step_px=20.0))
    (part,) = steps.verdicts
    (defect,) = part.defects
    opened = steps.events[0]
    assert (part.verdict, part.reason, part.label) == ("reject", None, "part")
    assert part.event_id == f"{part.part_id}/verdict"
    assert part.part_id == f"{part.first_frame}/part-1"
    assert (defect.defect_id, defect.label, defect.severity) == (opened.defect_id, "scratch", "major")
    assert defect.evidence == opened.evidence
    assert defect.x == pytest.approx(0.25, abs=0.03)
    assert defect.y == pytest.approx(0.8, abs=0.03)
    assert {event.part_id for event in steps.events} == {part.part_id}


def test_a_verdict_comes_on_the_first_frame_beyond_the_line_and_names_the_time_of_crossing() -> None:
    (part,) = run(passing(GOOD, step_px=50.0)).verdicts
    at_s = (480 + 120) / 50.0 / 15.0  # its centre on the line, 3/4 of 640 px
    assert part.crossed_at is not None
    assert (part.crossed_at - START).total_seconds() == pytest.approx(at_s, abs=0.01)
    assert (part.at - START).total_seconds() == pytest.approx(12 / 15, abs=0.001)
    assert (part.verdict, part.last_frame) == ("pass", "press-1/s1/12")


def test_the_parts_class_is_never_a_defect() -> None:
    steps = run(passing(GOOD))
    assert outcomes(steps) == [("pass", None)]
    assert (steps.events, steps.orders) == ([], [])


def test_a_defect_beside_a_part_does_not_reject_the_part() -> None:
    beside = Detection(label="stain", confidence=0.9, box=Box(x1=300, y1=440, x2=320, y2=460))
    frames = [
        record.model_copy(update={"detections": (*record.detections, beside)}) for record in passing(GOOD, step_px=40.0)
    ]
    steps = run(frames)
    assert outcomes(steps) == [("pass", None)]
    assert [(event.transition, event.part_id) for event in steps.events] == [("opened", None)]


# ---- no result is never a pass


def test_a_part_with_too_few_inspected_frames_is_unknown() -> None:
    frames = passing(GOOD, step_px=60.0)
    kept = {2, 3, 6, 10, 11, 12, 13, 14}  # whole in two of them before the line
    lost, quarantined = [seq for seq in range(len(frames)) if seq not in kept], {"outcome": "quarantined"}
    assert outcomes(run(frames)) == [("pass", None)]
    assert outcomes(run(without(frames, lost))) == [("unknown", "too_few_frames")]
    poor = changed(frames, lost, detections=(), reason="undecodable", **quarantined)
    assert outcomes(run(poor)) == [("unknown", "too_few_frames")]
    dark = changed(frames, set(range(15)) - kept, health="dark")
    assert outcomes(run(dark)) == [("unknown", "too_few_frames")]


def test_a_confirmed_defect_rejects_even_a_part_with_too_few_frames() -> None:
    frames = passing(BAD, step_px=60.0)
    assert outcomes(run(frames, part_rules(min_frames=50))) == [("reject", None)]
    assert outcomes(run(passing(GOOD, step_px=60.0), part_rules(min_frames=50))) == [("unknown", "too_few_frames")]


def test_a_part_that_vanishes_before_the_line_is_unknown() -> None:
    frames = passing(GOOD, step_px=20.0)
    emptied = changed(frames, range(20, 60), detections=())
    (part,) = run(emptied).verdicts
    assert (part.verdict, part.reason, part.crossed_at) == ("unknown", "vanished", None)
    bad = run(changed(passing(BAD, step_px=20.0), range(20, 60), detections=()))
    assert outcomes(bad) == [("reject", None)]


@pytest.mark.parametrize("final", [True, False])
def test_a_part_in_view_when_the_session_ends_is_unknown(final: bool) -> None:
    frames: list[AccountMessage] = list(passing(GOOD, step_px=20.0)[:20])
    last = status(20, final=True) if final else inspected(0, session="s2", late_s=9.0)
    (part,) = run([*frames, last]).verdicts
    assert (part.verdict, part.reason, part.session, part.last_frame) == (
        "unknown",
        "session_ended",
        "s1",
        "press-1/s1/19",
    )


def test_a_part_that_crossed_the_line_in_lost_frames_is_unknown() -> None:
    frames = passing(GOOD, step_px=40.0)
    assert outcomes(run(without(frames, range(12, 24)))) == [("unknown", "vanished")]
    assert outcomes(run(without(frames, range(12, 17)))) == [("pass", None)]  # seen again, beyond the line


def test_frames_that_were_shed_do_not_age_a_part() -> None:
    frames = passing(BAD, step_px=15.0)
    given_up = ShedRange(camera_id="press-1", session="s1", first_seq=20, last_seq=34, reason="mailbox_full", at=START)
    steps = run([*frames[:20], given_up, *frames[35:]])
    assert outcomes(steps) == [("reject", None)]
    assert len({event.defect_id for event in steps.events}) == 1


# ---- parts and noise


def test_a_thing_in_one_or_two_frames_is_noise() -> None:
    empty = [inspected(seq) for seq in range(40)]
    ghost = Detection(label="part", confidence=0.9, box=Box(x1=200, y1=100, x2=380, y2=260))
    for numbers in ({9}, {9, 10}):
        assert run(changed(empty, numbers, detections=(ghost,))).verdicts == []
    assert outcomes(run(changed(empty, {9, 10, 11}, detections=(ghost,)))) == [("unknown", "vanished")]


def test_a_thing_in_one_frame_beside_missing_frames_may_have_been_a_part() -> None:
    frames = passing(GOOD, step_px=60.0)
    kept = without(frames, [*range(1, 6), *range(7, 30)])
    later = [inspected(seq) for seq in range(31, 60)]
    assert outcomes(run([*kept, *later])) == [("unknown", "vanished")]


def test_a_part_that_stands_on_the_line_and_shakes_has_one_verdict() -> None:
    ways = (
        [40.0 * n for n in range(15)]
        + [600.0 + 6.0 * (-1) ** n for n in range(60)]
        + [600.0 + 40 * n for n in range(12)]
    )
    steps = run(Belt((GOOD,), 0.0, len(ways), jitter_px=2.0, way=ways.__getitem__).inspections())
    assert outcomes(steps) == [("pass", None)]


def test_a_part_that_stands_while_the_model_misses_it_has_one_verdict() -> None:
    ways = [40.0 * n for n in range(16)] + [600.0] * 40 + [600.0 + 40 * n for n in range(12)]
    frames = list(Belt((GOOD,), 0.0, len(ways), way=ways.__getitem__).inspections())
    assert outcomes(run(changed(frames, range(25, 40), detections=()))) == [("pass", None)]


@pytest.mark.parametrize("step_px", [8.0, 30.0, 70.0])
def test_parts_that_touch_stay_apart(step_px: float) -> None:
    pieces = (Piece(-120, (Flaw(),)), Piece(-301), Piece(-482, (Flaw(0.9),)), Piece(-663))
    steps = run(passing(*pieces, step_px=step_px, jitter_px=1.5))
    assert [part.verdict for part in steps.verdicts] == ["reject", "pass", "reject", "pass"]


def test_parts_side_by_side_stay_apart() -> None:
    pieces = (Piece(-120, (Flaw(),), 110), Piece(-130, (), 370))
    assert Counter(part.verdict for part in run(passing(*pieces)).verdicts) == {"reject": 1, "pass": 1}


def test_two_boxes_on_one_part_are_one_part() -> None:
    frames = passing(GOOD)
    doubled = [
        record.model_copy(update={"detections": tuple(_twice(item) for item in record.detections for _ in range(2))})
        for record in frames
    ]
    assert outcomes(run(doubled)) == [("pass", None)]


def _twice(item: Detection) -> Detection:
    return item


def _mirrored(box: Box) -> Box:
    return Box(x1=640 - box.x2, y1=box.y1, x2=640 - box.x1, y2=box.y2)


def _downward(box: Box) -> Box:
    return Box(x1=80 + box.y1, y1=0.75 * box.x1, x2=80 + box.y2, y2=0.75 * box.x2)


@pytest.mark.parametrize(
    ("turned", "line"),
    [
        (_mirrored, [[0.25, 0.0], [0.25, 1.0]]),
        (_mirrored, [[0.25, 1.0], [0.25, 0.0]]),
        (_downward, [[0.0, 0.75], [1.0, 0.75]]),
        (_downward, [[0.0, 0.7], [1.0, 0.8]]),
    ],
)
def test_parts_may_come_from_any_side(turned: object, line: object) -> None:
    frames = passing(GOOD, replace(BAD, at_px=-420), turned=turned, jitter_px=1.0)
    assert outcomes(run(frames, part_rules(line=line))) == [("pass", None), ("reject", None)]


def test_a_line_too_near_the_side_where_parts_enter_makes_them_unknown() -> None:
    frames = passing(GOOD, turned=_mirrored, step_px=60.0)
    assert outcomes(run(frames)) == [("unknown", "too_few_frames")]


def test_a_part_beyond_the_line_at_the_start_of_the_session_has_no_verdict() -> None:
    frames = passing(replace(GOOD, at_px=510), replace(GOOD, at_px=250), step_px=15.0, frames=30)
    steps = run(frames)
    assert outcomes(steps) == [("pass", None)]
    assert steps.verdicts[0].last_frame == "press-1/s1/16"


def test_a_part_first_seen_beyond_the_line_later_in_the_session_is_unknown() -> None:
    frames = passing(GOOD, step_px=20.0)
    blind = changed(frames, range(31), detections=())
    assert outcomes(run(blind)) == [("unknown", "not_seen_at_line")]


def test_a_part_that_flickers_where_parts_leave_is_no_new_part() -> None:
    frames = passing(GOOD, step_px=8.0)
    hidden = changed(frames, [seq for seq in range(85, len(frames)) if seq % 30 < 25], detections=())
    assert outcomes(run(hidden)) == [("pass", None)]


# ---- candidates at the line


def _with_scratch(frames: Sequence[Inspection], numbers: Iterable[int]) -> list[Inspection]:
    """Adds a scratch in the middle of the only part in these frames."""
    chosen = set(numbers)
    return [
        record.model_copy(update={"detections": (*record.detections, _on(record.detections[0]))})
        if record.seq in chosen and record.detections
        else record
        for record in frames
    ]


def _on(part: Detection) -> Detection:
    x, y = (part.box.x1 + part.box.x2) / 2, (part.box.y1 + part.box.y2) / 2
    return Detection(label="scratch", confidence=0.8, box=Box(x1=x - 8, y1=y - 8, x2=x + 8, y2=y + 8))


def test_a_verdict_waits_while_a_candidate_on_the_part_may_yet_be_confirmed() -> None:
    frames = passing(GOOD, step_px=20.0)  # on the line in frame 30, whole until 33
    steps = run(_with_scratch(frames, range(29, 33)))
    (part,) = steps.verdicts
    assert (part.verdict, part.last_frame) == ("reject", "press-1/s1/32")
    assert part.crossed_at is not None
    assert part.crossed_at < part.at


def test_a_defect_confirmed_after_the_verdict_does_not_change_it() -> None:
    steps = run(_with_scratch(passing(GOOD, step_px=10.0), range(63, 68)))
    assert outcomes(steps) == [("pass", None)]
    assert [event.part_id for event in steps.events] == [steps.verdicts[0].part_id] * len(steps.events) != []


def test_a_candidate_seen_once_among_many_frames_does_not_matter() -> None:
    assert outcomes(run(_with_scratch(passing(GOOD, step_px=20.0), [20]))) == [("pass", None)]


def test_a_candidate_seen_often_but_never_confirmed_makes_the_part_unknown() -> None:
    steps = run(_with_scratch(passing(GOOD, step_px=20.0), [14, 17, 20]))
    assert outcomes(steps) == [("unknown", "unconfirmed_defect")]
    assert steps.events == []


def test_a_part_in_view_for_few_frames_needs_the_same_share_of_them() -> None:
    """4 of 8 are 3 of 5; the defect is raised before the verdict that names it."""
    steps = run(_with_scratch(passing(GOOD, step_px=150.0), [2, 3, 4]))
    (part,) = steps.verdicts
    assert (part.verdict, len(part.defects)) == ("reject", 1)
    assert [event.transition for event in steps.events] == ["opened", "closed"]
    assert steps.events[0].at == part.at
    assert steps.orders[0].defect.part_id == part.part_id


# ---- settings


def test_a_camera_may_have_its_own_line_and_its_own_min_frames() -> None:
    frames = passing(GOOD, step_px=40.0)
    own = CameraPartSettings(line=((0.5, 0.0), (0.5, 1.0)))
    assert run(frames, part_rules(own=own)).verdicts[0].last_frame == "press-1/s1/11"
    assert run(frames, part_rules()).verdicts[0].last_frame == "press-1/s1/15"
    assert outcomes(run(frames, part_rules(own=CameraPartSettings(min_frames=30)))) == [("unknown", "too_few_frames")]


def test_a_detection_below_min_confidence_is_no_part() -> None:
    assert run(passing(GOOD), part_rules(min_confidence=0.95)).verdicts == []


def test_live_state_counts_the_verdicts() -> None:
    steps = run(passing(GOOD, replace(BAD, at_px=-400)))
    assert snapshot(steps.camera).parts == {"pass": 1, "reject": 1, "unknown": 0}
    assert snapshot(run(crossing(range(9)), DEFECT_RULES).camera).parts is None


def test_a_line_without_parts_raises_no_verdicts_and_stores_no_part_state() -> None:
    steps = run(passing(BAD), DEFECT_RULES)
    assert steps.verdicts == []
    assert b'"parts"' not in to_bytes(steps.camera.state)
    assert {event.label for event in steps.events} == {"part", "scratch"}
    assert {event.part_id for event in steps.events} == {None}


# ---- the state is a function of the log

PARTS = part_rules()
ROW = list(
    replace(
        a_row(6, 240, Belt((), 60.0, 0, miss=0.2, miss_part=0.05, jitter_px=2.0, seed=9), flaw_share=0.6), fps=15.0
    ).inspections()
)
PITCH_PX = 240.0
"""The distance between two parts of ALL_BAD, from centre to centre."""
ALL_BAD = list(Belt(tuple(replace(BAD, at_px=-120 - PITCH_PX * n) for n in range(6)), 60.0, len(ROW)).inspections())
LOG: list[AccountMessage] = [*ROW, status(len(ROW), final=True, at_s=60.0)]


def everything(steps: Steps) -> tuple[object, ...]:
    return steps.verdicts, steps.events, steps.orders, to_bytes(steps.camera.state)


def test_the_example_row_has_good_and_bad_parts() -> None:
    assert Counter(part.verdict for part in run(LOG).verdicts) == {"pass": 1, "reject": 5}


def test_a_crash_between_any_two_records_changes_no_verdict() -> None:
    crashed = Steps().take(LOG, PARTS, stored_between=True)
    assert everything(crashed) == everything(run(LOG))
    assert from_bytes(to_bytes(crashed.camera.state)) == crashed.camera.state


@given(st.integers(0, len(LOG)), st.integers(0, len(LOG)), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_redelivered_records_change_no_verdict(first: int, last: int, times: int) -> None:
    again = LOG[:last] + LOG[min(first, last) : last] * times + LOG[last:]
    assert run(again).verdicts == run(LOG).verdicts


@given(st.sets(st.integers(0, len(ROW) - 1)), st.sets(st.integers(0, len(ROW) - 1)), st.booleans())
@example({10}, {0, 2, 3, 4, 6, 8, 12, 15}, False)
@settings(max_examples=150, deadline=None)
def test_whatever_frames_are_missing_a_row_of_bad_parts_has_no_pass_and_each_part_id_one_verdict(
    lost: set[int], given_up: set[int], final: bool
) -> None:
    """All parts are bad here, and each inspected frame shows it."""
    end = [status(len(ROW), final=True, at_s=60.0)] if final else []
    steps = run([*_with_missing(ALL_BAD, lost, given_up), *end])
    ids = [part.part_id for part in steps.verdicts]
    assert len(set(ids)) == len(ids)
    for part in steps.verdicts:
        assert part.verdict != "pass"
        assert (part.verdict == "reject") == bool(part.defects)


@given(
    st.sampled_from([20.0, 30.0, 39.0, 50.0]),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.randoms(use_true_random=False),
)
@settings(max_examples=100, deadline=None)
def test_missing_frames_cost_no_verdict_while_parts_move_less_than_half_their_distance(
    step_px: float, bad: list[bool], draw: random.Random
) -> None:
    pieces = [replace(BAD if flawed else GOOD, at_px=-120 - PITCH_PX * n) for n, flawed in enumerate(bad)]
    frames = passing(*pieces, step_px=step_px)
    most_frames = ceil(PITCH_PX / 2 / step_px) - 1  # from one inspected frame to the next
    missing = set(range(len(frames))) - set(accumulate(draw.randint(1, most_frames) for _ in frames))
    lost = {seq for seq in missing if draw.random() < 0.5}
    steps = run(_with_missing(frames, lost, missing - lost))
    assert outcomes(steps) == [("reject" if flawed else "pass", None) for flawed in bad]


def test_the_first_parts_may_be_mistaken_only_if_they_move_half_their_distance_between_inspected_frames() -> None:
    """Every other frame is missing. At 60 px a frame the parts might as well move back by 120 px."""
    missing = {0, 2, 3, 4, 6, 8, 10, 12, 15}
    pieces = [replace(BAD, at_px=-120 - PITCH_PX * n) for n in range(6)]
    slower = run(without(passing(*pieces, step_px=50.0), missing))
    assert outcomes(slower) == [("reject", None)] * 6
    at_half = run(without(passing(*pieces, step_px=60.0), missing))
    assert "pass" not in {part.verdict for part in at_half.verdicts}


def _with_missing(frames: Sequence[Inspection], lost: set[int], given_up: set[int]) -> list[AccountMessage]:
    return sorted([*without(frames, lost | given_up), *(shed(seq, seq) for seq in given_up)], key=_number)


def _number(record: AccountMessage) -> int:
    return record.seq if isinstance(record, Inspection) else record.first_seq if isinstance(record, ShedRange) else 0


boxes = st.tuples(*(st.floats(allow_nan=False, allow_infinity=False) for _ in range(4)))


@given(st.lists(st.tuples(boxes, st.sampled_from(["part", "dent"]), st.integers(0, 60)), max_size=14))
@settings(max_examples=150, deadline=None)
def test_the_state_after_any_detections_can_be_stored(
    records: list[tuple[tuple[float, ...], str, int]],
) -> None:
    steps = Steps()
    for (x1, y1, x2, y2), label, seq in records:
        strange = Detection(label=label, confidence=0.9, box=Box(x1=x1, y1=y1, x2=x2, y2=y2))
        wild = Detection(label=label, confidence=0.8, box=Box(x1=x1 % 600, y1=y1 % 400, x2=700, y2=500))
        plain = detection(abs(x2) % 600, label="part")
        steps.take([inspected(seq, strange, wild, plain)], PARTS)
        assert from_bytes(to_bytes(steps.camera.state)) == steps.camera.state
    assert all(isinstance(part, PartVerdict) for part in steps.verdicts)


def test_the_state_stays_small_after_many_parts() -> None:
    belt = a_row(120, 240, Belt((), 60.0, 0, jitter_px=1.0, seed=3))
    assert len(to_bytes(run(belt.inspections()).camera.state)) < 6_000


def test_the_defect_settings_also_decide_on_parts() -> None:
    rules = part_rules(DefectSettings(confirm_frames=1, confirm_window=1))
    assert outcomes(run(_with_scratch(passing(GOOD, step_px=20.0), [20]), rules)) == [("reject", None)]
    assert DefectRules(DefectSettings(), "evidence").part is None


def test_dirt_on_the_lens_belongs_to_no_part() -> None:
    """It stands still while parts pass below it, and is raised once, as a defect without a part."""
    dirt = Detection(label="stain", confidence=0.9, box=Box(x1=300, y1=230, x2=320, y2=250))
    frames = passing(GOOD, replace(GOOD, at_px=-360), replace(GOOD, at_px=-600), step_px=40.0)
    steps = run([record.model_copy(update={"detections": (*record.detections, dirt)}) for record in frames])
    assert [part.verdict for part in steps.verdicts] == ["pass", "pass", "pass"]
    assert [(event.transition, event.part_id) for event in steps.events] == [("opened", None)]


@pytest.mark.parametrize("seed", range(6))
def test_a_third_of_the_frames_missing_at_full_speed_costs_no_part_its_verdict(seed: int) -> None:
    draw = random.Random(seed)
    pieces = tuple(replace(BAD, at_px=-120 - 240 * n) for n in range(12))
    frames = list(Belt(pieces, 60.0, 70, jitter_px=1.0, seed=seed).inspections())
    steps = run(without(frames, {seq for seq in range(70) if draw.random() < 0.33}))
    assert Counter(part.verdict for part in steps.verdicts)["reject"] >= 11
    assert len(steps.verdicts) == 12


def test_the_next_parts_correct_a_wrong_estimate_of_the_belts_speed() -> None:
    """The parts look alike and every other frame is missing, so they might as well move back. Then each frame comes."""
    frames = list(Belt(tuple(replace(GOOD, at_px=-120 - 240 * n) for n in range(12)), 60.0, 70).inspections())
    steps = run(without(frames, {0, 2, 4, 5, 7, 9}))
    assert outcomes(steps)[-8:] == [("pass", None)] * 8


def test_line_yaml_sets_the_line_for_all_cameras_and_for_one() -> None:
    camera = {"url": "x.mp4", "parts": {"line": [[0, 0.5], [1, 0.5]]}}
    given = {
        "parts": {"class": "can", "min_frames": 4},
        "cameras": [{"id": "a", "url": "y.mp4"}, {"id": "b", **camera}],
    }
    rules = judgement_rules(Settings.model_validate(given))
    assert rules.defects.part == "can"
    assert rules.parts is not None
    assert (rules.parts.of("a").line[0], rules.parts.of("a").min_frames) == ((0.75, 0.0), 4)
    assert (rules.parts.of("b").line[0], rules.parts.of("b").min_frames) == ((0.0, 0.5), 4)
    assert judgement_rules(Settings()).parts is None


@pytest.mark.parametrize(("per_minute", "step_px"), SPEEDS)
def test_the_box_of_a_cut_off_part_may_end_some_pixels_inside_the_picture(per_minute: float, step_px: float) -> None:
    belt = Belt((), step_px, 0, miss=0.15, jitter_px=2.0, edge_px=7.0, seed=2)
    belt = a_row(30, per_minute, belt)
    due = ["reject" if piece.flaws else "pass" for piece in belt.pieces]
    assert [verdict.verdict for verdict in run(belt.inspections()).verdicts] == due
