"""Shifts in time, and the numbers of one: yield, hours, classes, coverage."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from andon.settings import BoardSettings, DefectClass, ShiftSettings
from sinks.board.queries.shift import CameraSums, ClassSums, Counts
from sinks.board.queries.standing import CameraStanding
from sinks.board.shift_choice import NoSuchShiftError, chosen
from sinks.board.shift_report import NO_NEWS, ReportRules, ShiftFacts, report_of
from sinks.board.shift_table import as_csv
from sinks.board.shifts import Shift, ShiftPlan
from sinks.judgement.quarters import quarter_of
from sinks.judgement.rhythm import SilenceRule
from sinks.judgement.spans import LastDelivery, Span
from sinks.judgement.state import Totals

BERLIN = ZoneInfo("Europe/Berlin")
PLAN = ShiftPlan(
    {
        "early": ShiftSettings(start=time(6), end=time(14), days=("mon", "tue", "wed", "thu", "fri")),
        "late": ShiftSettings(start=time(14), end=time(22), days=("mon", "tue", "wed", "thu", "fri")),
        "night": ShiftSettings(start=time(22), end=time(6)),
    },
    BERLIN,
)


def berlin(*when: int) -> datetime:
    return datetime(*when, tzinfo=BERLIN)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("now", "current", "last"),
    [
        (berlin(2026, 3, 2, 6, 0), ("early", 2), ("night", 1)),
        (berlin(2026, 3, 2, 5, 59), ("night", 1), ("night", 28)),
        (berlin(2026, 3, 3, 2, 0), ("night", 2), ("late", 2)),
        (berlin(2026, 3, 7, 12, 0), None, ("night", 6)),
    ],
)
def test_which_shift_runs_and_which_one_ran_last(
    now: datetime, current: tuple[str, int] | None, last: tuple[str, int]
) -> None:
    running, over = PLAN.current(now), PLAN.last(now)
    assert (running and (running.name, running.day.day)) == current
    assert over is not None
    assert (over.name, over.day.day) == last


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 28), 7), (date(2026, 10, 24), 9), (date(2026, 3, 10), 8)])
def test_a_night_in_which_the_clock_is_set_is_shorter_or_longer(day: date, hours: int) -> None:
    shift = PLAN.on(day, "night")
    assert shift is not None
    assert shift.end - shift.start == timedelta(hours=hours)


def test_a_shift_is_chosen_by_name_and_day_or_refused_in_one_line() -> None:
    now = berlin(2026, 3, 7, 12, 0)  # a Saturday
    assert chosen(PLAN, now, "current", None).name == "night"
    assert chosen(PLAN, now, "early", None).day == date(2026, 3, 6)
    assert chosen(PLAN, now, "late", date(2026, 3, 5)).start == berlin(2026, 3, 5, 14)
    with pytest.raises(NoSuchShiftError, match="early does not begin on Saturday"):
        chosen(PLAN, now, "early", date(2026, 3, 7))
    with pytest.raises(NoSuchShiftError, match="the shifts are: early, late, night"):
        chosen(PLAN, now, "noon", None)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"shifts": {"early": {"start": 360, "end": "14:00"}}}, "in quotes"),
        ({"shifts": {"early": {"start": "06:05", "end": "14:00"}}}, "quarter of an hour"),
        ({"time_zone": "Europe/Atlantis"}, "no time zone"),
        ({"time_zone": "../../etc/passwd"}, "no time zone"),
        ({"shifts": {}}, "at least 1"),
    ],
)
def test_what_is_no_shift_or_zone_is_said(given: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        BoardSettings.model_validate(given)


SHIFT = Shift("early", date(2026, 3, 2), berlin(2026, 3, 2, 6).astimezone(UTC), berlin(2026, 3, 2, 14).astimezone(UTC))
QUARTER = quarter_of(SHIFT.start)
NEVER = LastDelivery()


def rules() -> ReportRules:
    severities = {"crack": DefectClass(severity="critical").severity}
    return ReportRules(
        "press hall",
        "Europe/Berlin",
        lambda label: severities.get(label, "major"),
        lambda _: SilenceRule(3.0, None),
        0.98,
    )


def at(hours: float) -> datetime:
    return SHIFT.start + timedelta(hours=hours)


def standing_until(camera: str, until: datetime) -> CameraStanding:
    """A camera that delivered and was heard of until then."""
    return CameraStanding(camera, LastDelivery(frame_at=until, grew_at=until), until, Totals())


def sums(camera: str, inspected: int = 1000, **others: int) -> CameraSums:
    numbers = {"unfit": 0, "shed": 0, "quarantined": 0, "lost": 0, **others}
    return CameraSums(camera, Counts(90, 8, 2), 9, inspected, **numbers)


def facts(*cameras: CameraSums, spans: tuple[Span, ...] = (), standings: tuple[CameraStanding, ...] = ()) -> ShiftFacts:
    quarters = [(QUARTER, Counts(50, 4, 1)), (QUARTER + 3, Counts(30, 2, 1)), (QUARTER + 4, Counts(10, 2, 0))]
    classes = [ClassSums("scratch", 6, 7), ClassSums("crack", 2, 2)]
    return ShiftFacts(quarters, cameras, classes, spans, standings)


def test_yield_counts_an_unknown_part_as_not_good_and_hours_begin_with_the_shift() -> None:
    report = report_of(facts(sums("press-1")), SHIFT, at(20), rules())
    assert report.counts.model_dump() == {
        "parts": 100, "passed": 90, "rejected": 8, "unknown": 2, "yield_share": 0.9
    }  # fmt: skip
    assert [(hour.parts, hour.passed) for hour in report.hours] == [(88, 80), (12, 10), *[(0, 0)] * 6]
    assert (report.hours[0].start, report.hours[-1].end) == (SHIFT.start, SHIFT.end)
    assert [(item.label, item.severity, item.share, item.cumulative) for item in report.classes] == [
        ("scratch", "major", 0.75, 0.75),
        ("crack", "critical", 0.25, 1.0),
    ]


def test_a_shift_without_parts_has_no_yield_and_one_that_nobody_knows_is_empty() -> None:
    report = report_of(ShiftFacts((), (), (), (), ()), SHIFT, at(20), rules())
    assert (report.counts.yield_share, report.coverage, report.empty) == (None, None, True)


def test_a_shift_that_runs_is_counted_up_to_now() -> None:
    totals = Totals(captured=1010, inspected=1000)
    standing = CameraStanding("press-1", LastDelivery(frame_at=at(2), grew_at=at(2)), at(2), totals)
    report = report_of(facts(sums("press-1"), standings=(standing,)), SHIFT, at(2), rules())
    assert (report.shift.running, report.shift.until, len(report.hours)) == (True, at(2), 2)
    assert (report.account.in_flight, report.account.captured) == (10, 1010)
    assert report_of(facts(sums("press-1")), SHIFT, at(20), rules()).account.in_flight is None


def test_coverage_is_the_time_with_frames_times_the_frames_that_were_really_inspected() -> None:
    down = Span("press-1", at(1), at(3), "offline", True)
    stopped = Span("press-1", at(7), at(9), "stopped", False)
    account = sums("press-1", 900, unfit=100, shed=50, quarantined=30, lost=20)
    report = report_of(facts(account, spans=(down, stopped)), SHIFT, at(20), rules())
    (camera,) = report.cameras
    assert (camera.down_s, camera.stopped_s) == (7200, 3600)
    assert camera.coverage == report.coverage == pytest.approx(5 / 8 * 0.8)
    assert [item.planned for item in camera.downtimes] == [False, True]
    assert camera.account.captured == 1000


def test_a_silence_that_began_before_the_shift_and_one_that_lasts_count_within_it() -> None:
    before = Span("press-1", at(-5), at(1), "offline", True)
    standing = standing_until("press-1", at(6))
    report = report_of(facts(sums("press-1"), spans=(before,), standings=(standing,)), SHIFT, at(20), rules())
    assert report.down_s == 3 * 3600
    assert [item.reason for item in report.cameras[0].downtimes] == ["offline", NO_NEWS]


def test_overlapping_times_count_once() -> None:
    spans = (Span("press-1", at(1), at(3), "offline", True), Span("press-1", at(2), at(4), "stopped", False))
    report = report_of(facts(sums("press-1"), spans=spans), SHIFT, at(20), rules())
    assert (report.cameras[0].down_s, report.cameras[0].stopped_s) == (7200, 3600)


def test_a_camera_that_was_stopped_on_purpose_all_the_time_does_not_count_and_a_dead_one_does() -> None:
    stopped = CameraStanding("old", LastDelivery(frame_at=at(-90), state="stopped"), at(-90), Totals())
    dead = standing_until("dead", at(-1))
    report = report_of(facts(sums("press-1"), standings=(stopped, dead)), SHIFT, at(20), rules())
    assert [item.camera for item in report.cameras] == ["dead", "press-1"]
    assert report.coverage == pytest.approx(0.5)
    assert report.down_s == 8 * 3600


def test_the_table_has_each_number_in_a_row_and_no_formula() -> None:
    given = facts(sums("press-1"))
    spoilt = ShiftFacts(given.quarters, given.cameras, [ClassSums("=HYPERLINK(1)", 1, 1)], (), ())
    lines = as_csv(report_of(spoilt, SHIFT, at(20), rules())).split("\r\n")
    assert lines[0] == "section,name,measure,value"
    assert "parts,all,passed,90" in lines
    assert "camera,press-1,inspected,1000" in lines
    assert f"hour,{SHIFT.start.isoformat()},parts,88" in lines
    assert "class,'=HYPERLINK(1),rejects,1" in lines
