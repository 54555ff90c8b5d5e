"""The demo model's card."""

import json
from pathlib import Path

from sample_streams.model_card import MODEL, TrainingResult, describe, digest, path_of, verify
from sample_streams.spec import CLASSES

CARD = json.loads(path_of(MODEL).read_text())


def test_the_card_describes_the_weights_that_lie_beside_it() -> None:
    assert CARD["digest"] == digest(MODEL)
    assert CARD["bytes"] == MODEL.stat().st_size <= 6_000_000
    assert verify(MODEL)


def test_other_bytes_do_not_pass_for_the_weights(tmp_path: Path) -> None:
    weights = tmp_path / "other.pt"
    weights.write_bytes(b"one")
    path_of(weights).write_text(json.dumps(describe(weights, TrainingResult({}, {}))))
    assert verify(weights)
    weights.write_bytes(b"two")
    assert not verify(weights)


def test_the_card_names_the_classes_in_the_order_of_the_labels() -> None:
    assert CARD["classes"] == list(CLASSES)
    assert set(CARD["metrics"]["class"]) == set(CLASSES)


def test_the_model_is_good_enough_for_the_demo() -> None:
    assert CARD["metrics"]["head"] == "NMS-free"
    assert CARD["metrics"]["overall"]["mAP50"] >= 0.95
    assert CARD["metrics"]["overall"]["mAP50-95"] >= 0.65
    assert min(metrics["mAP50"] for metrics in CARD["metrics"]["class"].values()) >= 0.9


def test_the_card_s_figures_are_of_frames_that_no_epoch_was_chosen_by() -> None:
    test, others = CARD["data"]["test"], (CARD["data"]["train"], CARD["data"]["val"])
    assert test["images"] >= 400
    assert all(other["first_seed"] + other["images"] <= test["first_seed"] for other in others)
