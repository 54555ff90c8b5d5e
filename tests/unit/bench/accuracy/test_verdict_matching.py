"""Verdicts against parts: the right one on each, and what is counted."""

from datetime import UTC, datetime

import pytest

from andon.messages import Box, PartDefect, PartOutcome, PartVerdict
from bench.accuracy.line_clips import specs
from bench.accuracy.verdict_matching import Judged, confusion, match
from sample_streams.truth import ClipTruth, clip_truth

AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module", params=[30, 240])
def truth(request: pytest.FixtureRequest) -> ClipTruth:
    return clip_truth(next(spec for speed, spec in specs(12).values() if speed == request.param))


def ways(truth: ClipTruth) -> list[tuple[int, int]]:
    """Of each part, the first frame that shows it and the first with its centre beyond three quarters."""
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


def test_each_verdict_is_on_the_part_that_was_there_then(truth: ClipTruth) -> None:
    bad = next(number for number, part in enumerate(truth.parts) if part.defects)
    label = truth.parts[bad].defects[0].defect_class
    told = [
        verdict(first + 1, last, "reject" if number == bad else "pass", label if number == bad else "")
        for number, (first, last) in enumerate(ways(truth))
    ]
    parts = match("cam", truth, told[::-1]).parts
    assert [part.given for part in parts] == ["reject" if number == bad else "pass" for number in range(len(parts))]
    assert parts[bad].named == (label,)
    assert parts[bad].bad


def test_a_verdict_that_is_missing_leaves_its_own_part_without_one(truth: ClipTruth) -> None:
    told = [verdict(first, last) for number, (first, last) in enumerate(ways(truth)) if number != 4]
    matched = match("cam", truth, told)
    assert [number for number, part in enumerate(matched.parts) if part.given == "none"] == [4]
    assert matched.ghosts == ()


def test_a_second_verdict_on_a_part_is_a_ghost(truth: ClipTruth) -> None:
    told = [verdict(first, last) for first, last in ways(truth)]
    first, last = ways(truth)[3]
    again = verdict(first + 1, last + 1, "reject")
    matched = match("cam", truth, [*told, again])
    assert [ghost.part_id for ghost in matched.ghosts] == [again.part_id]


def test_no_verdict_at_all_is_none_for_every_part(truth: ClipTruth) -> None:
    assert {part.given for part in match("cam", truth, []).parts} == {"none"}


def part(given: str, *classes: str) -> Judged:
    return Judged("cam", "p", classes, given, ())  # type: ignore[arg-type]  # one of GIVEN


def test_only_a_reject_catches_a_bad_part() -> None:
    found = confusion([part(given, "dent") for given in ("reject", "pass", "unknown", "none")])
    assert found.caught == 0.25
    assert found.undecided == 0.5
    assert found.parts == 4


def test_only_a_reject_is_a_false_reject() -> None:
    found = confusion([part(given) for given in ("reject", "pass", "unknown", "none")])
    assert found.false_rejects == 0.25
    assert found.good == {"reject": 1, "pass": 1, "unknown": 1, "none": 1}
