"""Records of every type, and seeded damage that knows the structure of a record."""

import json
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from andon.messages import (
    Box,
    CameraConfig,
    CameraStatus,
    Detection,
    ExpiredRange,
    Frame,
    Inspection,
    Keypoint,
    Message,
    RecordRef,
    ShedRange,
    Timings,
)
from andon.wire import Record, encode
from tests.fakes import START
from tests.outbox import a_defect, a_part

_FRAME: dict[str, Any] = {"camera_id": "press-1", "session": "20260301T060000.000000Z", "seq": 7}
_BOX = Box(x1=1, y1=2, x2=30, y2=40)
_SHAPED = (
    Detection(label="scratch", confidence=0.9, box=_BOX, polygon=((1, 2), (30, 5), (28.5, 40))),
    Detection(
        label="gear",
        confidence=0.8,
        box=_BOX,
        keypoints=(Keypoint(name="hub", x=9, y=9, confidence=0.7), Keypoint(x=20, y=30)),
    ),
    Detection(label="plate", confidence=0.7, box=_BOX, corners=((1, 20), (15, 2), (30, 22), (16, 40))),
)
MESSAGES: tuple[Message, ...] = (
    Frame(
        **_FRAME,
        captured_at=START,
        clock="camera",
        media_time_s=0.5,
        width=640,
        height=480,
        payload=b"\xff\xd8 picture \xff\xd9",
        max_age_s=2.0,
        corrupt=True,
        part_id="part-12",
    ),
    Frame(
        **_FRAME,
        captured_at=START,
        clock="camera",
        width=640,
        height=480,
        content_type="video/h264",
        payload=b"\0\0\0\1\x09\xf0",
        keyframe=True,
        gap="3 RTP packets are missing",
        units=(2, 4),
        roi=(0, 0, 640, 480),
        longest_side=320,
        turn=6,
        health_rules="{}",
    ),
    ShedRange(camera_id="press-1", session=_FRAME["session"], first_seq=3, last_seq=9, reason="mailbox_full", at=START),
    CameraStatus(
        camera_id="press-1", session=_FRAME["session"], state="online", captured=10, at=START, fps=15.0, detail="ok"
    ),
    Inspection(
        **_FRAME,
        captured_at=START,
        media_time_s=0.5,
        outcome="inspected",
        detections=(Detection(label="scratch", confidence=0.9, box=_BOX),) * 2,
        width=640,
        height=480,
        frame=RecordRef(topic="andon.frames", partition=3, offset=44),
        model="ab" * 32,
        runtime="openvino",
        timings=Timings(decode_s=0.01, wait_s=0.02, infer_s=0.03, batch_size=4),
        inspected_at=START + timedelta(seconds=1),
        part_id="part-12",
    ),
    Inspection(
        **_FRAME,
        captured_at=START,
        outcome="inspected",
        detections=_SHAPED,
        width=640,
        height=480,
        frame=RecordRef(topic="andon.frames", partition=3, offset=45),
        inspected_at=START + timedelta(seconds=1),
    ),
    ExpiredRange(camera_id="press-1", topic="andon.frames", partition=3, first_offset=7, last_offset=9, at=START),
    a_defect(),
    a_part(1, "reject"),
    CameraConfig(camera_id="press-1", settings={"fps": 15.0, "roi": [0, 0, 10, 10], "loop": False}, at=START),
)

TEXTS: tuple[str, ...] = (
    "",
    "\0",
    "a\0b",
    "-1",
    "0",
    "0.0",
    "-0.0",
    "1e999",
    "-1e308",
    "5e-324",
    "NaN",
    "Infinity",
    "-inf",
    "9" * 20,
    "9" * 400,
    "9" * 5_000,
    str(2**32 - 1),
    str(2**32),
    str(2**63),
    "0x10",
    "1_000",
    "\u0663\u0664",  # digits outside ASCII
    "true",
    "null",
    "[]",
    "{}",
    "'; drop table cameras; --",
    "../../etc/passwd",
    "%s%n",
    "\u202eabc\u200b",
    "\U0001f525" * 50,
    "e\u0301",
    "x" * 100_000,
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999-14:00",
    "9999-12-31T23:59:59.999999Z",
    "2026-02-30T00:00:00Z",
    "2026-03-01T06:00:00",
    "2026-03-01T06:00:60Z",
    "1e18",
    "-62135596800",
    "253402300799",
    "1700000000000000000000",
    "online",
    "shed",
    "inspected",
    "andon.frame.v1",
    "andon.inspection.v1",
    "andon.shed.v1",
    "andon.camera.v1",
    "andon.frame.v2",
    "application/json",
    "press-1",
    "a" * 63,
    "a" * 64,
    "camera\n",
)
NOT_TEXT = (b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\x80", b"\x80", b"\xf5\x80\x80\x80")
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**31,
    2**32 - 1,
    2**32,
    2**63,
    -(2**63),
    10**30,
    10**400,
    0.1,
    -0.0,
    1e308,
    -1e308,
    5e-324,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    [None],
    {"": None},
    [0] * 1_000,
    *TEXTS,
)


