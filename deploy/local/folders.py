"""Folders to run in."""

from datetime import datetime
from pathlib import Path

from andon.errors import ConfigError


def fresh_folder(folder: Path | None, kind: str) -> Path:
    """`folder`, or one named after `kind` and the time, made. Raises ConfigError where something lies in it."""
    folder = folder or Path("andon-data") / f"{kind}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        used = any(folder.iterdir())
    except OSError as error:
        raise ConfigError(f"--dir {folder}: {error.strerror}") from None
    if used:
        raise ConfigError(f"--dir {folder} is not empty: its account would be mixed with that of another run")
    return folder.resolve()
