"""A class in line.yaml that no model has is reported at the start."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from andon.errors import ConfigError
from andon.settings import Settings
from tests.unit.workers.runtimes.test_manifest import manifest
from workers.model.classes import check, require_classes
from workers.runtimes.manifest import write_manifest

KNOWN = ("part", "dent", "scratch")


def line(*weights: Path, **sections: Any) -> Settings:
    pools = {f"pool-{index}": {"model": {"weights": str(path)}} for index, path in enumerate(weights)}
    return Settings.model_validate({"pools": pools, **sections})


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """With a manifest that says what it knows."""
    path = tmp_path / "line.pt"
    path.write_bytes(b"weights")
    write_manifest(manifest().model_copy(update={"classes": KNOWN, "made_at": datetime.now(UTC)}), path)
    return path


@pytest.mark.parametrize(
    ("sections", "complaint"),
    [
        (
            {"defects": {"classes": {"dnet": {}}}},
            "defects.classes: the model of pool pool-0 has no class 'dnet'; did you",
        ),
        (
            {"defects": {"ignore": ["hand"]}},
            "defects.ignore: the model of pool pool-0 has no class 'hand' (there are: ",
        ),
        (
            {"parts": {"class": "parts"}},
            "parts.class: the model of pool pool-0 has no class 'parts'; did you mean `part`",
        ),
    ],
)
def test_a_class_that_the_model_lacks_is_refused(weights: Path, sections: dict[str, Any], complaint: str) -> None:
    settings = line(weights, **sections)
    with pytest.raises(ConfigError) as before:
        check(settings)
    with pytest.raises(ConfigError) as started:
        require_classes(settings, "pool-0", KNOWN)
    assert str(before.value) == str(started.value)
    assert str(before.value).startswith(complaint)
    assert "part, dent, scratch" in str(before.value)


def test_classes_that_the_model_has_are_accepted(weights: Path) -> None:
    settings = line(weights, defects={"classes": {"dent": {}}, "ignore": ["part"]}, parts={"class": "part"})
    check(settings)
    require_classes(settings, "pool-0", KNOWN)


def test_a_class_of_another_pools_model_is_accepted(weights: Path) -> None:
    settings = line(weights, Path("other.pt"), defects={"classes": {"burr": {}}})
    require_classes(settings, "pool-1", ("burr",))
    with pytest.raises(ConfigError, match="no pool's model has a class 'burr'"):
        require_classes(settings, "pool-1", ("hole",))
    require_classes(settings, "pool-0", KNOWN)  # the other model's classes are unknown here


def test_a_model_without_a_manifest_is_not_checked_before_the_worker_starts(tmp_path: Path) -> None:
    settings = line(tmp_path / "none.pt", defects={"classes": {"burr": {}}})
    check(settings)
    with pytest.raises(ConfigError, match="has no class 'burr'"):
        require_classes(settings, "pool-0", KNOWN)
