"""The report of a run: fractions in JSON, tables and aims."""

from bench.accuracy.event_score import Events
from bench.accuracy.report import AIMS, Accuracy, Speed
from bench.accuracy.verdict_matching import DECISIONS, ScoredPart
from workers.runtimes.manifest import ModelMetrics

BOXES = ModelMetrics(
    images=1, map50=0.9, map50_95=0.7, precision=1, recall=1, map50_by_class={"part": 0.99}, map50_95_by_class={}
)


def parts(decision: str, bad: int, good: int) -> list[ScoredPart]:
    assert decision in DECISIONS
    return [
        ScoredPart("cam", "p", classes, decision, ())
        for classes, number in ((("dent",), bad), ((), good))
        for _ in range(number)
    ]


def accuracy() -> Accuracy:
    slow = Speed(30, [*parts("reject", 10, 0), *parts("pass", 0, 90)], [], {"dent": Events(10, 10, 0)}, BOXES)
    fast = Speed(
        240, [*parts("reject", 9, 2), *parts("pass", 1, 88)], ["reject", "unknown"], {"dent": Events(10, 9, 2)}, BOXES
    )
    return Accuracy([slow, fast], BOXES)


def test_the_json_has_fractions_and_says_which_aims_are_met() -> None:
    document = accuracy().as_json()
    expected = {"parts": 200, "caught": 0.95, "false_rejects": 0.0111, "caught_30": 1.0, "caught_240": 0.9}
    assert {key: document[key] for key in expected} == expected
    assert document["met"] == {"parts": False, "caught": False, "false_rejects": False, "worse_at_speed": False}
    assert document["ghosts"] == {"pass": 0, "reject": 1, "unknown": 1}
    assert document["events"]["dent"] == {"real": 20, "reported": 19, "false": 2, "precision": 0.9048, "recall": 0.95}


def test_every_aim_has_its_figure() -> None:
    assert set(accuracy().figures()) == {aim.key for aim in AIMS}


def test_the_table_has_a_row_for_each_speed_and_one_for_all() -> None:
    rows = next(iter(accuracy().tables().values()))
    assert [row["parts a minute"] for row in rows] == ["30", "240", "all"]
    assert [row["bad: reject"] for row in rows] == [10, 9, 19]
    assert [row["good: reject"] for row in rows] == [0, 2, 2]
