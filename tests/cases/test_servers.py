"""Redis and PostgreSQL with versions, modes and settings that do not fit, and the file systems below SQLite."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from andon import filesystem, redis_server
from andon import redis as andon_redis
from andon.errors import AndonError, ConfigError
from andon.settings import CameraSettings, Settings, SpoolSettings
from ingest.role import spool_risks
from sinks.store.store import Store
from tests.cases.case import Case, rows
from tests.postgres_server import PostgresServer, missing
from tests.redis_server import RedisWith, ask


@dataclass(frozen=True, slots=True)
class RedisGiven:
    """A server started with these arguments, and the line about it, as a pattern."""

    arguments: tuple[str, ...]
    line: str
    refused: bool = True


REDIS = [
    Case(
        "a Redis Cluster is refused at the first look, before any alert waits",
        "redis#4560, dify#31700",
        RedisGiven(("--cluster-enabled", "yes"), "is a node of a Redis Cluster, which is not supported; name a single"),
    ),
    Case(
        "a Sentinel is refused, and the line says that it stores nothing",
        "seen by hand",
        RedisGiven(("--sentinel",), "is a Sentinel, which stores nothing; name the server itself"),
    ),
    Case(
        "a replica is reported, since it takes no alerts until it is promoted",
        "seen by hand",
        RedisGiven(("--replicaof", "127.0.0.1 9"), "is a replica and takes no alerts", refused=False),
    ),
    Case(
        "a Redis that evicts is reported, since it may delete alerts that nobody has read",
        "seen by hand",
        RedisGiven(
            ("--maxmemory", "20mb", "--maxmemory-policy", "allkeys-lru"),
            "maxmemory-policy allkeys-lru may delete alerts that nobody has read: set noeviction",
            refused=False,
        ),
    ),
]


@rows(REDIS)
async def test_redis(given: RedisGiven, tmp_path: Path) -> None:
    with RedisWith(*given.arguments, folder=tmp_path) as server:
        client = andon_redis.client(server.url, 5.0)
        try:
            lines = await redis_server.check(client)
        except AndonError as refusal:
            assert given.refused
            lines = [str(refusal)]
        else:
            assert not given.refused
        finally:
            await client.aclose()
    assert len(lines) == 1
    assert re.search(given.line, lines[0])
    assert f"127.0.0.1:{server.port}" in lines[0]


def test_an_old_redis_is_refused_with_both_versions() -> None:
    assert redis_server.refusal({"redis_version": "6.0.16"}) == "is version 6.0.16; Andon needs 6.2 or newer"
    assert redis_server.refusal({"redis_version": "6.2.0", "redis_mode": "standalone"}) is None


async def test_a_plain_redis_has_nothing_to_report(valkey_url: str) -> None:
    client = andon_redis.client(valkey_url, 5.0)
    assert await redis_server.check(client) == []
    await client.aclose()


async def test_a_redis_that_keeps_its_version_secret_is_used_and_reported(tmp_path: Path) -> None:
    with RedisWith(folder=tmp_path) as server:
        client = andon_redis.client(server.url, 5.0)
        await ask(client, "ACL", "SETUSER", "default", "-info")
        (line,) = await redis_server.check(client)
        await client.aclose()
    assert line.endswith("its version and mode are unknown: grant the user +info")


@dataclass(frozen=True, slots=True)
class PostgresGiven:
    """A change to a running server, and the line about it, as a pattern."""

    change: Callable[[PostgresServer], str]
    """Returns the URL of the store."""
    line: str
    refused: bool = True


def _standby(server: PostgresServer) -> str:
    server.stop()
    (server.data / "standby.signal").touch()
    server.start()
    return server.url


def _read_only(server: PostgresServer) -> str:
    server.settings["default_transaction_read_only"] = "on"
    server.stop()
    server.start()
    return server.url


def _ascii(server: PostgresServer) -> str:
    with psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("create database ascii encoding 'SQL_ASCII' template template0")
    return server.url.replace("/postgres", "/ascii")


def _no_fsync(server: PostgresServer) -> str:
    return server.url  # tests run without it


POSTGRESQL = [
    Case(
        "a standby of PostgreSQL is refused, and the line names the primary as the remedy",
        "seen by hand",
        PostgresGiven(_standby, "it is a standby, which takes no writes; name the primary"),
    ),
    Case(
        "a PostgreSQL whose transactions are read-only by default is refused",
        "seen by hand",
        PostgresGiven(_read_only, "default_transaction_read_only is on"),
    ),
    Case(
        "a database whose encoding can't hold every label is refused",
        "seen by hand",
        PostgresGiven(_ascii, "its encoding is SQL_ASCII, which can't hold every label"),
    ),
    Case(
        "a PostgreSQL without fsync is reported, since a power cut may destroy the store",
        "seen by hand",
        PostgresGiven(_no_fsync, "fsync is off: a power cut may destroy the store", refused=False),
    ),
]


@rows(POSTGRESQL)
async def test_postgresql(given: PostgresGiven) -> None:
    if reason := missing():
        pytest.skip(reason)
    with PostgresServer() as server:
        url = given.change(server)
        if given.refused:
            with pytest.raises(ConfigError, match=given.line):
                await Store.open(url)
        else:
            async with _opened(url) as store:
                assert len(store.risks) == 1
                assert re.search(given.line, store.risks[0])


@dataclass(frozen=True, slots=True)
class DiskGiven:
    kind: str
    """The file system's name in Linux."""
    line: str
    """About the store on it, as a pattern; empty: there is nothing to say."""
    refused: bool = False


