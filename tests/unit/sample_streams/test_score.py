"""Alerts against truth: what is found, missed and false."""

from dataclasses import replace
from datetime import UTC, datetime

from andon.messages import Box, Defect
from sample_streams.score import InspectedSession, Score, score
from sample_streams.truth import ClipTruth, DefectTruth, FrameTruth, Label, PartTruth

N = 100
SESSION = "s"
AT = datetime(2026, 3, 1, tzinfo=UTC)


def clip() -> ClipTruth:
    """A scratch passes in frames 10 to 30, a dent below it on the same part in frames 12 to 32."""
    frames = tuple(FrameTruth(index, tuple(labels_of(index))) for index in range(N))
    defects = (DefectTruth("p0.0", "scratch", 10, 30, "small"), DefectTruth("p0.1", "dent", 12, 32, "large"))
    return ClipTruth(1, 15, 640, 480, N, (PartTruth("p0", "flange", 5, 40, defects),), frames, 60.0, 10.0)


def labels_of(index: int) -> list[Label]:
    x = 10.0 * index
    scratch = Label((x, 100.0, x + 40.0, 120.0), "scratch", "p0", "p0.0", 1.0)
    dent = Label((x, 200.0, x + 40.0, 240.0), "dent", "p0", "p0.1", 1.0)
    return [label for label, first, last in ((scratch, 10, 30), (dent, 12, 32)) if first <= index <= last]


def raised(seq: int, label: str, y: float, name: str = "", dx: float = 0.0, height: float = 20.0) -> Defect:
    """A defect whose best frame is `seq`, drawn at the true place (+ dx) of something at height y."""
    x = 10.0 * (seq % N) + dx
    frame = f"cam/{SESSION}/{seq}"
    name = name or f"{frame}/{label}"
    return Defect(
        event_id=f"{name}/closed",
        defect_id=name,
        transition="closed",
        camera_id="cam",
        session=SESSION,
        label=label,
        severity="major",
        confidence=0.9,
        box=Box(x1=x, y1=y, x2=x + 40.0, y2=y + height),
        first_frame=frame,
        best_frame=frame,
        last_frame=frame,
        frames=5,
        opened_at=AT,
        at=AT,
    )


def scratch(seq: int, name: str = "", dx: float = 0.0) -> Defect:
    return raised(seq, "scratch", 100.0, name, dx)


def dent(seq: int, name: str = "") -> Defect:
    return raised(seq, "dent", 200.0, name, height=40.0)


def watch(last_seq: int, *defects: Defect) -> Score:
    return score({"cam": clip()}, [InspectedSession("cam", SESSION, last_seq)], defects)


def test_both_are_found() -> None:
    assert watch(N - 1, scratch(20), dent(22)) == Score(truth=2, found=2, missed=(), false=())


def test_an_occurrence_without_an_alert_is_missed() -> None:
    result = watch(N - 1, dent(22))
    assert (result.truth, result.found, result.missed) == (2, 1, (f"cam/{SESSION}/10 scratch p0.0",))


def test_each_loop_shows_the_defects_again() -> None:
    assert watch(2 * N - 1, scratch(20), dent(22), scratch(N + 25), dent(N + 25)).found == 4


def test_an_alert_of_one_loop_does_not_find_the_next_loops_defect() -> None:
    assert watch(2 * N - 1, scratch(20), dent(22)).found == 2


def test_a_second_alert_for_the_same_defect_is_false() -> None:
    result = watch(N - 1, scratch(20, "a"), scratch(25, "b", dx=5.0), dent(22))
    assert (result.found, result.false) == (2, ("b",))


def test_a_wrong_label_is_false_and_its_defect_missed() -> None:
    result = watch(N - 1, raised(20, "crack", 100.0, "x"), dent(22))
    assert (result.found, len(result.missed), result.false) == (1, 1, ("x",))


def test_an_alert_without_a_defect_is_false() -> None:
    assert watch(N - 1, scratch(60, "ghost")).false == ("ghost",)
    assert watch(N - 1, raised(20, "scratch", 400.0, "ghost")).false == ("ghost",)


def test_a_box_a_little_off_still_finds_its_defect() -> None:
    assert watch(N - 1, scratch(20, dx=15.0)).found == 1
    assert watch(N - 1, scratch(20, dx=60.0)).found == 0


def test_an_occurrence_that_still_passes_at_the_end_counts_neither_way() -> None:
    assert watch(31, scratch(20), dent(22)) == Score(truth=1, found=1, missed=(), false=())
    assert watch(31, scratch(20)) == Score(truth=1, found=1, missed=(), false=())


def test_an_occurrence_after_the_end_does_not_count() -> None:
    assert watch(5) == Score(truth=0, found=0, missed=(), false=())


def test_of_two_neighbours_of_one_kind_an_alert_matches_the_nearer() -> None:
    truth = clip()
    twins = tuple(
        replace(frame, labels=(*frame.labels, *(twin(label) for label in frame.labels if label.defect_id == "p0.0")))
        for frame in truth.frames
    )
    part = truth.parts[0]
    more = replace(part, defects=(*part.defects, DefectTruth("p0.2", "scratch", 10, 30, "small")))
    truth = replace(truth, frames=twins, parts=(more,))
    left, right = scratch(20, "left"), scratch(20, "right", dx=30.0)
    result = score({"cam": truth}, [InspectedSession("cam", SESSION, N - 1)], [right, left])
    assert (result.found, result.false) == (2, ())


def twin(label: Label) -> Label:
    x1, y1, x2, y2 = label.box
    return replace(label, box=(x1 + 25.0, y1, x2 + 25.0, y2), defect_id="p0.2")


def test_a_new_session_begins_the_clip_anew() -> None:
    sessions = [InspectedSession("cam", SESSION, 40), InspectedSession("cam", "later", 40)]
    result = score({"cam": clip()}, sessions, [scratch(20), dent(22)])
    assert (result.truth, result.found) == (4, 2)
