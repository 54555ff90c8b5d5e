"""Whether a folder can be written to, without making it."""

import os
from pathlib import Path


def unwritable(folder: Path) -> str | None:
    """Why `folder` can neither be made nor be written to, in one line; None: it can."""
    folder = folder.expanduser()
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    except OSError as error:
        return f"{folder}: {error.strerror}"
    if not there.is_dir():
        return f"{folder} can't be a folder: {there} is a file"
    return None if os.access(there, os.W_OK | os.X_OK) else f"{folder}: no permission to write to {there}"
