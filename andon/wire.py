"""Message <-> Kafka record, by the CloudEvents 1.0 Kafka binding in binary mode.

A frame's value is the picture itself and its other fields are headers, so that no stage copies pixels to read a
number. Every other message is JSON. Source: CloudEvents Kafka Protocol Binding 1.0.2, section 3.2.

The version is part of the type. Within a version a writer may add fields, and a reader ignores those that it does not
know. A change of meaning, or a new value in a closed list, gets a new version; to a reader without it, the record is a
DecodeError.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from andon.alarms import Alarm, AlarmRequest
from andon.errors import DecodeError
from andon.messages import (
    CameraConfig,
    CameraStatus,
    Defect,
    ExpiredRange,
    Frame,
    Inspection,
    Message,
    PartVerdict,
    ShedRange,
    TracedMessage,
)

Headers = Sequence[tuple[str, bytes]]
JSON = "application/json"
TRACEPARENT = "traceparent"
"""The header of a trace's context (W3C), in the records of frames, inspections, defects and verdicts on parts."""

TYPES: dict[str, type[Message]] = {
    "andon.frame.v1": Frame,
    "andon.shed.v1": ShedRange,
    "andon.camera.v1": CameraStatus,
    "andon.expired.v1": ExpiredRange,
    "andon.inspection.v1": Inspection,
    "andon.defect.v1": Defect,
    "andon.part.v1": PartVerdict,
    "andon.camera-config.v1": CameraConfig,
    "andon.alarm.v1": Alarm,
    "andon.alarm-request.v1": AlarmRequest,
}
_NAMES = {message: name for name, message in TYPES.items()}
_FRAME_HEADERS = {
    "ce_session": "session",
    "ce_seq": "seq",
    "ce_time": "captured_at",
    "ce_clock": "clock",
    "ce_clockoffset": "clock_offset_s",
    "ce_mediatime": "media_time_s",
    "ce_width": "width",
    "ce_height": "height",
    "ce_maxage": "max_age_s",
    "ce_corrupt": "corrupt",
    "ce_damage": "damage",
    "ce_toolarge": "too_large",
    "ce_health": "health",
    "ce_healthrules": "health_rules",
    "ce_part": "part_id",
    "ce_keyframe": "keyframe",
    "ce_gap": "gap",
    "ce_units": "units",
    "ce_roi": "roi",
    "ce_longestside": "longest_side",
    "ce_turn": "turn",
    "content-type": "content_type",
    TRACEPARENT: "traceparent",
    "tracestate": "tracestate",
}
MAX_HEADERS = 64


@dataclass(frozen=True, slots=True)
class Record:
    """A record that was read from a topic."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: Headers = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to publish. Its key is the camera's id, its timestamp the moment at which it happened."""

    key: bytes = field(repr=False)
    value: bytes = field(repr=False)
    """Empty: the record has none. In a compacted topic it removes the key."""
    headers: Headers = field(repr=False)
    timestamp_ms: int


class _Envelope(BaseModel):
    """The attributes that CloudEvents requires in every record."""

    model_config = ConfigDict(frozen=True)
    ce_specversion: Literal["1.0"]
    ce_type: str
    ce_id: str
    ce_source: str


def appended_at(record: Record) -> datetime | None:
    """When the broker appended it, or, where it stamps no record, when its writer says that it happened. None: nobody
    says."""
    if record.timestamp_ms <= 0:
        return None
    try:
        return datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):  # a foreign writer may say anything
        return None


def type_name(message: Message) -> str:
    """The `ce_type` of `message`, with its version."""
    return _NAMES[type(message)]


def encode(message: Message) -> Outgoing:
    """The record for `message`. Raises nothing: a message is valid by construction."""
    camera_id, event_id, at = _identity(message)
    envelope = [
        ("ce_specversion", b"1.0"),
        ("ce_type", type_name(message).encode()),
        ("ce_source", f"/andon/{camera_id}".encode()),
        ("ce_id", event_id.encode()),
    ]
    timestamp_ms = int(at.timestamp() * 1000)
    if isinstance(message, Frame):
        headers = envelope + _frame_headers(message)
        return Outgoing(camera_id.encode(), message.payload, headers, timestamp_ms)
    headers = [*envelope, ("ce_time", at.isoformat().encode()), ("content-type", JSON.encode())]
    if isinstance(message, TracedMessage) and message.traceparent is not None:
        headers.append((TRACEPARENT, message.traceparent.encode()))
    return Outgoing(camera_id.encode(), message.model_dump_json().encode(), headers, timestamp_ms)


