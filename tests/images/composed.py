"""A line in containers: deploy/docker/compose.yaml as it is, run by podman under a project name of its own."""

import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.images.build import DOCKER, ROLES
from tests.images.engine import attempt, call

PROJECT = "andon-test"
"""Not `andon`: a line that runs on this machine keeps its containers and volumes."""
SERVERS = ("kafka", "redis")


class ComposedLine:
    """`up` starts services; `healthy`, `metrics` and `audit` look at them. Leaving removes containers and volumes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        os.environ["LINE_DIR"] = str(folder)

    def up(self, *services: str, scale: str | None = None) -> None:
        """Start services and no others. Podman before 4.6 knows no conditions, so the caller keeps `depends_on`."""
        options = ["--scale", scale] if scale else []
        self._compose("up", "--detach", "--no-build", "--no-deps", *options, *services)

    def stop(self, *services: str) -> None:
        """SIGTERM, and SIGKILL after the service's grace."""
        self._compose("stop", *services)

    def containers(self, service: str) -> list[str]:
        """The names of a service's containers, also of those that have ended."""
        labels = [f"label=io.podman.compose.project={PROJECT}", f"label=com.docker.compose.service={service}"]
        filters = [word for label in labels for word in ("--filter", label)]
        return sorted(call("podman", "ps", "--all", "--format", "{{.Names}}", *filters).split())

    def finished(self, service: str) -> bool:
        """Whether a service's job has ended well."""
        (job,) = self.containers(service)
        state = self.inspect(job)["State"]
        return (state["Status"], state["ExitCode"]) == ("exited", 0)

    def inspect(self, container: str) -> dict[str, Any]:
        (inspected,) = json.loads(call("podman", "inspect", container))
        state: dict[str, Any] = inspected
        return state

    def healthy(self, services: Iterable[str]) -> bool:
        """Ask each container's own health check. No systemd is needed, which else would ask in intervals."""
        return all(
            attempt("podman", "healthcheck", "run", container).returncode == 0
            for service in services
            for container in self.containers(service)
        )

    def gateway(self) -> str:
        """The host's address in the containers' network."""
        (network,) = json.loads(call("podman", "network", "inspect", f"{PROJECT}_default"))
        return str(network["subnets"][0]["gateway"])

    def metrics(self, container: str) -> str:
        """What the container serves on the port that it publishes on the host's loopback."""
        published = call("podman", "port", container, "8080/tcp").split()[0]
        with urllib.request.urlopen(f"http://{published}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    def run(self, service: str, *command: str) -> str:
        """Run a command of Andon in the service's first container, as `docker compose exec` does."""
        return call("podman", "exec", self.containers(service)[0], "andon", *command, timeout_s=120)

    def audit(self) -> dict[str, Any]:
        container = self.containers("sinks")[0]
        printed = attempt("podman", "exec", container, "andon", "audit", "--json", timeout_s=120).stdout
        report: dict[str, Any] = json.loads(printed[printed.index("{") :])
        return report

    def kill(self, container: str) -> None:
        """SIGKILL to the process itself, as from a lack of memory: podman has not asked for it and starts it again."""
        os.kill(self.inspect(container)["State"]["Pid"], 9)

    def wait_for(self, reached: Callable[[], bool], timeout_s: float, what: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not reached():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {timeout_s:.0f} s for {what}\n{self.logs()}")
            time.sleep(0.5)

    def logs(self) -> str:
        """The end of each container's log."""
        names = [name for service in (*SERVERS, "topics", *ROLES) for name in self.containers(service)]
        return "\n".join(f"--- {name}\n{_log(name)}" for name in names)

    def __enter__(self) -> Self:
        self._remove()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._remove()

    def _remove(self) -> None:
        """podman-compose's own `down` leaves what --scale has added, and then the network that it is in."""
        label = ("--filter", f"label=io.podman.compose.project={PROJECT}")
        for _ in range(3):  # one that is just being started again can't be removed
            if containers := call("podman", "ps", "--all", "--quiet", *label).split():
                attempt("podman", "rm", "--force", "--time", "10", *containers, timeout_s=240)
        self._compose("down", "--volumes")

    def _compose(self, *command: str) -> str:
        tool = str(Path(sys.executable).with_name("podman-compose"))
        file = str(DOCKER / "compose.yaml")
        return call(tool, "--project-name", PROJECT, "--file", file, *command, timeout_s=240)


def _log(container: str) -> str:
    done = attempt("podman", "logs", "--tail", "30", container)
    return done.stdout + done.stderr
