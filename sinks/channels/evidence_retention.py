"""Keeps the evidence within its age and its size: the oldest clips go first, then the oldest pictures. Works at any
fsspec URL; blocks.

Pictures lie in `camera/date/name.jpg`. The date of the folder is the picture's age, so one listing of the folders finds
what is too old; within a day the names sort by session and number. Several sinks may prune the same place: all choose
the same files, and a file that is gone already counts for none of them. A file that no sink wrote stays.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date

from sinks.channels.clip_paths import CLIP
from sinks.channels.files import Files, StoredFile

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
PICTURE = re.compile(r"[^/]+\.(jpg|raw\.png|json|mp4)|\.[^/]+\.part")
"""A picture, untouched or marked, its facts or the note that its frame had expired, its clip, and what a crash left."""

Limit = Callable[[], AbstractContextManager[object]]
"""Makes the time limit of one call to the storage."""


@dataclass(frozen=True, slots=True)
class FileCounts:
    files: int = 0
    bytes: int = 0

    def __add__(self, other: "FileCounts") -> "FileCounts":
        return FileCounts(self.files + other.files, self.bytes + other.bytes)


@dataclass(frozen=True, slots=True, order=True)
class _Day:
    date: str
    folder: str


class EvidenceRetention:
    """Prunes one place. For a thread of its own."""

    def __init__(self, files: Files, max_bytes: int, limit: Limit) -> None:
        self._files = files
        self._max_bytes = max_bytes
        self._limit = limit

    def prune(self, before: date, *, dry_run: bool = False) -> FileCounts:
        """Delete what is from before this date, then the oldest clips, then pictures until the rest fits.
        Raises FilesBusy.

        With `dry_run` nothing is deleted; returns what would be.
        """
        days = sorted(self._days())
        old = [day for day in days if day.date < before.isoformat()]
        counts = FileCounts()
        for day in old:
            counts += self._remove(day, self._pictures(day), dry_run=dry_run)
        return counts + self._shrink(days[len(old) :], dry_run=dry_run)

    def _shrink(self, days: list[_Day], *, dry_run: bool) -> FileCounts:
        sizes = {day: self._sizes(day) for day in days}
        excess, counts = sum(sum(each) for each in sizes.values()) - self._max_bytes, FileCounts()
        # a clip is as large as forty pictures, so clips would push the pictures out
        for clips in (True, False):
            for day in days:
                if excess <= 0:
                    return counts
                size = sizes[day][0 if clips else 1]
                # what shall stay is known from the first listing: another sink may delete the same files meanwhile
                files = self._oldest(day, keep=max(0, size - excess), clips=clips)
                counts += self._remove(day, files, dry_run=dry_run)
                excess -= size
        return counts

    def _sizes(self, day: _Day) -> tuple[int, int]:
        """Bytes of the day's clips, and of everything else."""
        files = self._pictures(day)
        clips = sum(file.size for file in files if file.name.endswith(CLIP))
        return clips, sum(file.size for file in files) - clips

    def _oldest(self, day: _Day, keep: int, *, clips: bool) -> list[StoredFile]:
        """The day's first clips, or its first other files, without which the rest of them has at most `keep` bytes."""
        files = [file for file in self._pictures(day) if file.name.endswith(CLIP) == clips]
        files.sort(key=lambda file: file.name)
        rest = sum(file.size for file in files)
        chosen: list[StoredFile] = []
        for file in files:
            if rest <= keep:
                break
            chosen.append(file)
            rest -= file.size
        return chosen

    def _days(self) -> list[_Day]:
        with self._limit():
            cameras = self._files.folders("")
        found = []
        for camera in cameras:
            with self._limit():
                names = self._files.folders(camera)
            found += [_Day(name, f"{camera}/{name}") for name in names if DATE.fullmatch(name)]
        return found

    def _pictures(self, day: _Day) -> list[StoredFile]:
        with self._limit():
            return [file for file in self._files.files(day.folder) if PICTURE.fullmatch(file.name)]

    def _remove(self, day: _Day, files: list[StoredFile], *, dry_run: bool) -> FileCounts:
        counts = FileCounts()
        for file in files:
            with self._limit():
                if dry_run or self._files.remove(f"{day.folder}/{file.name}"):
                    counts += FileCounts(1, file.size)
        if not dry_run:
            with self._limit():
                self._files.remove_empty(day.folder)
        return counts
