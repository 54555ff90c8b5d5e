"""What each layer of the images installs."""

import re
import tomllib
import zipfile
from pathlib import Path
from typing import Any

from deploy.docker.requirements import INSTALLED, layers, main

ROOT = Path(__file__).parents[3]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BELOW = {"ingest": ("core", "pictures"), "workers": ("core", "pictures"), "sinks": ("core",)}
"""The layers under each role's own, as the Dockerfile stacks them."""
BOARD = {line for line in PROJECT["optional-dependencies"]["board"] if line != "andon[sinks]"}
"""The sinks' image serves the board, too."""


def test_a_roles_layers_together_hold_what_its_extra_asks_for() -> None:
    written = layers(PROJECT)
    for role, below in BELOW.items():
        extras = PROJECT["optional-dependencies"]
        requirements = {*PROJECT["dependencies"], *extras["traces"], *extras[role], *(BOARD if role == "sinks" else ())}
        assert {line for layer in (*below, role) for line in written[layer]} == requirements


def test_what_two_roles_share_lies_in_the_layer_below_both() -> None:
    written = layers(PROJECT)
    assert "opencv-python>=5" in written["pictures"]
    assert not set(written["pictures"]) & (set(written["ingest"]) | set(written["workers"]))


def test_opencv_comes_without_the_libraries_of_a_desktop(tmp_path: Path) -> None:
    main(ROOT, tmp_path / "requirements")
    (line,) = [line for line in (tmp_path / "requirements/pictures.txt").read_text().splitlines() if "opencv" in line]
    (wheel,) = (tmp_path / "requirements").glob("*.whl")
    assert line == f"opencv-python @ file://{INSTALLED}/{wheel.name}"
    with zipfile.ZipFile(wheel) as archive:
        assert all(".dist-info/" in name for name in archive.namelist())
        (metadata,) = [name for name in archive.namelist() if name.endswith("METADATA")]
        version = re.split("-", wheel.name)[1]
        assert f"Requires-Dist: opencv-python-headless=={version}" in archive.read(metadata).decode()
    pins = (tmp_path / "requirements/constraints.txt").read_text().splitlines()
    assert {f"opencv-python=={version}", f"opencv-python-headless=={version}"} <= set(pins)


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    """Else the layers above would be built again."""
    for name in ("one", "other"):
        main(ROOT, tmp_path / name)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "other" / file.name).read_bytes(), file.name


def test_the_version_on_the_images_is_the_packages() -> None:
    text = (ROOT / "deploy/docker/Dockerfile").read_text()
    assert set(re.findall(r'image\.version="(\S+)"', text)) == {PROJECT["version"]}