DISKS = [
    Case("SQLite behind NFS is refused", "sqlite.org/wal.html", DiskGiven("nfs4", "it lies on nfs4", refused=True)),
    Case("SQLite on SMB is refused", "sqlite.org/wal.html", DiskGiven("cifs", "lies on cifs", refused=True)),
    Case("SQLite through sshfs is refused", "sqlite.org/wal.html", DiskGiven("fuse.sshfs", "fuse.sshfs", refused=True)),
    Case("a store in memory is reported", "seen by hand", DiskGiven("tmpfs", "lies in memory, and goes with it")),
    Case("a store in a container's layer is reported", "seen by hand", DiskGiven("overlay", "container's own layer")),
    Case("a store on a local disk has nothing to report", "seen by hand", DiskGiven("ext4", "")),
    Case("a store on a local disk by FUSE has nothing to report", "seen by hand", DiskGiven("fuseblk", "")),
]


@rows(DISKS)
async def test_the_disk_below_sqlite(given: DiskGiven, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:9 / {tmp_path} rw shared:1 - {given.kind} host:/a rw\n")
    monkeypatch.setattr(filesystem, "MOUNTS", mounts)
    url = f"sqlite:///{tmp_path}/store/andon.db"
    if given.refused:
        with pytest.raises(ConfigError, match=given.line):
            await Store.open(url)
        return
    async with _opened(url) as store:
        assert len(store.risks) == (1 if given.line else 0)
        assert all(re.search(given.line, risk) for risk in store.risks)


SPOOLS = [
    Case("a spool behind NFS is reported", "seen by hand", DiskGiven("nfs4", "the spool fails with the broker")),
    Case("a spool in memory is reported", "seen by hand", DiskGiven("tmpfs", "lies in memory, and goes with it")),
    Case("a spool on a local disk has nothing to report", "seen by hand", DiskGiven("xfs", "")),
]


@rows(SPOOLS)
def test_the_disk_below_the_spool(given: DiskGiven, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:9 / {tmp_path} rw shared:1 - {given.kind} host:/a rw\n")
    monkeypatch.setattr(filesystem, "MOUNTS", mounts)
    camera = CameraSettings(id="press-1", url="rtsp://127.0.0.1/1")
    settings = Settings(cameras=(camera,), spool=SpoolSettings(folder=str(tmp_path / "spool")))
    found = [event.what for event in spool_risks(settings, settings.cameras)]
    assert len(found) == (1 if given.line else 0)
    assert all(re.search(given.line, what) for what in found)
    freshest = settings.model_copy(update={"cameras": (camera.model_copy(update={"policy": "freshest"}),)})
    assert spool_risks(freshest, freshest.cameras) == []


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Store]:
    store = await Store.open(url)
    try:
        yield store
    finally:
        await store.close()


def test_the_deepest_mount_decides_and_a_later_one_covers_an_earlier_one() -> None:
    mounts = (
        "1 0 8:1 / / rw - ext4 /dev/a rw\n"
        "2 1 8:2 / /a\\040b rw - xfs /dev/b rw\n"
        "3 1 0:9 / /a\\040b rw - nfs host:/b rw\n"
        "4 1 0:9 / /ab rw - cifs //host/c rw\n"
    )
    assert filesystem.kind(Path("/a b/c/d.db"), mounts) == "nfs"
    assert filesystem.kind(Path("/ab/d.db"), mounts) == "cifs"
    assert filesystem.kind(Path("/abc/d.db"), mounts) == "ext4"
    assert filesystem.kind(Path("/a"), "") == ""
