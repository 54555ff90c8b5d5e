"""A record goes through the stages of judgement once each, in the order that verdicts need."""

import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import pytest

import sinks.judgement
from andon.messages import Inspection
from sinks.judgement.rules import JudgementRules
from sinks.judgement.step import AccountMessage, step
from tests.unit.sinks.judgement.belt import Belt, Flaw, Piece, a_row, part_rules
from tests.unit.sinks.judgement.frames import DEFECT_RULES, Steps, crossing, status

FOLDER = str(Path(sinks.judgement.__file__).parent)
STAGES = {"sessions", "spans", "part_scene", "parts", "part_tracks", "tracker", "defects", "places"}
SCENE = "PartScene"
"""The class that is a stage; methods of other classes belong to data."""
ROW = list(a_row(12, 240, Belt((), 60.0, 0, miss=0.2, jitter_px=2.0, seed=3), flaw_share=0.6).inspections())


class Entries:
    """Counts the calls that enter a stage from another module of judgement, by the function that is called."""

    def __init__(self) -> None:
        self.functions: Counter[str] = Counter()

    def step(self, steps: Steps, message: AccountMessage, rules: JudgementRules) -> None:
        sys.setprofile(self._profile)
        try:
            step(steps.camera, message, rules)
        finally:
            sys.setprofile(None)

    def _profile(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or frame.f_back is None:
            return
        callee, caller = _module(frame), _module(frame.f_back)
        name = frame.f_code.co_qualname
        of_stage = "<" not in name and ("." not in name or name.split(".")[0] == SCENE)
        if callee in STAGES and caller not in (None, callee) and of_stage:
            self.functions[f"{callee}.{name}"] += 1


def _module(frame: FrameType) -> str | None:
    path = Path(frame.f_code.co_filename)
    return path.stem if str(path.parent) == FOLDER else None


@pytest.mark.parametrize(("records", "rules"), [(crossing(range(30)), DEFECT_RULES), (ROW, part_rules())])
def test_a_record_enters_each_function_of_a_stage_once_at_most(
    records: list[Inspection], rules: JudgementRules
) -> None:
    steps, reached = Steps(), set()
    log: list[AccountMessage] = [*records, status(len(records), final=True)]
    for record in log:
        entries = Entries()
        entries.step(steps, record, rules)
        entries.functions.pop("defects.open_defect", None)  # a verdict may confirm several candidates on its part
        assert set(entries.functions.values()) <= {1}
        reached |= {name.split(".")[0] for name in entries.functions}
    assert reached >= {"sessions", "spans", "tracker", "defects"}


def test_the_detections_that_count_are_computed_once_for_each_inspection(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []
    view = JudgementRules.view

    def counting(self: JudgementRules, inspection: Inspection) -> object:
        computed.append(inspection.seq)
        return view(self, inspection)

    monkeypatch.setattr(JudgementRules, "view", counting)
    Steps().take([*ROW, *ROW], part_rules())
    assert computed == [record.seq for record in ROW]


def test_a_defect_that_is_confirmed_on_the_frame_of_the_crossing_still_rejects_its_part() -> None:
    """Step 9 comes after step 7: the verdict knows what this very frame has confirmed."""
    frames = list(Belt((Piece(-120, (Flaw(),)),), 40.0, 30).inspections())
    crossed = Steps().take(frames, part_rules()).verdicts[0]
    at = int(crossed.last_frame.rsplit("/", 1)[1])
    late = [frame if frame.seq > at - 4 else _without_flaw(frame) for frame in frames]
    (verdict,) = Steps().take(late, part_rules()).verdicts
    assert (verdict.verdict, verdict.last_frame) == ("reject", crossed.last_frame)


def test_a_part_that_leaves_is_settled_before_the_defects_on_it_are_closed() -> None:
    """Step 3 comes before step 7: the events of the part's defects stand before its verdict, `closed` after it."""
    frames = [frame for frame in Belt((Piece(-120, (Flaw(),)),), 90.0, 30).inspections() if frame.seq < 6]
    gone = [frame.model_copy(update={"detections": ()}) for frame in Belt((), 90.0, 40).inspections() if frame.seq >= 6]
    steps = Steps()
    for record in [*frames, *gone]:
        before = len(steps.verdicts)
        steps.take([record], part_rules())
        if len(steps.verdicts) > before:
            assert [event.transition for event in steps.events] == ["opened", "closed"]
    assert [verdict.verdict for verdict in steps.verdicts] == ["reject"]


def _without_flaw(frame: Inspection) -> Inspection:
    return frame.model_copy(update={"detections": frame.detections[:1]})
