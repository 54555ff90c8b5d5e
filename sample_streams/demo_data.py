"""The demo's model and the pictures that its card names: the data set `demo` of `andon model val` and `bench`."""

import json
from collections.abc import Callable
from pathlib import Path

import yaml

from sample_streams import dataset, model_card


def demo(cache: Path, say: Callable[[str], None]) -> tuple[Path, Path]:
    """Returns the weights and the YAML of the data set below `cache`. Draws the pictures that are missing there.

    Its `val` pictures are those that the card's figures were measured on. Its `train` pictures suffice to calibrate
    INT8.
    """
    card = json.loads(model_card.path_of(model_card.MODEL).read_text(encoding="utf-8"))["data"]
    measured = "test" if "test" in card else "val"
    counts = {"train": 200, "val": 0} | {measured: card[measured]["images"]}
    folder = cache / f"demo-{model_card.digest(model_card.MODEL)[-12:]}"
    folder.mkdir(parents=True, exist_ok=True)
    splits = dataset.splits(**counts, seed=card["train"]["first_seed"])
    drawn = dataset.build(folder, splits, say)
    document = yaml.safe_load(drawn.read_text(encoding="utf-8")) | {"val": f"images/{measured}"}
    path = folder / "card.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return model_card.MODEL, path
