"""Hears which RTP packets are missing. FFmpeg's RTSP demuxer says it in its log only, and hands on what is left.

FFmpeg counts the gaps where it keeps a queue for packets that overtake each other: over UDP always, over TCP only if
`reorder_queue_size` asks for it.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import av

_MISSED = re.compile(r"RTP: missed (\d+) packets")
_REFUSED = re.compile(r"RTP: (PT=\S+ bad cseq|dropping old packet)")
QUEUE = {"tcp": "2"}
"""`reorder_queue_size` by transport: TCP keeps the order, so two packets prove a gap. Else FFmpeg's own."""


class RtpLosses:
    """One stream's: counts what is missing while it is read. Used by the stream's thread."""

    def __init__(self) -> None:
        self._missed = 0
        _listen()

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Around every call that reads from the network, on the thread that makes it."""
        with av.logging.Capture(local=True) as lines:
            yield
        self._missed += sum(_count(text) for _, _, text in lines)

    def taken(self) -> int:
        """The packets that are missing since the last call, at least."""
        missed, self._missed = self._missed, 0
        return missed


def _count(text: str) -> int:
    missed = _MISSED.search(text)
    return int(missed[1]) if missed else int(_REFUSED.search(text) is not None)


def _listen() -> None:
    """Let FFmpeg's warnings be heard. For the whole process: nobody else gets them, they may hold a camera's url."""
    if av.logging.get_level() is None:
        logger = logging.getLogger("libav")
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
        av.logging.set_skip_repeated(False)  # else the same number of missing packets twice is heard once
        av.logging.set_level(av.logging.WARNING)