def mutated(seed: int) -> Record:
    """The record of this seed: a valid one with one to four injuries."""
    rng = Random(seed)
    record = real(rng.choice(MESSAGES))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        record = rng.choice(_INJURIES)(record, rng)
    return record


def real(message: Message) -> Record:
    sent = encode(message)
    return Record("andon.inspections", 0, 5, sent.timestamp_ms, sent.key, sent.value, tuple(sent.headers))


def damaged(content: bytes, rng: Random) -> bytes:
    """`content` with some bytes flipped, cut off, repeated, removed or inserted."""
    at = rng.randrange(len(content) + 1)
    size = rng.choice((1, 2, 8, 64))
    match rng.randrange(6):
        case 0:
            return content[:at]
        case 1:
            return content[:at] + rng.randbytes(size) + content[at:]
        case 2:
            return content[:at] + content[at + size :]
        case 3:
            return content[:at] + content[at : at + size] * rng.choice((2, 100)) + content[at + size :]
        case 4:
            return content[:at] + bytes([rng.choice((0, 0xFF, 0x7F, 0x80))]) * size + content[at + size :]
    flipped = bytearray(content)
    for _ in range(rng.choice((1, 1, 3, 20))):
        if flipped:
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def _header_value(record: Record, rng: Random) -> Record:
    if not record.headers:
        return record
    at = rng.randrange(len(record.headers))
    name, value = record.headers[at]
    return _with_header(record, at, (name, _bytes(value, rng)))


def _header_name(record: Record, rng: Random) -> Record:
    if not record.headers:
        return record
    at = rng.randrange(len(record.headers))
    other = rng.choice([rng.choice(TEXTS), rng.choice(record.headers)[0], "ce_type", "ce_seq", "CE_TYPE", "ce_corrupt"])
    return _with_header(record, at, (other, record.headers[at][1]))


def _with_header(record: Record, at: int, header: tuple[str, bytes]) -> Record:
    headers = list(record.headers)
    headers[at] = header
    return replace(record, headers=tuple(headers))


def _headers(record: Record, rng: Random) -> Record:
    headers = list(record.headers)
    match rng.randrange(4):
        case 0:
            headers = [header for header in headers if rng.random() < 0.8]
        case 1:
            headers += headers[: rng.randrange(len(headers) + 1)]
        case 2:
            headers += [(f"x-{number}", b"y") for number in range(rng.choice((1, 60, 1_000)))]
        case _:
            rng.shuffle(headers)
    return replace(record, headers=tuple(headers))


def _key(record: Record, rng: Random) -> Record:
    return replace(record, key=None if rng.random() < 0.2 else _bytes(record.key or b"", rng))


def _value(record: Record, rng: Random) -> Record:
    return replace(record, value=None if rng.random() < 0.1 else _bytes(record.value or b"", rng))


def _json(record: Record, rng: Random) -> Record:
    """One field of the message, at any depth, is changed, removed or added."""
    try:
        message = json.loads(record.value or b"")
    except (ValueError, RecursionError):  # after another injury it is no JSON
        return record
    _change(message, rng)
    text = json.dumps(message, ensure_ascii=rng.random() < 0.5)
    return replace(record, value=text.encode(errors="replace"))


def _change(node: Any, rng: Random) -> None:
    keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
    if not keys:
        return
    key = rng.choice(keys)
    if isinstance(node[key], dict | list) and node[key] and rng.random() < 0.7:
        _change(node[key], rng)
    elif rng.random() < 0.8:
        node[key] = rng.choice(VALUES)
    elif isinstance(node, dict) and rng.random() < 0.5:
        node[rng.choice(TEXTS)[:50]] = rng.choice(VALUES)
    else:
        del node[key]


def _nested(record: Record, rng: Random) -> Record:
    depth = rng.choice((10, 300, 100_000))
    opening, closing = rng.choice(((b"[", b"]"), (b'{"box":', b"}")))
    return replace(record, value=opening * depth + b"1" + closing * depth)


def _other_type(record: Record, rng: Random) -> Record:
    """The headers of one message with the value of another."""
    return replace(record, headers=real(rng.choice(MESSAGES)).headers)


def _moment(record: Record, rng: Random) -> Record:
    return replace(record, timestamp_ms=rng.choice((-1, 0, 2**63 - 1, -(2**63))))


def _bytes(content: bytes, rng: Random) -> bytes:
    draw = rng.random()
    if draw < 0.5:
        return rng.choice(TEXTS).encode()
    if draw < 0.6:
        return rng.choice(NOT_TEXT)
    return damaged(content, rng)


_INJURIES = (
    _header_value,
    _header_value,
    _header_value,
    _header_name,
    _headers,
    _key,
    _value,
    _json,
    _json,
    _json,
    _json,
    _nested,
    _other_type,
    _moment,
)
