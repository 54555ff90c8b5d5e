"""The evidence folder is read-only or full: the alerts leave all the same, and the pictures follow."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from andon.settings import KafkaSettings, RedisSettings
from tests.faults.conftest import ReportRecovery
from tests.faults.recording import Encoding
from tests.faults.sinks.feed import CAMERAS
from tests.faults.sinks.plant import Plant, plant


@contextmanager
def tiny_disk(folder: Path) -> Iterator[Path]:
    """A file system of 2 MB, or a skip where none can be mounted."""
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=2m", "andon-test", str(folder)]
    done = subprocess.run(mounting, check=False, capture_output=True) if shutil.which("mount") else None
    if os.geteuid() != 0 or done is None or done.returncode != 0:
        pytest.skip("this test mounts a small file system: it needs root, and a container that may mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with tiny_disk(tmp_path / "evidence") as folder:
        yield folder


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how},size=2m", str(folder)], check=True)


def fill(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return filler


async def test_evidence_folder_read_only(
    kafka: KafkaSettings,
    valkey: RedisSettings,
    disk: Path,
    tmp_path: Path,
    report_recovery: ReportRecovery,
    encoding: Encoding,
) -> None:
    async with plant(tmp_path, kafka, valkey, rounds=2, encoding=encoding) as here:
        remount(disk, "ro")
        await alerts_leave(here, "Read-only file system")
        remount(disk, "rw")
        await pictures_follow(here, disk, report_recovery)


async def test_evidence_folder_full(
    kafka: KafkaSettings,
    valkey: RedisSettings,
    disk: Path,
    tmp_path: Path,
    report_recovery: ReportRecovery,
    encoding: Encoding,
) -> None:
    async with plant(tmp_path, kafka, valkey, rounds=2, encoding=encoding) as here:
        filler = fill(disk)
        await alerts_leave(here, "No space left on device")
        filler.unlink()
        await pictures_follow(here, disk, report_recovery)


async def alerts_leave(here: Plant, why: str) -> None:
    await here.feed.publish([0])
    await here.wait_for_alerts(here.feed.expected([0]))
    await here.until(lambda: why in here.log, 30, "the sink to say so")
    assert not list((here.folder / "evidence").rglob("*[0-9].jpg"))


async def pictures_follow(here: Plant, disk: Path, report_recovery: ReportRecovery) -> None:
    stored = len(CAMERAS)
    seconds = await here.until(lambda: len(list(disk.rglob("*[0-9].jpg"))) == stored, 60, "the pictures")
    report_recovery(seconds, "the pictures of the defects meanwhile")
    await here.feed.publish([1])
    await here.nothing_lost_nothing_twice(here.feed.expected(range(2)))
    await here.until(lambda: len(list(disk.rglob("*[0-9].jpg"))) == 2 * stored, 60, "the pictures after that")
    assert all_whole(disk)


def all_whole(disk: Path) -> bool:
    pictures = [path.read_bytes() for path in disk.rglob("*[0-9].jpg")]
    return not list(disk.rglob("*.part")) and all(content.startswith(b"\xff\xd8") for content in pictures)
