"""A container with a quota of two cores on a machine of 64 gets two threads, not 64; memory is limited alike."""

import os
from pathlib import Path

import pytest

from andon.process.machine import Machine, cores, memory_bytes, resident_bytes


@pytest.fixture(autouse=True)
def many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)


def member(folder: Path, text: str) -> Path:
    path = folder / "membership"
    path.write_text(text)
    return path


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


@pytest.mark.parametrize(("quota", "expected"), [("200000 100000", 2), ("150000 100000", 2), ("max 100000", 64)])
def test_a_quota_of_version_2_counts_as_cores(tmp_path: Path, quota: str, expected: int) -> None:
    write(tmp_path, cpu__max=quota)
    assert cores(Machine(tmp_path, member(tmp_path, "0::/\n"))) == expected


def test_the_smallest_quota_of_the_groups_around_applies(tmp_path: Path) -> None:
    write(tmp_path / "pod", cpu__max="100000 100000")
    write(tmp_path / "pod" / "container", cpu__max="400000 100000")
    assert cores(Machine(tmp_path, member(tmp_path, "0::/pod/container\n"))) == 1


def test_a_quota_of_version_1_counts_as_cores(tmp_path: Path) -> None:
    write(tmp_path / "cpu,cpuacct" / "docker", cpu__cfs_quota_us="300000", cpu__cfs_period_us="100000")
    assert cores(Machine(tmp_path, member(tmp_path, "4:memory:/docker\n3:cpu,cpuacct:/docker\n"))) == 3


def test_a_quota_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    write(tmp_path, cpu__max="nonsense")
    assert cores(Machine(tmp_path, member(tmp_path, "0::/\n"))) == 64
    assert cores(Machine(tmp_path, tmp_path / "none")) == 64


def test_a_process_has_at_most_the_cores_that_it_is_bound_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5}, raising=False)
    assert cores(Machine(tmp_path, tmp_path / "none")) == 2


@pytest.mark.parametrize("name", ["memory__max", "memory__limit_in_bytes"])
def test_the_memory_of_a_container_is_its_limit(tmp_path: Path, name: str) -> None:
    assert memory_bytes(Machine(tmp_path, tmp_path / "none")) > 1_000_000
    write(tmp_path / "pod", **{name: "123456789"})
    write(tmp_path, memory__max="max", memory__limit_in_bytes="9223372036854771712")
    assert memory_bytes(Machine(tmp_path, member(tmp_path, "0::/pod\n"))) == 123_456_789


def test_a_process_knows_the_memory_that_it_holds() -> None:
    before = resident_bytes()
    kept = b"x" * 50_000_000
    assert resident_bytes() - before > 0.8 * len(kept)
