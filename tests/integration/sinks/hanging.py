"""`andon sink` with a part that blocks for ever: `python -m tests.integration.sinks.hanging PART -c line.yaml`."""

import sys
import threading
from pathlib import Path
from typing import Any
from unittest import mock

from andon.config import load
from andon.process import lifecycle
from sinks.channels.files import Files
from sinks.role import sink
from sinks.store import queries


def block(*_: object) -> Any:
    sys.stderr.write("it blocks\n")
    threading.Event().wait()


def main(part: str, path: str) -> int:
    hung = (
        mock.patch.object(Files, "exists", block) if part == "evidence" else mock.patch.object(queries, "depth", block)
    )
    with hung:
        return lifecycle.run("sink", sink, load(Path(path)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[3]))