def decode(record: Record) -> Message:
    """The message that `record` holds.

    Raises:
        DecodeError: `record` is not a valid Andon record. Nothing else is raised, whatever the bytes are.
    """
    headers = _header_text(record.headers)
    try:
        envelope = _Envelope.model_validate(headers)
    except ValidationError as error:
        raise DecodeError(f"{_where(record)}: {complaint(error)}") from None
    kind = TYPES.get(envelope.ce_type)
    if kind is None:
        raise DecodeError(f"{_where(record)}: ce_type {envelope.ce_type[:60]!r} is not known here")
    try:
        if kind is Frame:
            return _decode_frame(record, headers)
        message = kind.read_json(record.value or b"")
    except ValidationError as error:
        raise DecodeError(f"{_where(record)}: {envelope.ce_type}: {complaint(error)}") from None
    return message.traced(headers.get(TRACEPARENT)) if isinstance(message, TracedMessage) else message


def _decode_frame(record: Record, headers: dict[str, str]) -> Frame:
    try:
        camera_id = (record.key or b"").decode()
    except UnicodeDecodeError:
        raise DecodeError(f"{_where(record)}: the key is not a camera's id") from None
    fields: dict[str, object] = {field: headers[name] for name, field in _FRAME_HEADERS.items() if name in headers}
    return Frame.read({**fields, "camera_id": camera_id, "payload": record.value or b""})


def _frame_headers(frame: Frame) -> list[tuple[str, bytes]]:
    values = {
        name: getattr(frame, field) for name, field in _FRAME_HEADERS.items() if field != "turn" or frame.turn != 1
    }
    return [(name, _header_value(value)) for name, value in values.items() if value is not None and value is not False]


def _header_value(value: object) -> bytes:
    if isinstance(value, datetime):
        return value.isoformat().encode()
    if isinstance(value, tuple):
        return ",".join(map(str, value)).encode()
    return ("true" if value is True else str(value)).encode()


def _header_text(headers: Headers) -> dict[str, str]:
    if len(headers) > MAX_HEADERS:
        raise DecodeError(f"{len(headers)} headers, at most {MAX_HEADERS} are read")
    try:
        return {name: value.decode() for name, value in headers if value is not None}
    except UnicodeDecodeError:
        raise DecodeError("a header is not UTF-8") from None


def _identity(message: Message) -> tuple[str, str, datetime]:  # noqa: PLR0911  # one for each message
    """(camera_id, event id, when it happened)"""
    match message:
        case Frame():
            return message.camera_id, message.frame_id, message.captured_at
        case Inspection():
            return message.camera_id, f"{message.frame_id}/inspection", message.captured_at
        case ShedRange():
            span = f"{message.camera_id}/{message.session}/{message.first_seq}-{message.last_seq}/shed"
            return message.camera_id, span, message.at
        case CameraStatus():
            moment = message.at.astimezone(UTC).isoformat()
            return message.camera_id, f"{message.camera_id}/status/{moment}/{message.state}", message.at
        case ExpiredRange():
            where = f"{message.topic}/{message.partition}/{message.first_offset}-{message.last_offset}"
            return message.camera_id, f"{message.camera_id}/{where}/expired", message.at
        case Defect() | PartVerdict() | Alarm():
            return message.camera_id, message.event_id, message.at
        case AlarmRequest():
            return message.camera_id, message.request_id, message.at
        case CameraConfig():
            return message.camera_id, f"{message.camera_id}/config/{message.at.isoformat()}", message.at
        case _:
            raise TypeError(f"{type(message).__name__} does not travel")


def _where(record: Record) -> str:
    return f"{record.topic}[{record.partition}]@{record.offset}"


def complaint(error: ValidationError) -> str:
    """The first complaint of `error` in one line, without the input: it may be a picture or hold a secret."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])[:100] or "value"
    return f"{where if where.isprintable() else ascii(where)}: {first['msg']}"
