"""The faults of the tests' RTSP camera. Each can be combined with every other; the defaults are a faultless camera."""

from dataclasses import dataclass
from typing import Literal

Timestamps = Literal["steady", "zero", "jump_ahead", "jump_back", "outliers", "wrap", "repeat"]
CLOCK_HZ = 90_000
"""RTP's clock for video (RFC 6184, 5.1)."""
FAULT_S = 1.0
"""Seconds of the stream after which its timestamps jump, or between two outliers."""
JUMP_S = 3600.0


@dataclass(frozen=True, slots=True)
class Faults:
    fps: float = 25.0
    """Pictures a second that it delivers."""
    stamped_fps: float | None = None
    """The rate by which its timestamps advance. None: they are right. Cameras stamp by their nominal rate and deliver
    less in the dark."""
    timestamps: Timestamps = "steady"
    """zero: it stamps nothing. jump_ahead, jump_back: once, by an hour. outliers: one picture a second. wrap: the 32
    bits begin again at 0. repeat: each second picture has the stamp of the one before."""
    joined_at: int = 0
    """The picture of the footage with which each client begins. Relays and many cameras send no keyframe to a client
    that joins."""
    login: str = "none"
    """A scheme of `login.py`."""
    parameter_sets: Literal["everywhere", "stream", "description"] = "everywhere"
    """Where the decoder's parameter sets come: with each keyframe, in the SDP, or both."""
    announced: str | None = None
    """The codec's name in the SDP (RFC 4566, rtpmap). None: the right one."""
    transports: tuple[Literal["tcp", "udp"], ...] = ("tcp", "udp")
    """Others are refused with 461."""
    lost_packet: int | None = None
    """Every this many RTP packets one is not sent. Its number is missing then, as on a busy network."""
    refusal: str | None = None
    """The status with which it answers DESCRIBE, such as `453 Not Enough Bandwidth`."""
    silent_after: int | None = None
    """It sends this many pictures to each client, and then nothing, with the connection open."""

    def timestamp(self, number: int) -> int:
        """The RTP timestamp of picture `number` since the client has joined."""
        seconds = (number - number % 2 * (self.timestamps == "repeat")) / (self.stamped_fps or self.fps)
        match self.timestamps:
            case "zero":
                seconds = 0.0
            case "jump_ahead" if seconds >= FAULT_S:
                seconds += JUMP_S
            case "jump_back" if seconds >= FAULT_S:
                seconds -= FAULT_S
            case "outliers" if number and number % round(FAULT_S * self.fps) == 0:
                seconds += JUMP_S
            case "wrap":
                seconds -= FAULT_S
        return 1 + round(seconds * CLOCK_HZ)  # FFmpeg takes a first 0 for unknown

    def loses(self, packet: int) -> bool:
        """Whether the RTP packet of this number is not sent."""
        return self.lost_packet is not None and packet % self.lost_packet == self.lost_packet - 1


FAULTLESS = Faults()
