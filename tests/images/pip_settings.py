"""This machine's pip configuration for a build: the file, and the folders and files that it names.

A build knows nothing of the machine's indexes, certificates and cache. So it gets one file with all settings as a
secret, which no layer keeps, and what the file names as volumes at the same place.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

CACHE = "/var/cache/andon-pip"
"""Where the machine's cache of downloads lies during a build."""


def pip_settings() -> dict[str, str]:
    """All settings, whether they come from files or from the environment; the environment's win."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    rows = [line.split("=", 1) for line in listed.splitlines() if "=" in line]
    values = [(name.rpartition(".")[2], str(ast.literal_eval(text)), name.startswith(":env:")) for name, text in rows]
    ordered = sorted(values, key=lambda value: value[2])
    return {
        name: value for name, value, _ in ordered if name not in ("cache-dir", "no-cache-dir", "require-virtualenv")
    }


def write(file: Path, settings: dict[str, str]) -> None:
    lines = [f"{name} = {_indented(value)}" for name, value in (settings | {"cache-dir": CACHE}).items()]
    file.write_text("\n".join(["[global]", *lines, ""]), "utf-8")
    file.chmod(0o600)


def volumes(settings: dict[str, str]) -> list[str]:
    """`SOURCE:TARGET:ro` for each existing path that the settings name; an index's neighbours come with it."""
    paths = {
        Path(path)
        for value in settings.values()
        for path in re.findall(r"(?<![\w:/])(?:file://)?(/[\w.][\w./-]*)", value)
    }
    kept = {path.parent if path.name == "simple" else path for path in paths if path.exists()}
    return [f"{path}:{path}:ro" for path in sorted(kept)]


def _indented(value: str) -> str:
    return "\n    ".join(value.split())
