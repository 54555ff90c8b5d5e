"""podman and buildah, as the tests call them: each call has a time limit, and a failure says what the tool printed."""

import os
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
TOOLS = ("podman", "buildah")
INSTALL = "apt-get install podman buildah runc netavark aardvark-dns iptables"


def missing() -> str | None:
    """The reason why no container can be built or run here, or None."""
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"{' and '.join(absent)} not found; Debian: {INSTALL}" if absent else None


def environ() -> dict[str, str]:
    """The environment of both tools.

    The format is Docker's, since OCI's has no health check. A build's commands run in a chroot: that takes neither a
    network nor cgroups of their own.
    """
    settings = {"BUILDAH_FORMAT": "docker", "BUILDAH_ISOLATION": "chroot"}
    if os.geteuid() == 0 and not Path("/run/systemd/system").exists():
        settings["CONTAINERS_CONF"] = str(HERE / "containers.conf")
    return os.environ | settings


def attempt(*command: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run to the end; the caller looks at the exit code."""
    return subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=environ(),
        cwd=REPOSITORY,
    )


def call(*command: str, timeout_s: float = 60) -> str:
    """Run to the end and return what was printed; AssertionError with it if the command fails."""
    done = attempt(*command, timeout_s=timeout_s)
    assert done.returncode == 0, (
        f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    )
    return done.stdout


def exists(image: str) -> bool:
    return attempt("podman", "image", "exists", image).returncode == 0


def answers(url: str) -> bool:
    """Whether the server answers within 5 s, even if it asks for a login."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError as error:
        return error.code == 401
    except OSError:
        return False
    return True
