"""How long a camera may take for its next picture before its connection counts as dead (pure).

`read_timeout_s` says it, for a camera with a usual rate. One that sends a picture every few seconds would be connected
anew after each. So a camera that delivered, but on average took half its limit or longer, gets several times as long in
its next session: several, because FFmpeg hands a picture out only when the next one comes. Once it delivers faster, it
has the limit of line.yaml again.
"""

MOST_TIMES = 4
"""A slow camera's limit, as a multiple of `read_timeout_s`: a dead connection must not be trusted for long."""


class ReadLimit:
    """One camera's, over all its sessions."""

    def __init__(self, read_timeout_s: float) -> None:
        self._least_s = read_timeout_s
        self.seconds = read_timeout_s

    def lost(self, captured: int, delivered_s: float) -> bool:
        """A session fell silent, `delivered_s` after its first picture. Whether the limit is longer from now on."""
        before_s, slow = self.seconds, captured > 0 and 2 * delivered_s >= captured * self.seconds
        if slow:
            self.seconds = MOST_TIMES * self._least_s
        elif 2 * delivered_s < captured * self._least_s:
            self.seconds = self._least_s
        return self.seconds > before_s
