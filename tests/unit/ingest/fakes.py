"""What ingest's tests are built from: frames, pictures, a source that follows a script."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

import numpy as np

from andon.clock import Clock
from andon.messages import CameraStatus, ClockSource, Frame
from andon.pictures.picture import Bgr
from andon.settings import CameraSettings
from ingest.sources.source import FrameSource, NoPictureYetError, Picture, SourceError, SourceInfo
from tests.fakes import START


def frame(
    seq: int,
    *,
    session: str = "s",
    size_bytes: int = 10,
    age_s: float = 0.0,
    at: datetime = START,
    keyframe: bool | None = None,
) -> Frame:
    """`keyframe`: it is video, and a decoder can start with it or can't. None: it is a JPEG."""
    return Frame(
        camera_id="c",
        session=session,
        seq=seq,
        captured_at=at - timedelta(seconds=age_s),
        clock="host",
        width=4,
        height=4,
        content_type="image/jpeg" if keyframe is None else "video/h264",
        payload=bytes(size_bytes),
        keyframe=bool(keyframe),
    )


def status(session: str | None = "s", *, final: bool = False, captured: int = 0, detail: str = "") -> CameraStatus:
    return CameraStatus(
        camera_id="c", session=session, state="online", captured=captured, final=final, at=START, detail=detail
    )


def camera_settings(**values: object) -> CameraSettings:
    return CameraSettings.model_validate(
        {"id": "c", "url": "clip.mp4", "pace": "fast", "reconnect_max_s": 0.01, **values}
    )


def bgr(width: int = 64, height: int = 48, value: int = 90) -> Bgr:
    return np.full((height, width, 3), value, np.uint8)


def pictures(count: int, fps: float = 25.0) -> list[Picture]:
    return [Picture(index / fps, bgr) for index in range(count)]


class ScriptedSource:
    """Delivers what it is given: pictures, and at an error's place that error. Then it has ended."""

    def __init__(
        self,
        script: Iterable[Picture | SourceError | NoPictureYetError],
        clock: ClockSource = "file",
        before_read: Callable[[], None] = lambda: None,
    ) -> None:
        self._script: Iterator[Picture | SourceError | NoPictureYetError] = iter(script)
        self._before_read = before_read
        self.info = SourceInfo("fake", 64, 48, 25.0, clock)
        self.closed = False

    def read(self) -> Picture | None:
        self._before_read()
        item = next(self._script, None)
        if isinstance(item, SourceError | NoPictureYetError):
            raise item
        return item

    def try_read(self) -> Picture | None:
        return self.read()

    def close(self) -> None:
        self.closed = True


class Opener:
    """An `open_source` that hands out what it is given, in turn; the last one again and again."""

    def __init__(self, *turns: Callable[[], FrameSource] | SourceError) -> None:
        self._turns = list(turns)
        self.cameras: list[CameraSettings] = []
        """Those that were opened, in turn."""

    @property
    def calls(self) -> int:
        return len(self.cameras)

    def __call__(self, camera: CameraSettings, clock: Clock) -> FrameSource:
        turn = self._turns[min(self.calls, len(self._turns) - 1)]
        self.cameras.append(camera)
        if isinstance(turn, SourceError):
            raise turn
        return turn()
