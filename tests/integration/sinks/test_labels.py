"""Labels: one opinion at a time, all of them kept, and a data set that no part is torn apart in."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from andon.messages import Box, Defect, RecordRef
from andon.stream.offsets import Partition
from sinks.channels.evidence_files import EvidenceFacts, facts_path, raw_path
from sinks.channels.files import Files
from sinks.commands.labels import labels as command
from sinks.judgement.consequences import evidence_path
from sinks.store.database import opened
from sinks.store.labels import LabelKind, NewLabel, add_label, all_labels, labels_of, withdraw_label
from sinks.store.store import Store
from sinks.store.stored import Batch, Opening, Position
from tests.fakes import START
from tests.outbox import a_defect

pytestmark = pytest.mark.integration
HERE = Partition("andon.inspections", 3)
RAW = b"\xff\xd8 untouched"


def a_label(number: int, kind: LabelKind, author: str = "kim", **more: Any) -> NewLabel:
    return NewLabel(a_defect(number).defect_id, "press-3", kind, author, START, **more)


async def test_a_new_opinion_withdraws_the_former_one_and_both_stay_known(store_url: str) -> None:
    database = await opened(store_url)
    box = Box(x1=1, y1=2, x2=3.5, y2=4)
    for new in (
        a_label(1, "real"),
        a_label(2, "real"),
        a_label(1, "missed", label="dent", box=box),
        a_label(1, "false_alarm", "lee"),
    ):
        await database.run(lambda connection, new=new: add_label(connection, new))  # type: ignore[misc]
    history = await database.run(lambda connection: labels_of(connection, [a_label(1, "real").defect_id]))
    assert [(item.content.kind, item.withdrawn_by) for item in history] == [
        ("real", "lee"),
        ("missed", None),
        ("false_alarm", None),
    ]
    assert (history[1].content.box, history[1].content.label, history[0].withdrawn_at) == (box, "dent", START)
    held = await database.run(lambda connection: [item.content.kind for item in all_labels(connection)])
    assert held == ["real", "missed", "false_alarm"]
    number = history[1].id
    withdrawals = [await database.run(lambda c: withdraw_label(c, number, "lee", START)) for _ in range(2)]
    assert withdrawals == [True, False]
    await database.close()


def a_picture(number: int, frame: str, seconds: float, **changes: Any) -> Defect:
    at = START + timedelta(seconds=seconds)
    return a_defect(number, first_frame=frame, best_frame=frame, last_frame=frame, opened_at=at, at=at, **changes)


EVENTS = [
    a_picture(1, "press-3/s/1", 0, part_id="part-1"),
    a_picture(2, "press-3/s/1", 0.1, part_id="part-1", label="dent"),  # on the same picture
    a_picture(3, "press-3/s/3", 60, part_id="part-1"),  # much later, and still the same part
    a_picture(4, "press-3/s/4", 120, part_id="part-2"),
    a_picture(5, "press-3/s/5", 180),
    a_picture(6, "press-3/s/6", 185),  # no part, but a moment later
    a_picture(7, "press-3/s/7", 240),  # beside it lies 8, which nobody has looked at
    a_picture(8, "press-3/s/7", 240.5),
    a_picture(9, "press-3/s/9", 300),  # its picture is gone
]
MISSED = Box(x1=320, y1=240, x2=700, y2=480)
LABELS = [
    *(a_label(number, "real") for number in (1, 3, 5, 7, 9)),
    *(a_label(number, "false_alarm") for number in (2, 4, 6)),
    a_label(4, "missed", label="crack", box=MISSED),
]


def facts(defect: Defect, at: datetime) -> EvidenceFacts:
    return EvidenceFacts(
        frame=defect.best_frame,
        record=RecordRef(topic="andon.frames", partition=0, offset=1),
        captured_at=at,
        content_type="image/jpeg",
        width=640,
        height=480,
        bytes=len(RAW),
        sha256="",
        defect=defect,
    )


async def fill(folder: Path, events: Sequence[Defect], given: Sequence[NewLabel]) -> None:
    url = f"sqlite:///{folder}/andon.db"
    store = await Store.open(url)
    await store.begin([Opening(HERE, Position(1, "", 0), START, "the first")])
    await store.write([Batch(HERE, Position(1, "", 0), 1, START, events=events)])
    for new in given:
        await store._database.run(lambda connection, new=new: add_label(connection, new))  # type: ignore[misc]
    await store.close()
    files = Files(str(folder / "evidence"))
    for defect in events[:8]:
        path = evidence_path(defect.defect_id, defect.opened_at)
        files.write(raw_path(path, "image/jpeg"), RAW)
        files.write(facts_path(path), facts(defect, defect.at).model_dump_json().encode())


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "line.yaml"
    sinks = {"store": f"sqlite:///{tmp_path}/andon.db", "evidence": {"url": str(tmp_path / "evidence")}}
    path.write_text(
        yaml.safe_dump({"sinks": sinks, "defects": {"classes": {"scratch": {}, "hole": {}}}}, sort_keys=False)
    )
    asyncio.run(fill(tmp_path, EVENTS, LABELS))
    return path


def export(config: Path, out: Path, *options: str) -> dict[str, Any]:
    arguments = ["export", str(out), "-c", str(config), "--json", *options]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    summary: dict[str, Any] = json.loads(done.output)
    return summary


def test_the_data_set_has_judged_pictures_split_by_part(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "made"
    summary = export(config, out, "--val", "0.5")
    assert summary["left_out"] == {"unjudged": 1, "picture_gone": 1}
    assert (summary["pictures"], summary["groups"], summary["background"]) == (5, 3, 1)
    assert summary["classes"] == ["scratch", "hole", "crack", "dent"]
    described = yaml.safe_load((out / "data.yaml").read_text())
    assert described["names"] == {0: "scratch", 1: "hole", 2: "crack", 3: "dent"}
    split = {path.stem: path.parent.name for path in out.glob("images/*/*.jpg")}
    assert split["press-3-s-1"] == split["press-3-s-3"]
    assert split["press-3-s-5"] == split["press-3-s-6"]
    assert set(split.values()) == {"train", "val"}
    assert all(path.read_bytes() == RAW for path in out.glob("images/*/*.jpg"))

    def lines(kind: str, name: str) -> list[str]:
        return (out / kind / split[name] / f"{name}.txt").read_text().splitlines()

    assert lines("labels", "press-3-s-1") == ["0 0.125000 0.104167 0.125000 0.083333"]
    assert len(lines("prelabels", "press-3-s-1")) == 2
    assert lines("labels", "press-3-s-4") == ["2 0.750000 0.750000 0.500000 0.500000"]
    assert lines("labels", "press-3-s-6") == []
    assert export(config, tmp_path / "again", "--val", "0.5") == summary


def test_a_folder_with_something_in_it_is_left_alone(config: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["export", str(tmp_path), "-c", str(config)])
    assert "is not empty" in str(done.exception)


def test_only_labels_since_a_day_are_exported_and_none_is_no_error(config: Path, tmp_path: Path) -> None:
    assert export(config, tmp_path / "none", "--since", "2026-04-01")["pictures"] == 0
