"""Deinterlaces: an interlaced picture holds two moments in alternate lines, so whatever moves has a comb for an edge.

The filter is FFmpeg's bwdif. It looks at the pictures before and after, so each comes out one picture later. Its
cost is in docs/operations.md.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import av
from av.filter import Graph
from av.video.frame import VideoFrame

from andon.settings.cameras import Deinterlace
from ingest.sources.upright import UPRIGHT, Orientation


@dataclass(frozen=True, slots=True)
class PictureSlot:
    """A place in the sequence of pictures."""

    frame: VideoFrame | None
    """None: the decoder has left it out."""
    corrupt: bool
    orientation: Orientation | None = UPRIGHT
    """As `Traits.orientation`. The filter does not hand it on."""


class Deinterlacer:
    """One stream's. Takes every picture, gives each back once and in order."""

    def __init__(self, mode: Deinterlace) -> None:
        self._mode = mode
        self._graph: Graph | None = None
        self._shape: tuple[int, int, str] | None = None
        self._inside: deque[PictureSlot] = deque()
        """Those that have not come out of the filter yet, and what is missing between them."""
        self._corrupt_before = False
        self.interlaced = False
        """A picture so far was interlaced, as the stream says."""

    @property
    def active(self) -> bool:
        """Whether pictures go through the filter from here on."""
        return self._mode == "on" or (self._mode == "auto" and self.interlaced)

    def take(self, item: PictureSlot) -> list[PictureSlot]:
        """The pictures that are ready by now. One beside a corrupt one is corrupt, too: its pixels are in it."""
        frame = item.frame
        if frame is None:
            self._inside.append(item)
            return self.end() if self._graph is None else []
        self.interlaced = self.interlaced or frame.interlaced_frame
        if not self.active:
            return [item]
        shape = (frame.width, frame.height, frame.format.name)
        before = self.end() if shape != self._shape else []
        graph = self._graph if self._graph is not None else self._built(frame)
        self._shape = shape
        self._inside.append(item)
        graph.push(frame)
        return before + list(self._come_out(graph))

    def end(self) -> list[PictureSlot]:
        """Empties the filter. Another picture may follow."""
        graph, self._graph, self._shape = self._graph, None, None
        out: list[PictureSlot] = []
        if graph is not None:
            graph.push(None)
            out = list(self._come_out(graph))
        out += self._inside
        self._inside.clear()
        return out

    def _come_out(self, graph: Graph) -> Iterator[PictureSlot]:
        while (frame := _pulled(graph)) is not None:
            while self._inside[0].frame is None:
                yield self._inside.popleft()
            own = self._inside.popleft()
            beside = next((item.corrupt for item in self._inside), False)
            yield PictureSlot(frame, own.corrupt or self._corrupt_before or beside, own.orientation)
            self._corrupt_before = own.corrupt

    def _built(self, frame: VideoFrame) -> Graph:
        graph = Graph()
        graph.threads = 1
        which = "all" if self._mode == "on" else "interlaced"
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        graph.link_nodes(
            source, graph.add("bwdif", f"mode=send_frame:parity=auto:deint={which}"), graph.add("buffersink")
        )
        graph.configure()
        self._graph = graph
        self._corrupt_before = False
        return graph


def _pulled(graph: Graph) -> VideoFrame | None:
    try:
        return graph.vpull()
    except (av.BlockingIOError, av.EOFError):
        return None
