"""What stands beside an artifact is held against it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from andon.errors import ConfigError
from workers.runtimes.manifest import Manifest, ModelMetrics, manifest_path, read_manifest, verified, write_manifest

METRICS = ModelMetrics(
    images=2, map50=0.5, map50_95=0.25, precision=1, recall=1, map50_by_class={"a": 0.5}, map50_95_by_class={"a": 0.25}
)


def manifest(digest: str = "a" * 64) -> Manifest:
    return Manifest(
        file="line.onnx",
        digest=digest,
        runtime="onnx",
        precision="fp32",
        task="detect",
        classes=("a",),
        imgsz=64,
        metrics=METRICS,
        versions={"andon": "1"},
        made_at=datetime(2026, 11, 22, tzinfo=UTC),
    )


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    path = tmp_path / "line.onnx"
    path.write_bytes(b"weights")
    return path


def test_a_written_manifest_is_read_again(artifact: Path) -> None:
    path = write_manifest(manifest(), artifact)
    assert path.name == "line.onnx.manifest.json"
    assert read_manifest(artifact, "weights") == manifest()
    assert verified(artifact, "a" * 64, "weights") == manifest()


def test_a_folders_manifest_lies_in_the_folder(tmp_path: Path) -> None:
    assert manifest_path(tmp_path) == tmp_path / "manifest.json"


def test_an_artifact_may_have_no_manifest(artifact: Path) -> None:
    assert verified(artifact, "a" * 64, "weights") is None


def test_a_manifest_of_another_file_is_refused(artifact: Path) -> None:
    write_manifest(manifest(), artifact)
    with pytest.raises(ConfigError, match=f"^weights: sha256 is {'b' * 64}, line.onnx.manifest.json says {'a' * 64}: "):
        verified(artifact, "b" * 64, "weights")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not a manifest: JSON: "),
        ("{}", "not a manifest: file: "),
        ('{"manifest": 2}', "not a manifest: manifest"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused_in_one_line(artifact: Path, text: str, complaint: str) -> None:
    manifest_path(artifact).write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_manifest(artifact, "weights")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_field_without_a_value_is_not_written(artifact: Path) -> None:
    document = json.loads(write_manifest(manifest(), artifact).read_text())
    assert "pruning" not in document
    assert document["metrics"]["map50"] == 0.5
