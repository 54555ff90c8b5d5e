"""The stored evidence of defects, for pages: pictures, small ones, clips and facts, read on threads of their own.

A storage that hangs holds up its own readers and nothing else. Small pictures are made once and kept within a bound.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import TypeVar

from PIL import Image

from andon.errors import RetryableError
from andon.messages import Defect
from andon.settings import EvidenceSettings
from sinks.channels.clip_paths import CLIP, clip_beside
from sinks.channels.evidence_files import EvidenceFacts, expired_path, facts_path, raw_path
from sinks.channels.files import Files
from sinks.judgement.consequences import evidence_path

T = TypeVar("T")
READ_S = 10.0
THREADS = 4
MOST_PICTURE, MOST_CLIP, MOST_FACTS = 50_000_000, 100_000_000, 1_000_000
SMALL_PX = 320
SMALL_QUALITY = 75
KEPT_BYTES = 16_000_000
"""Of small pictures in memory: about 1,000."""


def path_of(defect: Defect) -> str:
    """Of a defect's marked picture, below the evidence URL; derived, so no stored address leads anywhere else."""
    return evidence_path(defect.defect_id, defect.opened_at)


class StoredEvidence:
    """Event loop only."""

    def __init__(self, settings: EvidenceSettings) -> None:
        self._files = Files(settings.url)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="andon-evidence-read")
        self._small: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    async def facts(self, path: str) -> EvidenceFacts | None:
        """None: they are not stored: not yet, no longer, or by an earlier version."""
        content = await self._read(facts_path(path), MOST_FACTS)
        return None if content is None else EvidenceFacts.read_json(content)

    async def marked(self, path: str) -> bytes | None:
        return await self._read(path, MOST_PICTURE)

    async def untouched(self, path: str) -> tuple[bytes, str] | None:
        """The picture and its content type."""
        facts = await self.facts(path)
        content = None if facts is None else await self._read(raw_path(path, facts.content_type), MOST_PICTURE)
        return None if content is None or facts is None else (content, facts.content_type)

    async def clip(self, path: str) -> bytes | None:
        return await self._read(clip_beside(path, CLIP), MOST_CLIP)

    async def has_marked(self, path: str) -> bool:
        return await self._run(lambda: self._files.exists(path))

    async def has_clip(self, path: str) -> bool:
        return await self._run(lambda: self._files.exists(clip_beside(path, CLIP)))

    async def has_expired(self, path: str) -> bool:
        """The frame was gone before its picture could be stored."""
        return await self._run(lambda: self._files.exists(expired_path(path)))

    async def small(self, path: str) -> bytes | None:
        """The marked picture, shrunk."""
        if path in self._small:
            self._small.move_to_end(path)
            return self._small[path]
        content = await self.marked(path)
        if content is None:
            return None
        small_picture = await self._run(lambda: shrunk(content))
        if path not in self._small:
            self._small[path] = small_picture
            self._bytes += len(small_picture)
        while self._bytes > KEPT_BYTES:
            self._bytes -= len(self._small.popitem(last=False)[1])
        return small_picture

    async def _read(self, path: str, most: int) -> bytes | None:
        return await self._run(lambda: self._files.read(path, most))

    async def _run(self, work: Callable[[], T]) -> T:
        """Raises RetryableError while the storage is away or slow."""
        try:
            async with asyncio.timeout(READ_S):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError:
            raise RetryableError(f"the evidence has not answered for {READ_S:.0f} s") from None


def shrunk(picture: bytes) -> bytes:
    """A JPEG of at most SMALL_PX pixels a side. A picture that can't be decoded is given back as it is."""
    out = BytesIO()
    try:
        with Image.open(BytesIO(picture), formats=["JPEG"]) as image:
            image.draft("RGB", (SMALL_PX, SMALL_PX))
            image.thumbnail((SMALL_PX, SMALL_PX))
            image.convert("RGB").save(out, "JPEG", quality=SMALL_QUALITY)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return picture
    return out.getvalue()
