"""Roboflow's `inference` in a virtual environment of its own: whether it installs and serves a weights file.

It pins other versions of Andon's libraries, so it can't share Andon's environment. The report says if it does not
install within INSTALL_S, or can't serve one's own weights without its vendor's service.
"""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

from bench.harness.clips import MODEL
from bench.harness.context import Context
from bench.harness.report import Findings

PACKAGE = "inference"
INSTALL_S = 120.0
START_S = 60.0
_PROBE = """
import json, sys
from importlib.metadata import version
from inference import get_model
refusal = ""
try:
    get_model(model_id=sys.argv[1])
except Exception as error:
    refusal = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
print(json.dumps({"version": version("inference"), "refuses_own_weights": refusal}))
"""


def measure(context: Context) -> Findings:
    """Try it; the figures have the outcome in one line. Raises nothing, since a failed installation is an outcome."""
    outcome = attempt(context.folder / "roboflow")
    context.say(f"roboflow: {outcome}")
    return Findings(figures={"package": PACKAGE, "outcome": outcome, "install_limit_s": INSTALL_S})


def attempt(folder: Path) -> str:
    """Install and try it. Blocks for up to INSTALL_S + START_S; removes `folder`."""
    try:
        venv.create(folder, with_pip=True)
        python = str(folder / "bin" / "python")
        output = _run([python, "-m", "pip", "install", "--quiet", "--no-input", PACKAGE], INSTALL_S)
        if output is not None:
            return f"does not install: {output}"
        output = _run([python, "-c", _PROBE, str(MODEL)], START_S, show=True)
        return f"installs: {output}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], timeout_s: float, *, show: bool = False) -> str | None:
    """The last line of its error; None if it succeeded, or with `show` the last line of its output."""
    try:
        done = subprocess.run(  # noqa: S603 - the environment created above
            command, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        return f"not within {timeout_s:.0f} s"
    last = (done.stdout if show and done.returncode == 0 else done.stderr).strip().splitlines()[-1:]
    if done.returncode == 0 and not show:
        return None
    return last[0][:300] if last else f"exit {done.returncode}, without output"


if __name__ == "__main__":
    sys.stdout.write(attempt(Path(sys.argv[1])) + "\n")
