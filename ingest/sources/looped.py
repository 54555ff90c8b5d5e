"""A file or a folder that starts again at its end."""

from collections.abc import Callable

from ingest.sources.source import FrameSource, Picture, SourceError, SourceInfo


class LoopedSource:
    """Round after round of the source that `again` opens. `pts_s` jumps back between rounds; the timeline goes on."""

    def __init__(self, again: Callable[[], FrameSource]) -> None:
        self._again = again
        self._round = again()
        self._read_any = False

    @property
    def info(self) -> SourceInfo:
        return self._round.info

    def read(self) -> Picture | None:
        picture = self._round.read()
        if picture is None:
            self._start_over()
            picture = self._round.read()
        self._read_any = picture is not None
        return picture

    def close(self) -> None:
        self._round.close()

    def _start_over(self) -> None:
        if not self._read_any:
            raise SourceError("it holds no picture")  # else a loop over nothing would never come back
        self._round.close()
        self._round = self._again()
