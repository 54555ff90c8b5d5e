"""The report on a shift: one computation for the page, the API and `andon report`. Pure, but for `read_facts`.

Coverage is the share of a shift that was really inspected. For one camera: the share of the time in which it delivered
frames, times the share of its frames that were inspected and fit for a verdict. For the line: the mean of the cameras
in use. A camera is in use unless it was stopped on purpose for the whole shift.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from sqlalchemy import Connection

from sinks.board.models.shift import (
    CameraReport,
    ClassCounts,
    Downtime,
    FrameAccount,
    HourCounts,
    PartCounts,
    ShiftReport,
    ShiftTime,
)
from sinks.board.queries import shift as queries
from sinks.board.queries.shift import CameraSums, ClassSums, Counts
from sinks.board.queries.standing import CameraStanding, standings
from sinks.board.shifts import Shift
from sinks.judgement.quarters import QUARTER_S
from sinks.judgement.rhythm import SilenceRule
from sinks.judgement.spans import Span, open_span

HEARD_S = 10.0
"""A camera's status is at most this old while its ingester lives: two heartbeats."""
HOUR = timedelta(hours=1)
NO_NEWS = "no news"


@dataclass(frozen=True, slots=True)
class ShiftFacts:
    """What the store knows of a shift. Each sequence is in order."""

    quarters: Sequence[tuple[int, Counts]]
    cameras: Sequence[CameraSums]
    classes: Sequence[ClassSums]
    spans: Sequence[Span]
    standings: Sequence[CameraStanding]


@dataclass(frozen=True, slots=True)
class ReportRules:
    """What of the settings a report needs."""

    line: str
    time_zone: str
    severity: Callable[[str], str]
    silence: Callable[[str], SilenceRule]
    target_yield: float | None = None


def read_facts(connection: Connection, start: datetime, until: datetime, camera: str | None) -> ShiftFacts:
    only = None if camera is None else [camera]
    known = [item for item in standings(connection) if camera in (None, item.camera_id)]
    return ShiftFacts(
        queries.by_quarter(connection, start, until, only),
        queries.by_camera(connection, start, until, only),
        queries.by_class(connection, start, until, only),
        queries.spans(connection, start, until, only),
        known,
    )


def report_of(
    facts: ShiftFacts, shift: Shift, now: datetime, rules: ReportRules, camera: str | None = None
) -> ShiftReport:
    """The report on `shift` at the time `now`."""
    until = max(shift.start, min(shift.end, now))
    running = now < shift.end
    elapsed_s = (until - shift.start).total_seconds()
    cameras = tuple(_cameras(facts, shift.start, until, rules, running=running))
    covered = [item.coverage for item in cameras if item.coverage is not None]
    return ShiftReport(
        line=rules.line,
        shift=ShiftTime(
            name=shift.name,
            day=shift.day,
            start=shift.start,
            end=shift.end,
            until=until,
            running=running,
            time_zone=rules.time_zone,
        ),
        camera=camera,
        generated_at=now,
        target_yield=rules.target_yield,
        counts=_counts(_total(counts for _, counts in facts.quarters)),
        coverage=sum(covered) / len(covered) if covered and elapsed_s else None,
        down_s=sum(item.down_s for item in cameras),
        account=_total_account([item.account for item in cameras]),
        classes=tuple(_classes(facts.classes, rules)),
        hours=tuple(_hours(facts.quarters, shift.start, until)),
        cameras=cameras,
    )


def _cameras(
    facts: ShiftFacts, start: datetime, until: datetime, rules: ReportRules, *, running: bool
) -> Iterator[CameraReport]:
    sums = {item.camera_id: item for item in facts.cameras}
    newest = {item.camera_id: item for item in facts.standings}
    silences: dict[str, list[Span]] = {}
    for span in facts.spans:
        silences.setdefault(span.camera_id, []).append(span)
    for name in sorted(sums.keys() | newest.keys()):
        spans = silences.get(name, [])
        if name in newest and (still := _still(newest[name], until, rules.silence(name))) is not None:
            spans = [*spans, still]
        downtimes = tuple(_clipped(spans, start, until))
        in_flight = sum(item.in_flight for item in facts.standings if item.camera_id == name) if running else None
        report = _camera(sums.get(name) or _nothing(name), downtimes, (until - start).total_seconds(), in_flight)
        if report.coverage is not None or report.counts.parts or report.account.captured:
            yield report


