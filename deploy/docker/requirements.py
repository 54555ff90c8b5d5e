"""Writes what each layer of the images installs: `requirements.py SOURCE TARGET`.

SOURCE holds pyproject.toml and constraints.txt. The layers lie one on top of the other: `core` (every role), `pictures`
(what ingest and workers share), the role's own. So a change of code installs nothing again, and the images share their
lowest layers.

OpenCV's usual wheel links to the libraries of a desktop; its headless build has the same functions for a role.
ultralytics requires `opencv-python` by name, so an empty wheel of that name and version requires the headless build.

The Dockerfile runs this before anything is installed: standard library only.
"""

import re
import sys
import tomllib
import zipfile
from pathlib import Path

INSTALLED = "/opt/andon/requirements"
"""Where the files lie in the images."""
OPENCV, HEADLESS = "opencv-python", "opencv-python-headless"


def main(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    pins = (source / "constraints.txt").read_text("utf-8")
    (version,) = re.findall(rf"^{OPENCV}==(\S+)$", pins, re.MULTILINE)
    (target / "constraints.txt").write_text(f"{pins}{HEADLESS}=={version}\n", "utf-8")
    wheel = empty_wheel(target, version)
    project = tomllib.loads((source / "pyproject.toml").read_text("utf-8"))["project"]
    for layer, requirements in layers(project).items():
        lines = ["-c constraints.txt", *(_headless(line, wheel) for line in requirements)]
        (target / f"{layer}.txt").write_text("\n".join(lines) + "\n", "utf-8")


def layers(project: dict[str, object]) -> dict[str, list[str]]:
    """Requirements by layer, from the table `project` of pyproject.toml."""
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    pictures = set(extras["ingest"]) & set(extras["workers"])
    core = project["dependencies"]
    assert isinstance(core, list)
    core = [*core, *extras["traces"]]  # any role may be traced: its settings alone decide
    own = {role: sorted(set(extras[role]) - pictures) for role in ("ingest", "workers")}
    web = {line for line in extras["board"] if not line.startswith("andon[")}  # the sinks' image serves the board, too
    return {"core": sorted(core), "pictures": sorted(pictures), **own, "sinks": sorted({*extras["sinks"], *web})}


def empty_wheel(folder: Path, version: str) -> str:
    """Write the wheel that stands for opencv-python; returns its file name."""
    name = OPENCV.replace("-", "_")
    info = f"{name}-{version}.dist-info"
    texts = {
        "METADATA": f"Metadata-Version: 2.1\nName: {OPENCV}\nVersion: {version}\n"
        f"Requires-Dist: {HEADLESS}=={version}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: andon\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    records = [f"{info}/{file},," for file in (*texts, "RECORD")]
    texts["RECORD"] = "\n".join(records) + "\n"
    wheel = f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(folder / wheel, "w") as archive:
        for file, text in texts.items():
            # a fixed time: the same input gives the same bytes, so the layers after it stay as they are
            archive.writestr(zipfile.ZipInfo(f"{info}/{file}"), text)
    return wheel


def _headless(requirement: str, wheel: str) -> str:
    if re.split(r"[^A-Za-z0-9-]", requirement)[0] != OPENCV:
        return requirement
    return f"{OPENCV} @ file://{INSTALLED}/{wheel}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
