"""`andon labels`: what people said of defects' pictures, for training."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import yaml
from sqlalchemy import Connection

from andon.cli import config_option
from andon.config import load
from andon.errors import ConfigError, FatalError, RetryableError
from andon.settings import Settings
from sinks.board.label_export import DataSet, LabelledDefect, LabelledPicture, data_set, yolo_lines
from sinks.board.queries.defects import GalleryFilter, life, page
from sinks.channels.evidence_files import EvidenceFacts, facts_path, raw_path
from sinks.channels.files import Files
from sinks.judgement.consequences import evidence_path
from sinks.store.database import sqlite_file
from sinks.store.labels import StoredLabel, all_labels
from sinks.store.reading import StoreReader

MAX_PICTURE = 100_000_000
MAX_FACTS = 1_000_000
NEAR = timedelta(seconds=30)
"""Defects on the same picture open within a few frames of each other."""
NEIGHBOURS = 200


@click.group()
def labels() -> None:
    """Labels that people gave to defects on the board."""


@labels.command()
@config_option()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Only labels given on this day (UTC) or later.")
@click.option("--val", "val_share", default=0.2, type=click.FloatRange(0, 0.9), help="Share of parts for validation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def export(path: Path, folder: Path, *, since: datetime | None, val_share: float, as_json: bool) -> None:
    """Write a data set in YOLO's format into FOLDER: images, labels, the model's own boxes as prelabels, data.yaml.

    The split is by part, never by picture. Pictures with a defect that nobody has judged are left out.

    \b
    Example:
      andon labels export line-2026-03 -c line.yaml
      andon model train line-2026-03/data.yaml --out line
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty: name a new folder, so that no picture of another export stays in it")
    since = since.replace(tzinfo=UTC) if since else None
    summary = asyncio.run(_export(load(path), folder, since, val_share))
    click.echo(json.dumps(summary) if as_json else _text(summary, folder))


async def _export(settings: Settings, folder: Path, since: datetime | None, val_share: float) -> dict[str, Any]:
    url = settings.sinks.store.get_secret_value()
    file = sqlite_file(url)
    if file is not None and not file.exists():
        raise ConfigError(f"sinks.store: there is no {file}: has `andon sink` run with this line.yaml, in this folder?")
    files = Files(settings.sinks.evidence.url)
    reader = await StoreReader.open(url)
    try:
        found = await reader.run(lambda connection: list(all_labels(connection, since)))
        labelled, gone = await _with_facts(reader, files, found)
        unseen = await reader.run(lambda connection: _unseen(connection, labelled))
    except RetryableError as error:
        raise FatalError(str(error)) from None
    finally:
        await reader.close()
    dataset = data_set(labelled, unseen, list(settings.defects.classes), val_share)
    gone += _write(dataset, folder, files)
    return _summary(dataset, gone)


async def _with_facts(
    reader: StoreReader, files: Files, found: Sequence[StoredLabel]
) -> tuple[list[LabelledDefect], int]:
    """The labelled defects whose pictures are there, and how many are not."""
    by_defect: dict[str, list[StoredLabel]] = {}
    for label in found:
        by_defect.setdefault(label.content.defect_id, []).append(label)
    labelled, gone = [], 0
    for defect_id, given in by_defect.items():
        events = await reader.run(lambda connection, name=defect_id: life(connection, name))  # type: ignore[misc]
        path = evidence_path(defect_id, events[0].opened_at) if events else None
        stored = None if path is None else files.read(facts_path(path), MAX_FACTS)
        if path is None or stored is None:
            gone += 1
            continue
        labelled.append(LabelledDefect(EvidenceFacts.read_json(stored), path, given))
    return labelled, gone


def _unseen(connection: Connection, labelled: Sequence[LabelledDefect]) -> dict[str, int]:
    """By frame, how many defects on it nobody has labelled."""
    known = {item.facts.defect.defect_id for item in labelled}
    unseen: Counter[str] = Counter()
    for item in labelled:
        opened = item.facts.defect
        near = GalleryFilter(opened.camera_id, start=opened.opened_at - NEAR, end=opened.opened_at + NEAR)
        others = page(connection, near, None, NEIGHBOURS)
        unseen[item.facts.frame] += sum(
            other.best_frame == item.facts.frame and other.defect_id not in known for other in others
        )
    return unseen


def _write(dataset: DataSet, folder: Path, files: Files) -> int:
    """Returns how many pictures were gone."""
    gone = 0
    for split, pictures in (("train", dataset.train), ("val", dataset.val)):
        for kind in ("images", "labels", "prelabels"):
            (folder / kind / split).mkdir(parents=True, exist_ok=True)
        gone += sum(not _write_picture(picture, folder, split, files, dataset.classes) for picture in pictures)
    names = dict(enumerate(dataset.classes))
    val = "images/val" if dataset.val else "images/train"
    content = {"path": str(folder.resolve()), "train": "images/train", "val": val, "names": names}
    (folder / "data.yaml").write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    return gone


def _write_picture(picture: LabelledPicture, folder: Path, split: str, files: Files, classes: Sequence[str]) -> bool:
    facts = picture.facts
    source = raw_path(picture.defects[0].path, facts.content_type)
    content = files.read(source, MAX_PICTURE)
    if content is None:
        return False
    (folder / "images" / split / f"{picture.name}{Path(source).suffix}").write_bytes(content)
    for kind, boxes in (("labels", picture.boxes), ("prelabels", picture.drawn)):
        (folder / kind / split / f"{picture.name}.txt").write_text(yolo_lines(boxes, facts, classes))
    return True


def _summary(dataset: DataSet, gone: int) -> dict[str, Any]:
    pictures = [*dataset.train, *dataset.val]
    return {
        "pictures": len(pictures),
        "train": len(dataset.train),
        "val": len(dataset.val),
        "groups": dataset.groups,
        "boxes": sum(len(picture.boxes) for picture in pictures),
        "background": sum(not picture.boxes for picture in pictures),
        "labels": dict(dataset.counts),
        "left_out": {"unjudged": dataset.unjudged, "picture_gone": gone},
        "classes": list(dataset.classes),
    }


def _text(summary: dict[str, Any], folder: Path) -> str:
    left_out = summary["left_out"]
    lines = [
        f"{summary['pictures']} pictures in {folder}: {summary['train']} to train, {summary['val']} to validate,"
        f" with {summary['boxes']} boxes; {summary['background']} show background only.",
        f"Left out: {left_out['unjudged']} with a defect that nobody has judged,"
        f" {left_out['picture_gone']} whose picture is no longer stored (sinks.evidence.keep_days).",
    ]
    if summary["pictures"] and not summary["val"]:
        lines.append(
            "All pictures show the same part or moment: none is left to validate, data.yaml names train twice."
        )
    return "\n".join(lines)
