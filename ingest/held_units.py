"""Access units that must be decoded and are no frames: they travel within the next frame's record (pure).

Such are the pictures beyond a camera's `fps`, and those that its stream holds but does not show.
"""

from dataclasses import replace

from ingest.sources.source import EncodedPicture, Picture, Video


class HeldUnits:
    """One session's. At most one group of pictures waits here: what begins anew needs nothing from before."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held: list[EncodedPicture] = []
        self._bytes = 0
        self._gap: str | None = None

    def hold(self, picture: Picture) -> None:
        """The picture is no frame."""
        unit = picture.unit
        assert unit is not None
        if picture.restarts:
            self._clear()
        self._held.append(unit)
        self._bytes += len(unit.payload)
        if self._bytes > self._max_bytes:
            self._clear()
            self._gap = f"more than {self._max_bytes} bytes came between two frames"

    def before(self, picture: Picture) -> EncodedPicture:
        """The frame's record: everything that was held, and the picture."""
        unit = picture.unit
        assert unit is not None
        assert unit.video is not None
        if picture.restarts:
            self._clear()
        held, gap = [*self._held, unit], self._gap
        self._clear()
        if len(held) == 1 and gap is None:
            return unit
        videos = [item.video for item in held if item.video is not None]
        gap = gap or next((video.gap for video in videos if video.gap is not None), None)
        lengths = tuple(len(item.payload) for item in held) if len(held) > 1 else None
        video = Video(unit.video.content_type, videos[0].keyframe and gap is None, gap, lengths, unit.video.turn)
        return replace(unit, payload=b"".join(item.payload for item in held), video=video)

    def _clear(self) -> None:
        self._held, self._bytes, self._gap = [], 0, None
