"""Every error of the line, in one tree: retryable, poison, too large, fatal.

A message is one line that says what is wrong, where, and what to do.
"""

import traceback
from typing import Literal

QuarantineReason = Literal["undecodable", "too_large", "bad_header", "detector_error", "unproven"]


class AndonError(Exception):
    """The root. `str(error)` is one line for the user."""


class RetryableError(AndonError):
    """Something outside is away or busy: back off and try again."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PoisonError(AndonError):
    """This record can never be handled: quarantine it and go on."""

    def __init__(self, reason: QuarantineReason, message: str) -> None:
        super().__init__(message)
        self.reason: QuarantineReason = reason


class DecodeError(PoisonError):
    """The bytes are no valid Andon record. The only error that `wire` raises."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_header", message)


class TooLargeError(AndonError):
    """The topic takes no record of this size, however often it is sent: send a smaller one in its place, or none."""


class FatalError(AndonError):
    """The process can't go on: it exits with 1, and its supervisor starts it again."""


class ConfigError(FatalError):
    """A user's mistake in line.yaml, the environment or on the command line. The process exits with 2."""


def described(error: BaseException) -> str:
    """The error's type and place. Never its text: that may hold a camera's password or a picture's bytes."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"unforeseen error {type(error).__name__}{place}"
