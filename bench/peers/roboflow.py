"""Roboflow's `inference`, in a virtual environment of its own below the bench's output: whether it installs and starts.

It pins other versions of what Andon uses, so it can't live in Andon's environment. Where it does not install within
INSTALL_S, or can't serve a weights file of one's own without its makers' service, that is what is reported.
"""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

from bench.harness.clips import MODEL
from bench.harness.context import Room
from bench.harness.report import Findings

PACKAGE = "inference"
INSTALL_S = 120.0
START_S = 60.0
_PROBE = """
import json, sys
from importlib.metadata import version
from inference import get_model
said = ""
try:
    get_model(model_id=sys.argv[1])
except Exception as error:
    said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
print(json.dumps({"version": version("inference"), "refuses_own_weights": said}))
"""


def measure(room: Room) -> Findings:
    """Try; the figures say what came of it, in one line. Raises nothing: that it can't be had is a finding."""
    outcome = attempt(room.folder / "roboflow")
    room.say(f"roboflow: {outcome}")
    return Findings(figures={"package": PACKAGE, "outcome": outcome, "install_limit_s": INSTALL_S})


def attempt(folder: Path) -> str:
    """Blocks for up to INSTALL_S and START_S. `folder` is removed."""
    try:
        venv.create(folder, with_pip=True)
        python = str(folder / "bin" / "python")
        said = _run([python, "-m", "pip", "install", "--quiet", "--no-input", PACKAGE], INSTALL_S)
        if said is not None:
            return f"does not install: {said}"
        said = _run([python, "-c", _PROBE, str(MODEL)], START_S, show=True)
        return f"installs: {said}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], timeout_s: float, *, show: bool = False) -> str | None:
    """The last line of why it failed; where it did not: None, or with `show` the last line that it wrote."""
    try:
        done = subprocess.run(  # noqa: S603 - the environment just made
            command, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        return f"not within {timeout_s:.0f} s"
    last = (done.stdout if show and done.returncode == 0 else done.stderr).strip().splitlines()[-1:]
    if done.returncode == 0 and not show:
        return None
    return last[0][:300] if last else f"exit {done.returncode}, and not a word"


if __name__ == "__main__":
    sys.stdout.write(attempt(Path(sys.argv[1])) + "\n")
