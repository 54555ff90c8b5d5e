"""compose.yaml runs: four cameras of this machine, from the lens to the alert, while workers are scaled and killed."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from andon.messages import Defect
from sample_streams.spec import DEFECTS
from tests.images.build import ROLES
from tests.images.composed import SERVERS, ComposedLine
from tests.images.conftest import Report
from tests.images.engine import call
from tests.kafka_server import free_port

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "sample_streams" / "models" / "andon-demo.pt"
CAMERAS = ("press-1", "press-2", "weld-1", "weld-2")
FPS = 5
"""Of each camera: a small share of two cores, so that the line is never far behind."""
START_S = 300.0
"""The first worker exports the model, beside servers and cameras that start on few cores."""

pytestmark = [
    pytest.mark.images,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(os.geteuid() != 0, reason="cameras of this machine are reached by root's podman alone"),
]


@pytest.fixture(scope="module")
def line(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposedLine]:
    folder = tmp_path_factory.mktemp("line")
    folder.chmod(0o755)  # the images' user reads it
    with ComposedLine(folder) as line:
        line.up(*SERVERS)
        line.wait_for(lambda: line.healthy(SERVERS), START_S, "the servers to be healthy")
        with cameras(line.gateway()) as port:
            write(folder, line.gateway(), port)
            line.up("topics")
            line.wait_for(lambda: line.finished("topics"), START_S, "the job that creates the topics")
            line.up(*ROLES)
            line.wait_for(lambda: line.healthy(ROLES), START_S, "each role to be healthy")
            yield line


@contextmanager
def cameras(address: str) -> Iterator[int]:
    """The demo's clips as RTSP cameras at this machine's address in the containers' network; yields their port."""
    port = free_port()
    command = [sys.executable, "-m", "sample_streams", "serve", "--host", address, "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT) as server:
        try:
            yield port
        finally:
            server.terminate()


def write(folder: Path, address: str, port: int) -> None:
    """line.yaml and its model, as a user lays them down for compose.yaml."""
    shutil.copy(MODEL, folder / "model.pt")
    document = {
        "cameras": [
            {"id": name, "url": f"rtsp://{address}:{port}/{name}.mp4?play_count=0", "fps": FPS} for name in CAMERAS
        ],
        "pools": {"default": {"model": {"weights": "model.pt"}}},
        "worker": {"tune_timeout_s": 0},  # nothing here depends on how fast the model runs
        "defects": {"ignore": ["part"], "confirm_frames": 2, "confirm_window": 4},
    }
    (folder / "line.yaml").write_text(yaml.safe_dump(document), "utf-8")


def inspected(line: ComposedLine) -> dict[str, int]:
    """Frames that the sink has accounted for as inspected, by camera."""
    return {camera["camera"]: camera["inspected"] for camera in line.audit()["cameras"]}


def partitions(line: ComposedLine, worker: str) -> set[int]:
    """The partitions that a worker owns."""
    lag = re.findall(r'andon_stage_lag_records\{partition="(\d+)",stage="workers', line.metrics(worker))
    return {int(number) for number in lag}


def test_every_container_runs_without_root_and_without_rights_on_a_file_system_that_takes_no_writes(
    line: ComposedLine,
) -> None:
    for container in (name for role in ROLES for name in line.containers(role)):
        details = line.inspect(container)
        status = Path(f"/proc/{details['State']['Pid']}/status").read_text()
        assert re.search(r"^Uid:\t10001\t10001\t10001\t10001$", status, re.MULTILINE), container
        assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE), container
        assert re.search(r"^CapBnd:\t0+$", status, re.MULTILINE), container
        assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE), container
        assert details["HostConfig"]["ReadonlyRootfs"], container


def test_every_cameras_frames_are_inspected(line: ComposedLine) -> None:
    line.wait_for(lambda: len([n for n in inspected(line).values() if n > 3 * FPS]) == len(CAMERAS), START_S, "frames")


