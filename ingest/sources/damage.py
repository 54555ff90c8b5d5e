"""Decides which pictures of a stream can be trusted after damage, and counts those that the decoder left out (pure).

A picture depends on those before it, back to the last keyframe, and decoders report little: after a packet that it
refused, FFmpeg's H.264 decoder leaves pictures out or repeats the one before, and calls neither corrupt.
"""


class Damage:
    """One stream's account of packets that went into its decoder and pictures that came out."""

    def __init__(self) -> None:
        self._owed = 0
        """Packets whose pictures have not come out yet."""
        self._delay = 0
        """Packets that the decoder owed before the damage: as many as it holds back to put pictures in order."""
        self._suspect = False
        self._keyed = False
        self._begun = False

    @property
    def begun(self) -> bool:
        """Whether a picture has come out that counts."""
        return self._begun

    @property
    def keyed(self) -> bool:
        """Whether a keyframe has gone in."""
        return self._keyed

    def fed(self, *, keyframe: bool) -> None:
        """A packet goes in. Packets before the first keyframe hold no picture that could be shown."""
        self._keyed = self._keyed or keyframe
        self._owed += self._keyed

    def refused(self) -> None:
        """The decoder raised at the packet that was fed last."""
        if not self._begun:
            self._keyed, self._owed = False, 0
        elif not self._suspect:
            self._suspect, self._delay = True, self._owed - 1

    def delivered(self, *, keyframe: bool, corrupt: bool, partial: bool = False) -> bool | None:
        """A picture came out. Returns whether it is corrupt; None: leave it out. `partial`: only a part of it stands
        without the pictures before it (H.264's recovery point).

        Left out are pictures that were counted as missing already, and those of a stream that was joined between two
        keyframes, up to the first that the decoder calls whole: nothing was damaged there, the stream had not begun.
        """
        if not self._begun and corrupt and (partial or not keyframe):
            self._owed = min(self._owed, max(1, self._owed - 1))
            return None
        if self._owed <= 0:
            return None
        self._begun = True
        self._owed -= 1
        if corrupt and not self._suspect:
            self._suspect, self._delay = True, self._owed
        elif keyframe and not corrupt:
            self._suspect = False
        return self._suspect

    def missing(self) -> int:
        """How many more pictures should have come out by now and did not; each is counted once."""
        missing = max(0, self._owed - self._delay) if self._suspect else 0
        self._owed -= missing
        return missing
