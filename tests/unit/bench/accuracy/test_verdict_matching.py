"""Each verdict is matched with its part, and the confusion matrix counts parts."""

from datetime import UTC, datetime

import pytest

from andon.messages import Box, PartDefect, PartOutcome, PartVerdict
from bench.accuracy.line_clips import specs
from bench.accuracy.verdict_matching import ScoredPart, confusion, match
from sample_streams.truth import ClipTruth, clip_truth

AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module", params=[30, 240])
def truth(request: pytest.FixtureRequest) -> ClipTruth:
    return clip_truth(next(spec for speed, spec in specs(12).values() if speed == request.param))


def ways(truth: ClipTruth) -> list[tuple[int, int]]:
    """For each part, the first frame that shows it and the first with its centre beyond three quarters."""
    spans: dict[str, tuple[int, int]] = {}
    for frame in truth.frames:
        for part in frame.parts:
            first, last = spans.get(part.part_id, (frame.index, -1))
            beyond = (part.box[0] + part.box[2]) / 2 >= 0.75 * truth.width_px
            spans[part.part_id] = (first, frame.index if beyond and last < 0 else last)
    return [spans[part.part_id] for part in truth.parts]


def verdict(first: int, last: int, given: PartOutcome = "pass", label: str = "") -> PartVerdict:
    frame = f"cam/s/{first}"
    box = Box(x1=0, y1=0, x2=9, y2=9)
    defect = PartDefect(
        defect_id="d", label=label, severity="major", confidence=0.9, x=0.5, y=0.5, box=box, best_frame=frame
    )
    return PartVerdict(
        event_id=f"{frame}/part/0/verdict",
        part_id=f"{frame}/part/0",
        verdict=given,
        reason="too_few_frames" if given == "unknown" else None,
        camera_id="cam",
        session="s",
        label="part",
        defects=(defect,) if label else (),
        first_frame=frame,
        last_frame=f"cam/s/{last}",
        frames=last - first,
        at=AT,
    )


def test_a_verdict_belongs_to_the_part_that_was_in_view_at_its_time(truth: ClipTruth) -> None:
    bad = next(number for number, part in enumerate(truth.parts) if part.defects)
    label = truth.parts[bad].defects[0].defect_class
    verdicts = [
        verdict(first + 1, last, "reject" if number == bad else "pass", label if number == bad else "")
        for number, (first, last) in enumerate(ways(truth))
    ]
    parts = match("cam", truth, verdicts[::-1]).parts
    assert [part.decision for part in parts] == ["reject" if number == bad else "pass" for number in range(len(parts))]
    assert parts[bad].named_classes == (label,)
    assert parts[bad].bad


def test_a_missing_verdict_leaves_only_its_own_part_without_one(truth: ClipTruth) -> None:
    verdicts = [verdict(first, last) for number, (first, last) in enumerate(ways(truth)) if number != 4]
    matched = match("cam", truth, verdicts)
    assert [number for number, part in enumerate(matched.parts) if part.decision == "none"] == [4]
    assert matched.ghosts == ()


def test_a_second_verdict_on_a_part_is_a_ghost(truth: ClipTruth) -> None:
    verdicts = [verdict(first, last) for first, last in ways(truth)]
    first, last = ways(truth)[3]
    again = verdict(first + 1, last + 1, "reject")
    matched = match("cam", truth, [*verdicts, again])
    assert [ghost.part_id for ghost in matched.ghosts] == [again.part_id]


def test_without_verdicts_every_part_is_decided_none(truth: ClipTruth) -> None:
    assert {part.decision for part in match("cam", truth, []).parts} == {"none"}


def part(decision: str, *classes: str) -> ScoredPart:
    return ScoredPart("cam", "p", classes, decision, ())  # type: ignore[arg-type]  # one of DECISIONS


def test_only_a_reject_catches_a_bad_part() -> None:
    matrix = confusion([part(decision, "dent") for decision in ("reject", "pass", "unknown", "none")])
    assert matrix.caught == 0.25
    assert matrix.undecided == 0.5
    assert matrix.parts == 4


def test_only_a_reject_is_a_false_reject() -> None:
    matrix = confusion([part(decision) for decision in ("reject", "pass", "unknown", "none")])
    assert matrix.false_rejects == 0.25
    assert matrix.good == {"reject": 1, "pass": 1, "unknown": 1, "none": 1}
