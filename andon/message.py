"""What every message of the line has in common: how it is read and written, and the fields that all kinds use."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field


def _to_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:  # in the first or last hours of the calendar, in another time zone
        raise ValueError("out of range in UTC") from None


Utc = Annotated[AwareDatetime, AfterValidator(_to_utc)]
CameraId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Session = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,40}$")]
Seq = Annotated[int, Field(ge=0, lt=2**32)]
"""32 bits, because the ledger keeps frame numbers in 32-bit roaring bitmaps: 4.5 years of one session at 30 fps."""
Pixels = Annotated[int, Field(gt=0, lt=2**31)]


class Message(BaseModel):
    """Writers are strict: an unknown field is an error. Readers ignore it (`read`, `read_json`): a newer writer may add
    fields within a version."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def read(cls, fields: Mapping[str, object]) -> Self:
        """The message with these fields. Raises ValidationError."""
        return cls.model_validate(fields, extra="ignore")

    @classmethod
    def read_json(cls, value: bytes) -> Self:
        """The message that `value` holds. Raises ValidationError."""
        return cls.model_validate_json(value, extra="ignore")


HANDED_ON = "andon="
"""Begins a frame's `tracestate`."""
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
TRACESTATE = re.compile(HANDED_ON + "[0-9]{1,16}")


def if_like(pattern: re.Pattern[str]) -> BeforeValidator:
    """What does not look like it is left out: a wrong trace context must not cost a frame."""
    return BeforeValidator(lambda value: value if isinstance(value, str) and pattern.fullmatch(value) else None)


class TracedMessage(Message):
    """A message that carries the context of its trace, in a header of its record and never in its JSON."""

    traceparent: Annotated[str | None, if_like(_TRACEPARENT)] = Field(default=None, exclude=True, repr=False)
    """The span of the process that sent it, as in W3C Trace Context. None: it is not traced."""

    def traced(self, traceparent: str | None) -> Self:
        """The message with this context, unless it is none."""
        if traceparent is None or _TRACEPARENT.fullmatch(traceparent) is None:
            return self
        return self.model_copy(update={"traceparent": traceparent})


def frame_id(camera_id: str, session: str, seq: int) -> str:
    """The frame's identity, `camera/session/seq`."""
    return f"{camera_id}/{session}/{seq}"
