"""Which of a camera's heartbeats are sent: all that say something that its frames do not (pure)."""

RARE = 5
"""Heartbeats of which one is sent, though the frames say the same: the frame rate is in no frame."""


class Heartbeats:
    """One camera's. `due` is asked once for each heartbeat."""

    def __init__(self) -> None:
        self._left_out = 0

    def due(self, *, told: bool) -> bool:
        """`told`: the log has, or is about to have, what it would say, from a frame of this moment."""
        self._left_out += 1
        return not told or self._left_out >= RARE

    def sent(self) -> None:
        """A status went out, for whatever reason."""
        self._left_out = 0
