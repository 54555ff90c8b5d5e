"""The model's card: origin, figures and digest of the weights."""

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sample_streams.spec import CLASSES

MODEL = Path(__file__).parent / "models" / "andon-demo.pt"


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """Facts about the training run, and the figures measured afterwards."""

    facts: dict[str, Any]
    metrics: dict[str, Any]


def path_of(weights: Path) -> Path:
    """The path of the card of these weights."""
    return weights.with_suffix(".json")


def digest(weights: Path) -> str:
    """The file's digest as `sha256:<64 hexadecimal digits>`."""
    return "sha256:" + hashlib.sha256(weights.read_bytes()).hexdigest()


def verify(weights: Path) -> bool:
    """Whether the file has the digest on its card."""
    card = json.loads(path_of(weights).read_text(encoding="utf-8"))
    return bool(card["digest"] == digest(weights))


def describe(weights: Path, result: TrainingResult) -> dict[str, Any]:
    """The card of the weights, ready to be written as JSON."""
    return {
        "name": weights.stem,
        "file": weights.name,
        "bytes": weights.stat().st_size,
        "digest": digest(weights),
        "digest_note": f"verify with `sha256sum {weights.name}` or sample_streams.model_card.verify(path);"
        " inspections carry this digest as that of their model",
        "classes": list(CLASSES),
        **result.facts,
        "versions": {name: version(name) for name in ("ultralytics", "torch")},
        "metrics": result.metrics,
        "licence": "AGPL-3.0",
    }
