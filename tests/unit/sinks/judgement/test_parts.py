"""Each part has one verdict, at any speed; no result is never a pass."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.messages import Box, Detection, Inspection, PartVerdict, Shed
from andon.settings import CameraPartSettings, DefectSettings, Settings
from sinks.judgement.rules import DefectRules, Policy
from sinks.judgement.snapshot import snapshot
from sinks.judgement.state import from_bytes, to_bytes
from sinks.judgement.step import AccountMessage
from sinks.role import policy_of
from tests.fakes import START
from tests.unit.sinks.judgement.belt import Belt, Flaw, Piece, a_row, policy
from tests.unit.sinks.judgement.frames import POLICY, Stepped, crossing, inspected, seen, shed, status

SPEEDS = ((30, 10.0), (60, 16.0), (120, 35.0), (240, 55.0), (240, 70.0), (240, 90.0))
"""Parts a minute, and pixels a frame, of pictures that are 640 px wide."""
GOOD = Piece(-120)
BAD = Piece(-120, (Flaw(),))


def told(records: Iterable[AccountMessage], rules: Policy | None = None) -> Stepped:
    return Stepped().take(list(records), rules or policy())


def outcomes(stepped: Stepped) -> list[tuple[str, str | None]]:
    return [(part.verdict, part.reason) for part in stepped.verdicts]


def passing(*pieces: Piece, step_px: float = 40.0, **belt: object) -> list[Inspection]:
    """The frames of these parts from left to right, until the last one has left."""
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
    stepped = told(belt.inspections())
    due = ["reject" if piece.flaws else "pass" for piece in belt.pieces]
    assert [verdict.verdict for verdict in stepped.verdicts] == due
    assert [len(verdict.defects) for verdict in stepped.verdicts if verdict.verdict == "reject"] == [
        len(piece.flaws) for piece in belt.pieces if piece.flaws
    ]


@pytest.mark.parametrize("step_px", [55.0, 90.0])
@pytest.mark.parametrize("seed", range(5))
def test_defects_of_one_class_side_by_side_are_told_apart_at_speed(step_px: float, seed: int) -> None:
    flaws = tuple(Flaw(x, y) for x, y in ((0.2, 0.3), (0.45, 0.3), (0.7, 0.35), (0.4, 0.7)))
    pieces = (Piece(-120, flaws), Piece(-120 - step_px * 3.75, flaws))
    stepped = told(passing(*pieces, step_px=step_px, jitter_px=2.0, seed=seed))
    assert [len(verdict.defects) for verdict in stepped.verdicts] == [4, 4]
    assert Counter(event.transition for event in stepped.events)["opened"] == 8


@pytest.mark.parametrize(("slow_px", "fast_px"), [(10.0, 40.0), (10.0, 90.0), (0.0, 60.0), (0.0, 90.0)])
def test_a_belt_that_stops_starts_and_changes_its_speed_loses_no_part(slow_px: float, fast_px: float) -> None:
    draw = random.Random(4)
    pieces = tuple(Piece(-120 - 340 * n, (Flaw(draw.uniform(0.2, 0.8)),) if n % 3 == 0 else ()) for n in range(9))
    ways = [0.0]
    while ways[-1] < 340 * 9 + 900:
        ways.append(ways[-1] + (slow_px if len(ways) // 25 % 2 else fast_px))
    belt = Belt(pieces, 0.0, len(ways), jitter_px=2.0, way=ways.__getitem__)
    stepped = told(belt.inspections())
    assert [verdict.verdict for verdict in stepped.verdicts] == ["reject", "pass", "pass"] * 3


# ---- what a verdict says


def test_a_rejected_part_names_its_defect_where_it_is_and_what_shows_it() -> None:
    stepped = told(passing(replace(BAD, flaws=(Flaw(0.25, 0.8),)), step_px=20.0))
    (part,) = stepped.verdicts
    (defect,) = part.defects
    opened = stepped.events[0]
    assert (part.verdict, part.reason, part.label) == ("reject", None, "part")
    assert part.event_id == f"{part.part_id}/verdict"
    assert part.part_id == f"{part.first_frame}/part-1"
    assert (defect.defect_id, defect.label, defect.severity) == (opened.defect_id, "scratch", "major")
    assert defect.evidence == opened.evidence
    assert defect.x == pytest.approx(0.25, abs=0.03)
    assert defect.y == pytest.approx(0.8, abs=0.03)
    assert {event.part_id for event in stepped.events} == {part.part_id}


def test_a_verdict_is_given_on_the_frame_after_the_crossing_which_it_times() -> None:
    (part,) = told(passing(GOOD, step_px=50.0)).verdicts
    at_s = (480 + 120) / 50.0 / 15.0  # its centre on the line, 3/4 of 640 px
    assert part.crossed_at is not None
    assert (part.crossed_at - START).total_seconds() == pytest.approx(at_s, abs=0.01)
    assert (part.at - START).total_seconds() == pytest.approx(12 / 15, abs=0.001)
    assert (part.verdict, part.last_frame) == ("pass", "press-1/s1/12")


def test_the_parts_class_is_never_a_defect() -> None:
    stepped = told(passing(GOOD))
    assert outcomes(stepped) == [("pass", None)]
    assert (stepped.events, stepped.orders) == ([], [])


def test_defects_beside_a_part_are_not_the_parts() -> None:
    beside = Detection(label="stain", confidence=0.9, box=Box(x1=300, y1=440, x2=320, y2=460))
    frames = [
        record.model_copy(update={"detections": (*record.detections, beside)}) for record in passing(GOOD, step_px=40.0)
    ]
    stepped = told(frames)
    assert outcomes(stepped) == [("pass", None)]
    assert [(event.transition, event.part_id) for event in stepped.events] == [("opened", None)]


# ---- no result is never a pass


def test_a_part_of_which_too_few_frames_were_inspected_is_unknown() -> None:
    frames = passing(GOOD, step_px=60.0)
    kept = {2, 3, 6, 10, 11, 12, 13, 14}  # whole in two of them before the line
    lost, quarantined = [seq for seq in range(len(frames)) if seq not in kept], {"outcome": "quarantined"}
    assert outcomes(told(frames)) == [("pass", None)]
    assert outcomes(told(without(frames, lost))) == [("unknown", "too_few_frames")]
    poor = changed(frames, lost, detections=(), reason="undecodable", **quarantined)
    assert outcomes(told(poor)) == [("unknown", "too_few_frames")]
    dark = changed(frames, set(range(15)) - kept, health="dark")
    assert outcomes(told(dark)) == [("unknown", "too_few_frames")]


def test_a_confirmed_defect_rejects_however_few_frames_there_were() -> None:
    frames = passing(BAD, step_px=60.0)
    assert outcomes(told(frames, policy(min_frames=50))) == [("reject", None)]
    assert outcomes(told(passing(GOOD, step_px=60.0), policy(min_frames=50))) == [("unknown", "too_few_frames")]


def test_a_part_that_vanishes_before_the_line_is_unknown() -> None:
    frames = passing(GOOD, step_px=20.0)
    emptied = changed(frames, range(20, 60), detections=())
    (part,) = told(emptied).verdicts
    assert (part.verdict, part.reason, part.crossed_at) == ("unknown", "vanished", None)
    bad = told(changed(passing(BAD, step_px=20.0), range(20, 60), detections=()))
    assert outcomes(bad) == [("reject", None)]


@pytest.mark.parametrize("final", [True, False])
def test_a_part_in_view_when_the_session_ends_is_unknown(final: bool) -> None:
    frames: list[AccountMessage] = list(passing(GOOD, step_px=20.0)[:20])
    last = status(20, final=True) if final else inspected(0, session="s2", late_s=9.0)
    (part,) = told([*frames, last]).verdicts
    assert (part.verdict, part.reason, part.session, part.last_frame) == (
        "unknown",
        "session_ended",
        "s1",
        "press-1/s1/19",
    )


def test_a_part_that_crossed_the_line_in_frames_that_are_lost_for_good_is_unknown() -> None:
    frames = passing(GOOD, step_px=40.0)
    assert outcomes(told(without(frames, range(12, 24)))) == [("unknown", "vanished")]
    assert outcomes(told(without(frames, range(12, 17)))) == [("pass", None)]  # seen again, beyond the line


def test_frames_that_were_shed_do_not_age_a_part() -> None:
    frames = passing(BAD, step_px=15.0)
    given_up = Shed(camera_id="press-1", session="s1", first_seq=20, last_seq=34, reason="mailbox_full", at=START)
    stepped = told([*frames[:20], given_up, *frames[35:]])
    assert outcomes(stepped) == [("reject", None)]
    assert len({event.defect_id for event in stepped.events}) == 1


# ---- what is a part, and what is not


def test_what_shows_in_one_or_two_frames_is_noise() -> None:
    empty = [inspected(seq) for seq in range(40)]
    ghost = Detection(label="part", confidence=0.9, box=Box(x1=200, y1=100, x2=380, y2=260))
    for numbers in ({9}, {9, 10}):
        assert told(changed(empty, numbers, detections=(ghost,))).verdicts == []
    assert outcomes(told(changed(empty, {9, 10, 11}, detections=(ghost,)))) == [("unknown", "vanished")]


def test_what_shows_in_one_frame_beside_missing_ones_may_have_been_a_part() -> None:
    frames = passing(GOOD, step_px=60.0)
    kept = without(frames, [*range(1, 6), *range(7, 30)])
    later = [inspected(seq) for seq in range(31, 60)]
    assert outcomes(told([*kept, *later])) == [("unknown", "vanished")]


def test_a_part_that_stands_on_the_line_and_shakes_has_one_verdict() -> None:
    ways = (
        [40.0 * n for n in range(15)]
        + [600.0 + 6.0 * (-1) ** n for n in range(60)]
        + [600.0 + 40 * n for n in range(12)]
    )
    stepped = told(Belt((GOOD,), 0.0, len(ways), jitter_px=2.0, way=ways.__getitem__).inspections())
    assert outcomes(stepped) == [("pass", None)]


def test_a_part_that_stands_while_the_model_looks_away_has_one_verdict() -> None:
    ways = [40.0 * n for n in range(16)] + [600.0] * 40 + [600.0 + 40 * n for n in range(12)]
    frames = list(Belt((GOOD,), 0.0, len(ways), way=ways.__getitem__).inspections())
    assert outcomes(told(changed(frames, range(25, 40), detections=()))) == [("pass", None)]


@pytest.mark.parametrize("step_px", [8.0, 30.0, 70.0])
def test_parts_that_touch_are_told_apart(step_px: float) -> None:
    pieces = (Piece(-120, (Flaw(),)), Piece(-301), Piece(-482, (Flaw(0.9),)), Piece(-663))
    stepped = told(passing(*pieces, step_px=step_px, jitter_px=1.5))
    assert [part.verdict for part in stepped.verdicts] == ["reject", "pass", "reject", "pass"]


def test_parts_side_by_side_are_told_apart() -> None:
    pieces = (Piece(-120, (Flaw(),), 110), Piece(-130, (), 370))
    assert Counter(part.verdict for part in told(passing(*pieces)).verdicts) == {"reject": 1, "pass": 1}


def test_two_boxes_on_one_part_are_one_part() -> None:
    frames = passing(GOOD)
    doubled = [
        record.model_copy(update={"detections": tuple(_twice(item) for item in record.detections for _ in range(2))})
        for record in frames
    ]
    assert outcomes(told(doubled)) == [("pass", None)]


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
    assert outcomes(told(frames, policy(line=line))) == [("pass", None), ("reject", None)]


def test_a_line_too_near_to_where_parts_come_in_makes_them_unknown() -> None:
    frames = passing(GOOD, turned=_mirrored, step_px=60.0)
    assert outcomes(told(frames)) == [("unknown", "too_few_frames")]


def test_a_part_that_is_beyond_the_line_when_the_session_begins_has_no_verdict() -> None:
    frames = passing(replace(GOOD, at_px=510), replace(GOOD, at_px=250), step_px=15.0, frames=30)
    stepped = told(frames)
    assert outcomes(stepped) == [("pass", None)]
    assert stepped.verdicts[0].last_frame == "press-1/s1/16"


def test_a_part_that_is_first_seen_beyond_the_line_later_on_is_unknown() -> None:
    frames = passing(GOOD, step_px=20.0)
    blind = changed(frames, range(31), detections=())
    assert outcomes(told(blind)) == [("unknown", "not_seen_at_line")]


def test_what_flickers_where_parts_leave_is_no_new_part() -> None:
    frames = passing(GOOD, step_px=8.0)
    hidden = changed(frames, [seq for seq in range(85, len(frames)) if seq % 30 < 25], detections=())
    assert outcomes(told(hidden)) == [("pass", None)]


# ---- what may be a defect, at the line


def _with_scratch(frames: Sequence[Inspection], numbers: Iterable[int]) -> list[Inspection]:
    """The same scratch in the middle of the only part in these frames."""
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


def test_a_part_waits_at_the_line_while_something_on_it_may_yet_be_confirmed() -> None:
    frames = passing(GOOD, step_px=20.0)  # on the line in frame 30, whole until 33
    stepped = told(_with_scratch(frames, range(29, 33)))
    (part,) = stepped.verdicts
    assert (part.verdict, part.last_frame) == ("reject", "press-1/s1/32")
    assert part.crossed_at is not None
    assert part.crossed_at < part.at


def test_a_verdict_that_is_given_stands() -> None:
    stepped = told(_with_scratch(passing(GOOD, step_px=10.0), range(63, 68)))
    assert outcomes(stepped) == [("pass", None)]
    assert [event.part_id for event in stepped.events] == [stepped.verdicts[0].part_id] * len(stepped.events) != []


def test_what_was_seen_once_among_many_frames_is_nothing() -> None:
    assert outcomes(told(_with_scratch(passing(GOOD, step_px=20.0), [20]))) == [("pass", None)]


def test_what_was_seen_too_often_to_be_nothing_and_too_seldom_to_be_a_defect_makes_it_unknown() -> None:
    stepped = told(_with_scratch(passing(GOOD, step_px=20.0), [14, 17, 20]))
    assert outcomes(stepped) == [("unknown", "unconfirmed_defect")]
    assert stepped.events == []


def test_a_part_in_view_for_few_frames_is_judged_by_the_same_share_of_them() -> None:
    """4 of 8 are 3 of 5; the defect is raised before the verdict that names it."""
    stepped = told(_with_scratch(passing(GOOD, step_px=150.0), [2, 3, 4]))
    (part,) = stepped.verdicts
    assert (part.verdict, len(part.defects)) == ("reject", 1)
    assert [event.transition for event in stepped.events] == ["opened", "closed"]
    assert stepped.events[0].at == part.at
    assert stepped.orders[0].defect.part_id == part.part_id


# ---- settings


def test_a_camera_may_have_a_line_and_a_least_number_of_frames_of_its_own() -> None:
    frames = passing(GOOD, step_px=40.0)
    own = CameraPartSettings(line=((0.5, 0.0), (0.5, 1.0)))
    assert told(frames, policy(own=own)).verdicts[0].last_frame == "press-1/s1/11"
    assert told(frames, policy()).verdicts[0].last_frame == "press-1/s1/15"
    assert outcomes(told(frames, policy(own=CameraPartSettings(min_frames=30)))) == [("unknown", "too_few_frames")]


def test_an_unsure_part_is_none() -> None:
    assert told(passing(GOOD), policy(min_confidence=0.95)).verdicts == []


def test_live_state_counts_the_verdicts() -> None:
    stepped = told(passing(GOOD, replace(BAD, at_px=-400)))
    assert snapshot(stepped.camera).parts == {"pass": 1, "reject": 1, "unknown": 0}
    assert snapshot(told(crossing(range(9)), POLICY).camera).parts is None


def test_without_parts_nothing_of_them_is_said_or_stored() -> None:
    stepped = told(passing(BAD), POLICY)
    assert stepped.verdicts == []
    assert b'"parts"' not in to_bytes(stepped.camera.state)
    assert {event.label for event in stepped.events} == {"part", "scratch"}
    assert {event.part_id for event in stepped.events} == {None}


# ---- the state is a function of the log

PARTS = policy()
ROW = list(
    replace(
        a_row(6, 240, Belt((), 60.0, 0, miss=0.2, miss_part=0.05, jitter_px=2.0, seed=9), flaw_share=0.6), fps=15.0
    ).inspections()
)
ALL_BAD = list(Belt(tuple(replace(BAD, at_px=-120 - 240 * n) for n in range(6)), 60.0, len(ROW)).inspections())
LOG: list[AccountMessage] = [*ROW, status(len(ROW), final=True, at_s=60.0)]


def everything(stepped: Stepped) -> tuple[object, ...]:
    return stepped.verdicts, stepped.events, stepped.orders, to_bytes(stepped.camera.state)


def test_the_row_of_these_tests_holds_what_they_are_about() -> None:
    assert Counter(part.verdict for part in told(LOG).verdicts) == {"pass": 1, "reject": 5}


def test_a_crash_between_any_two_records_changes_no_verdict() -> None:
    crashed = Stepped().take(LOG, PARTS, stored_between=True)
    assert everything(crashed) == everything(told(LOG))
    assert from_bytes(to_bytes(crashed.camera.state)) == crashed.camera.state


@given(st.integers(0, len(LOG)), st.integers(0, len(LOG)), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_what_is_delivered_again_changes_no_verdict(first: int, last: int, times: int) -> None:
    again = LOG[:last] + LOG[min(first, last) : last] * times + LOG[last:]
    assert told(again).verdicts == told(LOG).verdicts


@given(st.sets(st.integers(0, len(ROW) - 1)), st.sets(st.integers(0, len(ROW) - 1)), st.booleans())
@settings(max_examples=150, deadline=None)
def test_whatever_frames_are_missing_no_part_has_two_verdicts_and_no_bad_one_passes(
    lost: set[int], given_up: set[int], final: bool
) -> None:
    """All parts are bad here, and each frame that is inspected shows it."""
    kept = without(ALL_BAD, lost | given_up)
    records: list[AccountMessage] = sorted([*kept, *(shed(seq, seq) for seq in given_up)], key=_number)
    stepped = told([*records, *([status(len(ROW), final=True, at_s=60.0)] if final else [])])
    ids = [part.part_id for part in stepped.verdicts]
    assert len(set(ids)) == len(ids)
    assert len(ids) <= 6
    for part in stepped.verdicts:
        assert part.verdict != "pass"
        assert (part.verdict == "reject") == bool(part.defects)


def _number(record: AccountMessage) -> int:
    return record.seq if isinstance(record, Inspection) else record.first_seq if isinstance(record, Shed) else 0


boxes = st.tuples(*(st.floats(allow_nan=False, allow_infinity=False) for _ in range(4)))


@given(st.lists(st.tuples(boxes, st.sampled_from(["part", "dent"]), st.integers(0, 60)), max_size=14))
@settings(max_examples=150, deadline=None)
def test_whatever_a_detector_says_the_state_can_be_stored(
    records: list[tuple[tuple[float, ...], str, int]],
) -> None:
    stepped = Stepped()
    for (x1, y1, x2, y2), label, seq in records:
        strange = Detection(label=label, confidence=0.9, box=Box(x1=x1, y1=y1, x2=x2, y2=y2))
        wild = Detection(label=label, confidence=0.8, box=Box(x1=x1 % 600, y1=y1 % 400, x2=700, y2=500))
        plain = seen(abs(x2) % 600, label="part")
        stepped.take([inspected(seq, strange, wild, plain)], PARTS)
        assert from_bytes(to_bytes(stepped.camera.state)) == stepped.camera.state
    assert all(isinstance(part, PartVerdict) for part in stepped.verdicts)


def test_the_state_stays_small_however_many_parts_have_passed() -> None:
    belt = a_row(120, 240, Belt((), 60.0, 0, jitter_px=1.0, seed=3))
    assert len(to_bytes(told(belt.inspections()).camera.state)) < 6_000


def test_the_defect_settings_decide_on_parts_too() -> None:
    rules = policy(DefectSettings(confirm_frames=1, confirm_window=1))
    assert outcomes(told(_with_scratch(passing(GOOD, step_px=20.0), [20]), rules)) == [("reject", None)]
    assert DefectRules(DefectSettings(), "evidence").part is None


def test_dirt_on_the_lens_is_no_parts_defect() -> None:
    """It stands where it is while parts pass below it, and is raised once, as what it is."""
    dirt = Detection(label="stain", confidence=0.9, box=Box(x1=300, y1=230, x2=320, y2=250))
    frames = passing(GOOD, replace(GOOD, at_px=-360), replace(GOOD, at_px=-600), step_px=40.0)
    stepped = told([record.model_copy(update={"detections": (*record.detections, dirt)}) for record in frames])
    assert [part.verdict for part in stepped.verdicts] == ["pass", "pass", "pass"]
    assert [(event.transition, event.part_id) for event in stepped.events] == [("opened", None)]


@pytest.mark.parametrize("seed", range(6))
def test_a_third_of_the_frames_missing_at_full_speed_costs_no_part_its_verdict(seed: int) -> None:
    draw = random.Random(seed)
    pieces = tuple(replace(BAD, at_px=-120 - 240 * n) for n in range(12))
    frames = list(Belt(pieces, 60.0, 70, jitter_px=1.0, seed=seed).inspections())
    stepped = told(without(frames, {seq for seq in range(70) if draw.random() < 0.33}))
    assert Counter(part.verdict for part in stepped.verdicts)["reject"] >= 11
    assert len(stepped.verdicts) == 12


def test_a_wrong_guess_of_the_belts_speed_is_mended_by_the_parts_that_come() -> None:
    """Alike in all, and every other frame missing: they might as well go back. Then each frame comes."""
    frames = list(Belt(tuple(replace(GOOD, at_px=-120 - 240 * n) for n in range(12)), 60.0, 70).inspections())
    stepped = told(without(frames, {0, 2, 4, 5, 7, 9}))
    assert outcomes(stepped)[-8:] == [("pass", None)] * 8


def test_line_yaml_says_whose_parts_are_judged_where() -> None:
    camera = {"url": "x.mp4", "parts": {"line": [[0, 0.5], [1, 0.5]]}}
    given = {
        "parts": {"class": "can", "min_frames": 4},
        "cameras": [{"id": "a", "url": "y.mp4"}, {"id": "b", **camera}],
    }
    rules = policy_of(Settings.model_validate(given))
    assert rules.defects.part == "can"
    assert rules.parts is not None
    assert (rules.parts.of("a").line[0], rules.parts.of("a").min_frames) == ((0.75, 0.0), 4)
    assert (rules.parts.of("b").line[0], rules.parts.of("b").min_frames) == ((0.0, 0.5), 4)
    assert policy_of(Settings()).parts is None


@pytest.mark.parametrize(("per_minute", "step_px"), SPEEDS)
def test_what_the_picture_cuts_off_need_not_end_at_its_very_edge(per_minute: float, step_px: float) -> None:
    belt = Belt((), step_px, 0, miss=0.15, jitter_px=2.0, edge_px=7.0, seed=2)
    belt = a_row(30, per_minute, belt)
    due = ["reject" if piece.flaws else "pass" for piece in belt.pieces]
    assert [verdict.verdict for verdict in told(belt.inspections()).verdicts] == due
