"""The demands on a Redis server: its version, its mode, and the settings that could cost alerts. Read, not assumed."""

from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from andon.errors import FatalError
from andon.redis import address

OLDEST = (6, 2)
"""XAUTOCLAIM, which the client for alert consumers uses, came with it (https://redis.io/commands/xautoclaim)."""


async def check(redis: Redis) -> list[str]:
    """One INFO. Returns a line for each setting that risks alerts: what it is, and what to change.

    Raises FatalError, in one line, for a server that can't serve: too old, a Redis Cluster, a Sentinel; and what redis
    raises while the server is away or refuses us.
    """
    try:
        info: dict[str, Any] = await redis.info()
    except NoPermissionError:
        return [f"redis at {address(redis)}: its version and mode are unknown: grant the user +info"]
    if (reason := refusal(info)) is not None:
        raise FatalError(f"redis at {address(redis)}: {reason}")
    return [f"redis at {address(redis)}: {line}" for line in risks(info)]


def refusal(info: dict[str, Any]) -> str | None:
    """Why the server can't serve, in one line; None: it can. `info` is the answer to INFO."""
    mode = info.get("redis_mode") or info.get("server_mode")  # Valkey's name for it
    if mode == "cluster" or info.get("cluster_enabled"):
        return "is a node of a Redis Cluster, which is not supported; name a single server in redis.url"
    if mode == "sentinel":
        return "is a Sentinel, which stores nothing; name the server itself in redis.url"
    version = str(info.get("redis_version", ""))
    if version and _numbers(version) < OLDEST:
        return f"is version {version}; Andon needs {'.'.join(map(str, OLDEST))} or newer"
    return None


def risks(info: dict[str, Any]) -> list[str]:
    """Settings with which alerts may be late or lost, each as one line."""
    found = []
    if info.get("role") == "slave":
        found.append("is a replica and takes no alerts until it is promoted; name the primary in redis.url")
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if info.get("maxmemory") and policy != "noeviction":
        found.append(f"maxmemory-policy {policy} may delete alerts that nobody has read: set noeviction")
    return found


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
