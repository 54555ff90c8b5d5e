"""The kind of file system that a path lies on, for those whose files need locks, shared memory or a lasting disk."""

import os
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
NETWORK = frozenset(
    {"9p", "afs", "ceph", "cifs", "gfs2", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"}
)
"""Kinds that a network lies behind, by their names in Linux."""
REMOTE_FUSE = ("fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.ceph", "fuse.nfs")
PASSING = {"tmpfs": "in memory", "ramfs": "in memory", "overlay": "in the container's own layer"}
"""Kinds whose files go with the machine's power or with the container."""


def kind(path: Path, mounts: str | None = None) -> str:
    """The file system's name in Linux, such as `ext4`; empty where it can't be known. `path` need not exist yet.

    `mounts`: the text of proc_pid_mountinfo(5); None reads this process' own.
    """
    if mounts is None:
        try:
            mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return ""
    real, best, found = os.path.realpath(path), -1, ""
    for line in mounts.splitlines():
        mount, _, rest = line.partition(" - ")
        fields = mount.split(" ")
        if len(fields) < 5 or not rest:
            continue
        point = _unescaped(fields[4])
        if len(point) >= best and (real == point or real.startswith(point.rstrip("/") + "/")):  # the later one covers
            best, found = len(point), rest.split(" ")[0]
    return found


def is_network(name: str) -> bool:
    """Whether a file system of this name lies behind a network."""
    return name in NETWORK or name.startswith(REMOTE_FUSE)


def passing(path: Path) -> str | None:
    """Why what lies there does not last, in one line; None: it lies on a disk, or that can't be known."""
    where = PASSING.get(kind(path))
    return None if where is None else f"{path} lies {where}, and goes with it: use a disk or a volume"


def _unescaped(point: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, character)
    return point
