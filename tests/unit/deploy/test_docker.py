"""The images and the compose file, as far as a test can check them without an engine."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from andon.settings import Settings

ROOT = Path(__file__).parents[3]
DOCKER = ROOT / "deploy" / "docker"
ROLES = ("ingest", "workers", "sinks")
COMMANDS = {"ingest": "ingest", "workers": "work", "sinks": "sink"}


def tool(name: str) -> str:
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        pytest.skip(f"{name} is not installed: pip install 'andon[dev]'")
    return str(path)


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    return document


def stages() -> dict[str, str]:
    """The Dockerfile's text by stage."""
    parts = re.split(r"^FROM \S+ AS (\w+)\n", (DOCKER / "Dockerfile").read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("file", ["Dockerfile", "sbom.Dockerfile"])
def test_hadolint_has_no_complaint(file: str) -> None:
    done = subprocess.run([tool("hadolint"), DOCKER / file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_compose_file_follows_the_compose_schema() -> None:
    command = [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(DOCKER / "compose.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("role", ROLES)
def test_each_role_runs_its_own_command_without_root_and_installs_by_the_constraints(role: str) -> None:
    text = stages()[role]
    assert f'CMD ["{COMMANDS[role]}", "-c", "line.yaml"]' in text
    assert f" -r /opt/andon/requirements/{role}.txt" in text
    assert "USER 10001:10001" in text


def test_every_image_asks_livez_on_the_port_that_it_serves() -> None:
    assert "HEALTHCHECK" in stages()["base"]
    assert "/livez" in stages()["base"]
    assert "ANDON_HTTP__PORT=8080" in stages()["base"]


@pytest.mark.parametrize("role", ["ingest", "sinks"])
def test_ingest_and_sinks_are_without_torch(role: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {re.split(r"[^A-Za-z0-9-]", requirement)[0].lower() for requirement in extras[role]}
    assert not names & {"torch", "torchvision", "ultralytics", "openvino"}


def test_every_file_that_the_images_copy_is_there_and_not_ignored() -> None:
    copied = _copied("code") + _copied("requirements")
    kept = {line[1:] for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert {name for name in copied if not any(name.startswith(f"{other}/") for other in copied)} <= kept
    assert [name for name in copied if not list(ROOT.glob(name))] == []


def test_the_images_copy_every_package_that_is_installed() -> None:
    copied = [path for name in _copied("code") for path in ROOT.glob(name)]
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    inits = [ROOT.joinpath(*package.split("."), "__init__.py") for package in listed]
    assert [init for init in inits if not any(init == path or path in init.parents for path in copied)] == []


def _copied(stage: str) -> list[str]:
    lines = re.findall(r"^COPY (.+) \S+$", stages()[stage], re.MULTILINE)
    return [word for line in lines for word in line.split()]


def test_nothing_is_published_but_on_loopback() -> None:
    published = [port for service in compose()["services"].values() for port in service.get("ports", [])]
    assert len(published) == len(ROLES) + 2  # the board's pages and its /metrics, too
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_the_roles_start_after_the_topics_and_those_after_the_broker() -> None:
    services = compose()["services"]
    for role in ROLES:
        assert services[role]["depends_on"]["topics"]["condition"] == "service_completed_successfully"
        assert services[role]["build"]["target"] == role
    assert services["topics"]["depends_on"]["kafka"]["condition"] == "service_healthy"
    assert services["topics"]["command"][:2] == ["topics", "create"]


def test_every_andon_variable_is_a_key_of_the_settings() -> None:
    text = (DOCKER / "compose.yaml").read_text() + (DOCKER / "Dockerfile").read_text()
    names = set(re.findall(r"\bANDON_([A-Z_]+__[A-Z_]+)\b", text))
    assert len(names) >= 5
    for name in names:
        section: Any = Settings
        for part in name.lower().split("__"):
            assert part in section.model_fields, name
            section = section.model_fields[part].annotation


def test_the_board_reads_the_metrics_of_every_role() -> None:
    named = json.loads(compose()["services"]["board"]["environment"]["ANDON_BOARD__PROCESSES"])
    assert named == [f"http://{role}:8080" for role in ROLES]


def test_a_roles_grace_is_longer_than_its_drain() -> None:
    for role in ROLES:
        assert float(compose()["services"][role]["stop_grace_period"].rstrip("s")) > Settings().run.drain_s


def test_workers_can_be_scaled() -> None:
    workers = compose()["services"]["workers"]
    assert "container_name" not in workers
    assert workers["ports"] == ["127.0.0.1::8080"]


def test_the_log_of_each_container_is_rotated() -> None:
    for name, service in compose()["services"].items():
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name
