"""The chart as helm renders it, for the tests beside."""

import functools
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

CHART = Path(__file__).parents[4] / "deploy" / "helm" / "andon"
EXAMPLES = sorted(path.stem for path in (CHART / "ci").glob("*.yaml"))
RELEASE, NAMESPACE = "press", "plant"
ROLES = ("ingest", "workers", "sinks")
Manifest = dict[str, Any]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs helm on the chart. Skips the test where it is not installed."""
    binary = Path(sys.executable).with_name("helm")
    if not binary.exists():
        pytest.skip("helm is missing: `make .venv/bin/helm`")
    return subprocess.run([binary, *arguments], capture_output=True, text=True, check=False, timeout=60)


@functools.cache
def _template(*arguments: str) -> str:
    done = helm("template", RELEASE, str(CHART), "--namespace", NAMESPACE, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(example: str, *sets: str) -> str:
    """What helm says to values that it refuses: the lines of its error."""
    options = [part for one in sets for part in ("--set-json", one)]
    done = helm("template", RELEASE, str(CHART), "--values", str(CHART / "ci" / f"{example}.yaml"), *options)
    assert done.returncode != 0, "accepted"
    return "\n".join(line for line in done.stderr.splitlines() if "symbolic link" not in line)


@dataclass(frozen=True, slots=True)
class RenderedChart:
    """The manifests of one installation."""

    manifests: tuple[Manifest, ...]

    def kind(self, kind: str) -> list[Manifest]:
        return [one for one in self.manifests if one["kind"] == kind]

    def named(self, kind: str, name: str) -> Manifest:
        (found,) = [one for one in self.kind(kind) if one["metadata"]["name"] == f"{RELEASE}-{name}"]
        return found

    def workloads(self) -> list[Manifest]:
        return [one for one in self.manifests if "template" in one.get("spec", {}) and one["kind"] != "KafkaNodePool"]

    def roles(self) -> list[Manifest]:
        """The workloads that run ingest, workers and sinks."""
        return [one for one in self.workloads() if component(one) in ROLES]

    @property
    def line(self) -> str:
        text: str = self.named("ConfigMap", "line")["data"]["line.yaml"]
        return text


def rendered(example: str, *sets: str) -> RenderedChart:
    """`sets`: more values, each `path=JSON`."""
    options = [part for one in sets for part in ("--set-json", one)]
    text = _template("--values", str(CHART / "ci" / f"{example}.yaml"), *options)
    return RenderedChart(tuple(one for one in yaml.load_all(text, yaml.CSafeLoader) if one))


def component(manifest: Manifest) -> str:
    name: str = pod(manifest)["metadata"]["labels"]["app.kubernetes.io/component"]
    return name


def pod(workload: Manifest) -> Manifest:
    template: Manifest = workload["spec"]["template"]
    return template


def container(workload: Manifest) -> Manifest:
    (only,) = pod(workload)["spec"]["containers"]
    one: Manifest = only
    return one
