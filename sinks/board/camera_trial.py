"""`andon camera test` for the board: what a camera delivers, with a picture, before it is added.

The board itself opens no camera and decodes nothing: a process of its own does, within a time limit, where
`andon[ingest]` is installed. Its command line shows in the list of processes, so an address holds no password there
either: `${VARIABLE}` and `${file:PATH}` stand for it.
"""

import asyncio
import json
import os
import secrets
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from andon.cameras.sections import require_no_password
from andon.errors import ConfigError, RetryableError

LIMIT_S = 45.0
"""Seconds for one test. 45: connecting takes up to 5 s, and some cameras send a keyframe only every 30 s."""
MEASURE_S = 2.0
KEPT = 8
"""Snapshots in memory."""
MOST_BYTES = 20_000_000
ANDON = (sys.executable, "-m", "andon")


@dataclass(frozen=True, slots=True)
class TrialFindings:
    """What a camera delivered."""

    facts: Mapping[str, JsonValue]
    notes: Sequence[str]
    snapshot: str | None
    """The name under which `Trials.snapshot` has the picture."""


class Trials:
    """One test at a time. Event loop only."""

    def __init__(self, command: Sequence[str] = ANDON, limit_s: float = LIMIT_S) -> None:
        self._command = command
        self._limit_s = limit_s
        self._turn = asyncio.Lock()
        self._snapshots: OrderedDict[str, bytes] = OrderedDict()

    def snapshot(self, name: str) -> bytes | None:
        """A JPEG; None: it is not kept any more."""
        return self._snapshots.get(name)

    async def test(self, url: str, options: Sequence[str] = ()) -> TrialFindings:
        """Open the camera at `url` and measure it.

        Raises ConfigError, in one line, where it can't be opened or delivers nothing; RetryableError while another test
        runs.
        """
        require_no_password(url)
        if url.startswith("-"):
            raise ConfigError("the url begins with a dash")
        if self._turn.locked():
            raise RetryableError("another camera is being tested: try again when that is done")
        async with self._turn:
            with tempfile.TemporaryDirectory(prefix="andon-trial-") as folder:
                picture = Path(folder) / "snapshot.jpg"
                given = ["camera", "test", *options, "--seconds", f"{MEASURE_S:g}", "--snapshot", str(picture)]
                answer = await self._ask([*given, "--json", "--", url])
                return self._trial(answer, picture)

    async def _ask(self, arguments: Sequence[str]) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
        )
        try:
            async with asyncio.timeout(self._limit_s):
                out, complaint = await process.communicate()
        except TimeoutError:
            raise ConfigError(f"the camera has not shown what it delivers within {self._limit_s:g} s") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode != 0:
            raise ConfigError(_last_line(complaint))
        return out

    def _trial(self, answer: bytes, picture: Path) -> TrialFindings:
        facts = json.loads(answer)
        notes = [str(note) for note in facts.pop("notes", ())]
        if facts.pop("snapshot", None) is None or picture.stat().st_size > MOST_BYTES:
            return TrialFindings(facts, notes, None)
        name = secrets.token_urlsafe(16)
        self._snapshots[name] = picture.read_bytes()
        while len(self._snapshots) > KEPT:
            self._snapshots.popitem(last=False)
        return TrialFindings(facts, notes, name)


def _environment() -> dict[str, str]:
    """Without the line's own settings: passwords of its servers are nothing that a camera's address may name."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ANDON_")}


def _last_line(complaint: bytes) -> str:
    lines = complaint.decode(errors="replace").strip().splitlines()
    return " ".join(lines[-1].split())[:500] if lines else "the test failed without a word"
