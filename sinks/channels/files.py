"""Files at any fsspec URL, written whole or not at all. Every call blocks: use a thread of its own."""

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from andon.errors import ConfigError, RetryableError

_NAME = re.compile(r"(?!\.)[^/\\:*?\x00-\x1f]{1,200}")
"""The name of a folder or file that leads out of no folder, on any file system or object store."""


def is_safe(path: str) -> bool:
    """Whether the path leads out of no folder, on any file system or object store."""
    return all(_NAME.fullmatch(part) for part in path.split("/"))


class FilesBusy(RetryableError):  # noqa: N818  # like SinkBusy
    """The storage is full, read-only or unreachable. The same call may succeed later."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    name: str
    size: int
    """Bytes."""


class Files:
    """The files and folders below one URL."""

    def __init__(self, url: str) -> None:
        """Touches no storage. Raises ConfigError for a URL that fsspec can't open."""
        try:
            filesystem, root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise ConfigError(f"sinks.evidence.url: {type(error).__name__}: {_scheme(url)} can't be opened") from None
        self._filesystem: Any = filesystem
        self._root = str(root).rstrip("/")
        self._local = isinstance(filesystem, LocalFileSystem)

    def exists(self, path: str) -> bool:
        try:
            return bool(self._filesystem.exists(f"{self._root}/{path}"))
        except Exception as error:  # fsspec passes on whatever the storage's own client raises
            raise self._busy("look into", error) from error

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """The content of a file. None: there is none, or it is larger than `max_bytes`. Raises FilesBusy."""
        try:
            content: bytes = self._filesystem.cat_file(f"{self._root}/{path}", start=0, end=max_bytes + 1)
        except FileNotFoundError:
            return None
        except Exception as error:  # fsspec passes on whatever the storage's own client raises
            raise self._busy("read from", error) from error
        return content if len(content) <= max_bytes else None

    def write(self, path: str, content: bytes) -> None:
        """Write a file. A reader sees no file or the whole `content`, never a part. Raises FilesBusy."""
        target = f"{self._root}/{path}"
        try:
            if self._local:
                _write_local(Path(target), content)
            else:
                self._filesystem.makedirs(str(PurePosixPath(target).parent), exist_ok=True)
                self._filesystem.pipe_file(target, content)  # object stores show an object only when it is whole
        except Exception as error:  # fsspec passes on whatever the storage's own client raises
            raise self._busy("write to", error) from error

    def folders(self, path: str) -> list[str]:
        """The names of the folders in a folder; `""` is the root. Empty where there is no such folder."""
        return [self._name(item) for item in self._list(path) if item["type"] == "directory"]

    def files(self, path: str) -> list[StoredFile]:
        """The files in a folder; empty where there is no such folder."""
        return [StoredFile(self._name(item), item["size"] or 0) for item in self._list(path) if item["type"] == "file"]

    def remove(self, path: str) -> bool:
        """Whether it was there. Raises FilesBusy."""
        try:
            self._filesystem.rm_file(f"{self._root}/{path}")
        except FileNotFoundError:
            return False
        except Exception as error:  # fsspec passes on whatever the storage's own client raises
            raise self._busy("delete from", error) from error
        return True

    def remove_empty(self, path: str) -> None:
        """Remove a folder that is empty. An object store has none, and one that is not empty stays."""
        try:
            self._filesystem.rmdir(f"{self._root}/{path}")
        except Exception:  # noqa: S110 - fsspec passes on whatever the storage raises, and the next pass tries again
            pass

    def _list(self, path: str) -> list[dict[str, Any]]:
        folder = f"{self._root}/{path}".rstrip("/")
        try:
            self._filesystem.invalidate_cache(folder)  # a listing of an object store is kept for ever else
            return list(self._filesystem.ls(folder or "/", detail=True))
        except FileNotFoundError:
            return []
        except Exception as error:  # fsspec passes on whatever the storage's own client raises
            raise self._busy("look into", error) from error

    @staticmethod
    def _name(item: dict[str, Any]) -> str:
        return PurePosixPath(str(item["name"]).rstrip("/")).name

    def _busy(self, what: str, error: Exception) -> FilesBusy:
        why = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        return FilesBusy(f"can't {what} {self._root or '/'}: {why}")


def _write_local(target: Path, content: bytes) -> None:
    """Write the file under another name, flush it to the disk, then rename it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _scheme(url: str) -> str:
    """The part of the URL that can hold no password."""
    return f"{url.partition('://')[0]}://..." if "://" in url else url
