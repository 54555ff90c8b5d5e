"""The log file of one child process: rotated at a size, so that a line that runs for a year does not fill its disk."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path

MAX_LINE_BYTES = 65_536
"""A longer line is cut into pieces: a process that writes no newline must not fill our memory."""
TAIL_BYTES = 4_096
"""Of a log's end; enough for a few lines, however large the file is."""

_OWN = re.compile(r"andon [a-z]+: (?P<why>.+)")
_STACK = re.compile(r"\s+(at |\.\.\. )")
"""A line of a Java stack."""


@dataclass(frozen=True, slots=True)
class LogLimits:
    """`run.log_max_bytes` and `run.log_files`; at least two files, for with one `logging` never begins anew."""

    max_bytes: int = 10_000_000
    files: int = 5


LIMITS = LogLimits()
"""The defaults of both settings."""


class _File(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name in logging
        """A full disk stops the log, not the process that writes it."""


class RotatingLog:
    """Takes a process's output as it comes. For one thread or task. Raises OSError where the folder can't be made."""

    def __init__(self, path: Path, limits: LogLimits, echo: Callable[[str], None] | None = None) -> None:
        """`echo` is given each line."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = _File(path, maxBytes=limits.max_bytes, backupCount=limits.files - 1, encoding="utf-8", delay=True)
        self._echo = echo
        self._rest = b""

    def write(self, chunk: bytes) -> None:
        """Write all whole lines; the rest waits for its newline."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            self._write_line(line.decode(errors="replace"))

    def close(self) -> None:
        """Write what waits, and close the file."""
        if self._rest:
            self._write_line(self._rest.decode(errors="replace"))
            self._rest = b""
        self._file.close()

    def _write_line(self, line: str) -> None:
        self._file.handle(logging.makeLogRecord({"msg": line}))
        if self._echo is not None:
            self._echo(line)


def last_words(log: Path) -> str:
    """Why the process that wrote this log ended, by its own account: one line; empty if there is no log.

    An Andon process ends with the line `andon ROLE: why`. Of any other it is the last line that is no part of a stack.
    Reads TAIL_BYTES at most, and blocks meanwhile.
    """
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            text = file.read(TAIL_BYTES).decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not _STACK.match(line)]
    own = [found["why"] for line in lines if (found := _OWN.fullmatch(line))]
    return (own or lines or [""])[-1]
