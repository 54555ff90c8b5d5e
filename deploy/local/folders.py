"""The folders in which a demo or a soak runs."""

from datetime import datetime
from pathlib import Path

from andon.errors import ConfigError


def fresh_folder(folder: Path | None, kind: str) -> Path:
    """Create `folder`, or one named after `kind` and the time. Raises ConfigError if it is not empty."""
    folder = folder or Path("andon-data") / f"{kind}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        used = any(folder.iterdir())
    except OSError as error:
        raise ConfigError(f"--dir {folder}: {error.strerror}") from None
    if used:
        raise ConfigError(f"--dir {folder} is not empty: its account would be mixed with that of another run")
    return folder.resolve()
