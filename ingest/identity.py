"""The name by which the group knows an ingester again after a crash: its own as long as it keeps its spool's folder.

Without one the group waits for a session timeout until it believes that the process before is dead, and its cameras are
silent for so long. The name is locked while a process bears it: a second process in the same folder has none.
"""

import fcntl
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = ".ingester"


@contextmanager
def identity(folder: Path) -> Iterator[str]:
    """The name of the ingester that has this folder; empty where another process has it, or nothing can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / FILE).open("a+", encoding="ascii")
    except OSError:
        yield ""
        return
    with file:
        yield _named(file.fileno(), folder / FILE)


def _named(lock: int, path: Path) -> str:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        known = path.read_text(encoding="ascii").strip()
        if not known.isalnum():
            known = uuid.uuid4().hex
            path.write_text(known, encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
    # disks are cloned: two hosts with one name would take the cameras from each other, time and again
    host = "".join(letter if letter.isalnum() else "-" for letter in socket.gethostname())[:100]
    return f"{host}-{known[:32]}"
