"""Clocks that are wrong, that differ, or that somebody sets: they make no shed frame, no gap and no silence."""

from datetime import UTC, datetime, timedelta

from tests.cases.case import Case, rows
from tests.cases.clocks import Hosts, Line
from tests.fakes import START

HOUR_S = 3600.0
ALL = frozenset({"ingest", "worker", "sink"})
TO_1970_S = (datetime(1970, 1, 1, tzinfo=UTC) - START).total_seconds()
TO_2000_S = (datetime(2000, 1, 1, tzinfo=UTC) - START).total_seconds()
TO_2036_S = (datetime(2036, 2, 7, tzinfo=UTC) - START).total_seconds()


def off(reports: frozenset[str] | None = None, **ahead_s: float) -> Hosts:
    return Hosts(ahead_s, reports=frozenset(ahead_s) if reports is None else reports)


def sets(*steps: tuple[float, str, float], reports: frozenset[str] | None = None) -> Hosts:
    return Hosts(sets=steps, reports=frozenset(name for _, name, _ in steps) if reports is None else reports)


CASES = (
    Case("a worker 5 s ahead sheds no fresh frame", "rosys#422", off(worker=5.0)),
    Case("a worker 5 s behind sheds no fresh frame", "ex_nvr#404", off(worker=-5.0)),
    Case("an ingester 5 s behind has no stale frames", "rosys#422", off(ingest=-5.0)),
    Case("an ingester an hour ahead has no silent camera", "ex_nvr#404", off(ingest=HOUR_S)),
    Case("two hosts that are off in different directions do not add up", "seen by hand", off(ingest=-9.0, worker=9.0)),
    Case("clocks that differ by less than half a second are no news", "seen by hand", off(frozenset(), worker=0.4)),
    Case("a sink an hour ahead sees no silence", "seen by hand", off(sink=HOUR_S)),
    Case("a sink an hour behind dates nothing back", "seen by hand", off(sink=-HOUR_S)),
    Case("a broker 20 s ahead of all hosts ages no frame", "seen by hand", off(ALL, broker=20.0)),
    Case("a broker in 1970 ages no frame", "seen by hand", off(ALL, broker=TO_1970_S)),
    Case("an ingester without a battery clock starts in 1970 and has no gap", "seen by hand", off(ingest=TO_1970_S)),
    Case("an ingester that starts in 2000 has no gap", "seen by hand", off(ingest=TO_2000_S)),
    Case("an ingester that starts in 2036 has no gap", "seen by hand", off(ingest=TO_2036_S)),
    Case("a worker in 2036 sheds no fresh frame", "seen by hand", off(worker=TO_2036_S)),
    Case(
        "an ingester in 1970 that finds the time before it finds the broker has no gap",
        "seen by hand",
        Hosts({"ingest": TO_1970_S}, sets=[(6.0, "ingest", -TO_1970_S)], broker_from_s=10.0),
    ),
    Case(
        "an ingester in 2036 that finds the broker before it finds the time has no gap",
        "seen by hand",
        Hosts(
            {"ingest": TO_2036_S},
            sets=[(15.0, "ingest", -TO_2036_S)],
            broker_from_s=10.0,
            reports=frozenset({"ingest"}),
        ),
    ),
    Case("NTP sets an ingester forward by a minute and makes no gap", "seen by hand", sets((10.05, "ingest", 60.0))),
    Case("summer time set by hand, an hour forward, makes no gap", "seen by hand", sets((10.0, "ingest", HOUR_S))),
    Case("an ingester set back by an hour makes no gap", "seen by hand", sets((10.0, "ingest", -HOUR_S))),
    Case("a worker set forward by an hour sheds nothing", "seen by hand", sets((10.0, "worker", HOUR_S))),
    Case("a sink set forward by ten years sees no silence", "seen by hand", sets((10.0, "sink", TO_2036_S))),
    Case(
        "a clock that is set again and again makes no gap",
        "seen by hand",
        sets(*((10.0 + 3 * number, "ingest", 7.0 * (-1) ** number) for number in range(5))),
    ),
    Case("a broker set forward sheds nothing", "seen by hand", sets((10.0, "broker", 20.0), reports=ALL)),
    Case("a broker set back sheds nothing", "seen by hand", sets((10.0, "broker", -20.0), reports=ALL)),
)


@rows(CASES)
def test_clocks(given: Hosts) -> None:
    line = Line(given)
    line.run(30.0)
    assert line.stale == 0
    assert line.reported() == given.reports
    assert all(line.steps(name) for _, name, _ in given.sets if name != "broker")
    if "broker" not in {name for _, name, _ in given.sets}:
        assert line.spans == []
        assert line.silence() is None
    elif line.spans:
        (span,) = line.spans
        assert span.ended_at is not None
        assert (span.ended_at - span.started_at).total_seconds() < 21
    assert len(line.inspections) == len(line.captured)


@rows([case for case in CASES if not {"broker"} & {*case.given.ahead_s, *(name for _, name, _ in case.given.sets)}])
def test_captured_at_is_right_or_says_that_it_may_be_wrong(given: Hosts) -> None:
    line = Line(given)
    line.run(30.0)
    for inspection, true in zip(line.inspections, line.captured, strict=True):
        error = abs(inspection.captured_at - true)
        assert error < timedelta(seconds=0.6) or inspection.clock_offset_s is None
    wrong = [item for item in line.inspections if item.clock_offset_s is None]
    assert len(wrong) <= 1, "only what was sent before the broker's first answer"
