import json
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml

from sample_streams import dataset, model_card
from sample_streams.demo_data import demo


def test_the_demo_registers_its_data_set_for_the_model_commands() -> None:
    (entry,) = entry_points(group="andon.datasets", name="demo")
    assert entry.load() is demo


def test_the_pictures_to_measure_on_are_those_of_the_models_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits: list[dataset.Split] = []

    def build(folder: Path, parts: tuple[dataset.Split, ...], *_: object) -> Path:
        splits.extend(parts)
        (folder / "data.yaml").write_text("names: {0: scratch}\nval: images/val\n")
        return folder / "data.yaml"

    monkeypatch.setattr(dataset, "build", build)
    weights, data = demo(tmp_path, lambda _: None)
    card = json.loads(model_card.path_of(weights).read_text())["data"]
    (measured,) = (split for split in splits if split.name == "test")
    assert (measured.first_seed, measured.images) == (card["test"]["first_seed"], card["test"]["images"])
    assert yaml.safe_load(data.read_text())["val"] == "images/test"