def test_a_frame_becomes_an_alert_with_its_picture(line: ComposedLine) -> None:
    """Camera, broker, worker, sink, Valkey, and the client that a plant's program uses."""
    followed = line.run("sinks", "alerts", "follow", "--group", "test", "--from-start", "--count", "1", "--json")
    alert = Defect.model_validate_json(followed)
    assert alert.camera_id in CAMERAS
    assert alert.label in DEFECTS
    show = f"print(open('{alert.evidence}', 'rb').read(3).hex())"
    container = line.containers("sinks")[0]
    line.wait_for(
        lambda: call("podman", "exec", container, "python", "-c", show).strip() == "ffd8ff", 30, "its picture"
    )


def test_the_board_starts_once_it_has_a_user_and_shows_every_camera(line: ComposedLine) -> None:
    sink = line.containers("sinks")[0]
    call("podman", "exec", sink, "sh", "-c", "echo 'a password of some words' | andon user add anna --role admin")
    token = line.run("sinks", "user", "token", "anna", "--name", "test", "--role", "viewer").strip()
    line.up("board")
    line.wait_for(lambda: line.healthy(["board"]), START_S, "the board to be healthy")
    address = call("podman", "port", line.containers("board")[0], "8081/tcp").split()[0]
    assert httpx.get(f"http://{address}/").status_code in (302, 303), "without a log-in it shows nothing"

    def shows_all() -> bool:  # it reads the registry first
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(f"http://{address}/api/v1/cameras", headers=headers, timeout=30).raise_for_status()
        return all(name in answer.text for name in CAMERAS)

    line.wait_for(shows_all, START_S, "the board to show every camera")
    line.stop("board")


def test_workers_that_are_added_share_the_partitions(line: ComposedLine) -> None:
    line.up("workers", scale="workers=3")
    workers = line.containers("workers")
    assert len(workers) == 3
    line.wait_for(lambda: line.healthy(["workers"]), START_S, "three workers to be healthy")

    def shared() -> bool:
        owned = [partitions(line, worker) for worker in workers]
        return all(owned) and sum(map(len, owned)) == len(set().union(*owned)) == 24

    line.wait_for(shared, START_S, "each worker to own partitions that no other one owns")


@pytest.mark.parametrize("service", ["workers", "sinks"])
def test_a_container_that_is_killed_is_started_again(line: ComposedLine, service: str) -> None:
    container = line.containers(service)[0]
    before = line.inspect(container)["State"]["Pid"]
    line.kill(container)
    line.wait_for(lambda: line.inspect(container)["State"]["Pid"] not in (0, before), 60, "another process")
    counted = sum(inspected(line).values())
    line.wait_for(lambda: line.healthy(ROLES), START_S, "each role to be healthy")
    line.wait_for(lambda: sum(inspected(line).values()) > counted + FPS, START_S, "frames to be inspected again")


def test_nothing_was_lost_once_the_cameras_have_stopped(line: ComposedLine, report: Report) -> None:
    line.stop("ingest")
    line.wait_for(lambda: line.audit()["ledger"]["in_flight"] == 0, START_S, "every frame to have its outcome")
    audit = line.audit()
    ledger = audit["ledger"]
    report(f"four cameras, workers 1 to 3, a worker and the sink killed: {json.dumps(ledger)}")
    assert audit["balanced"]
    assert (ledger["lost"], ledger["quarantined"]) == (0, 0)
    assert ledger["captured"] == ledger["inspected"] + ledger["shed"] > 0
    assert sorted(camera["camera"] for camera in audit["cameras"]) == sorted(CAMERAS)


def test_every_role_drains_and_ends_well(line: ComposedLine) -> None:
    line.stop("workers", "sinks")
    ended = {name: line.inspect(name)["State"]["ExitCode"] for role in ROLES for name in line.containers(role)}
    assert set(ended.values()) == {0}, ended