def _camera(sums: CameraSums, downtimes: tuple[Downtime, ...], elapsed_s: float, in_flight: int | None) -> CameraReport:
    down_s = sum(_seconds(item) for item in downtimes if not item.planned)
    stopped_s = sum(_seconds(item) for item in downtimes if item.planned)
    in_use = sums.frames > 0 or stopped_s < elapsed_s
    return CameraReport(
        camera=sums.camera_id,
        counts=_counts(sums.counts),
        defects=sums.defects,
        account=FrameAccount(
            captured=sums.frames + (in_flight or 0),
            inspected=sums.inspected,
            unfit=sums.unfit,
            shed=sums.shed,
            quarantined=sums.quarantined,
            lost=sums.lost,
            in_flight=in_flight,
        ),
        down_s=down_s,
        stopped_s=stopped_s,
        coverage=_coverage(sums, down_s + stopped_s, elapsed_s) if in_use and elapsed_s else None,
        downtimes=downtimes,
    )


def _coverage(sums: CameraSums, silent_s: float, elapsed_s: float) -> float:
    if not sums.frames:
        return 0.0
    in_time = max(0.0, 1 - silent_s / elapsed_s)
    return in_time * max(0, sums.inspected - sums.unfit) / sums.frames


def _still(standing: CameraStanding, until: datetime, rule: SilenceRule) -> Span | None:
    """The silence that lasts, as far as the store knows."""
    span = open_span(standing.delivery, standing.camera_id, until, rule)
    heard_at = standing.status_at
    if span is None or span.reason != "unknown" or (heard_at and until - heard_at <= timedelta(seconds=HEARD_S)):
        return span
    return Span(span.camera_id, span.started_at, None, NO_NEWS, span.watched)


def _clipped(spans: Sequence[Span], start: datetime, until: datetime) -> Iterator[Downtime]:
    """The silences within this time, in order and without overlap."""
    free_from = start
    for span in sorted(spans, key=lambda item: item.started_at):
        begin, end = max(span.started_at, free_from), min(span.ended_at or until, until)
        if begin < end:
            yield Downtime(start=begin, end=end, reason=span.reason, planned=not span.watched)
            free_from = end


def _classes(classes: Sequence[ClassSums], rules: ReportRules) -> Iterator[ClassCounts]:
    by_rejects = any(item.rejects for item in classes)
    weights = [item.rejects if by_rejects else item.defects for item in classes]
    whole = sum(weights) or 1
    for item, weight, so_far in zip(classes, weights, accumulate(weights), strict=True):
        yield ClassCounts(
            label=item.label,
            severity=rules.severity(item.label),
            rejects=item.rejects,
            defects=item.defects,
            share=weight / whole,
            cumulative=so_far / whole,
        )


def _hours(quarters: Sequence[tuple[int, Counts]], start: datetime, until: datetime) -> Iterator[HourCounts]:
    """Each hour of the shift up to now, from its start on; the last one may be shorter."""
    by_number: Mapping[int, Counts] = dict(quarters)
    while start < until:
        end = start + HOUR
        first = int(start.timestamp()) // QUARTER_S
        numbers = range(first, first + int(HOUR.total_seconds()) // QUARTER_S)
        counts = _total(by_number.get(number, Counts()) for number in numbers)
        yield HourCounts(start=start, end=min(end, until), **_fields(counts))
        start = end


def _total(counts: Iterator[Counts]) -> Counts:
    found = list(counts)
    return Counts(
        sum(item.passed for item in found), sum(item.rejected for item in found), sum(item.unknown for item in found)
    )


def _counts(counts: Counts) -> PartCounts:
    return PartCounts.model_validate(_fields(counts))


def _fields(counts: Counts) -> dict[str, int | float | None]:
    numbers = {"passed": counts.passed, "rejected": counts.rejected, "unknown": counts.unknown}
    return {**numbers, "parts": counts.parts, "yield_share": counts.yield_share}


def _total_account(accounts: Sequence[FrameAccount]) -> FrameAccount:
    names = ("captured", "inspected", "unfit", "shed", "quarantined", "lost")
    flights = [item.in_flight for item in accounts if item.in_flight is not None]
    return FrameAccount(
        **{name: sum(getattr(item, name) for item in accounts) for name in names},
        in_flight=sum(flights) if flights else None,
    )


def _nothing(camera: str) -> CameraSums:
    return CameraSums(camera, Counts(), 0, 0, 0, 0, 0, 0)


def _seconds(downtime: Downtime) -> float:
    return (downtime.end - downtime.start).total_seconds()
