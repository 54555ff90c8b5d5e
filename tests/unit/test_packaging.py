"""The package installs every module here, but for tests and bench."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("andon", "ingest", "workers", "sinks", "deploy", "sample_streams")


def test_the_list_of_packages_names_every_package() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = sorted(
        ".".join(init.parent.relative_to(ROOT).parts) for top in PACKAGES for init in (ROOT / top).rglob("__init__.py")
    )
    assert listed == found


def test_every_role_can_read_video_with_its_own_extra_alone() -> None:
    """An image installs the role's extra and nothing else."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    roles = ("ingest", "workers", "onnx", "sinks")
    assert [role for role in roles if not any(line.startswith("av>") for line in extras[role])] == []
