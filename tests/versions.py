"""Every message of the line today, one version ago and one version ahead, for the tests of rolling upgrades.

`previous_version.json` holds the records that the previous version writes. They are also the most that it reads: its
readers refuse fields that they do not know. When a version is released, its own records replace them.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from andon.alarms import Alarm, AlarmRequest
from andon.messages import (
    Box,
    CameraConfig,
    CameraStatus,
    Defect,
    Detection,
    ExpiredRange,
    Frame,
    Inspection,
    Keypoint,
    Message,
    PartDefect,
    PartVerdict,
    RecordRef,
    ShedRange,
    Timings,
)
from andon.wire import Record

AT = datetime(2026, 3, 1, 6, 0, 0, 250_000, tzinfo=UTC)
LATER = AT + timedelta(seconds=1)
SESSION = "20260301T060000.000000Z"
FROM: dict[str, Any] = {"camera_id": "press-3", "session": SESSION}
BOX = Box(x1=1, y1=2.5, x2=30, y2=40)


def frame_id(seq: int) -> str:
    return f"press-3/{SESSION}/{seq}"


MESSAGES: dict[str, Message] = {
    "frame, every header": Frame(
        **FROM,
        seq=42,
        captured_at=AT,
        clock="camera",
        media_time_s=1.4,
        width=640,
        height=480,
        content_type="image/png",
        payload=b"JPEG",
        max_age_s=2.0,
        corrupt=True,
        health="dark",
        part_id="P1",
    ),
    "frame, only what it needs": Frame(
        **FROM, seq=43, captured_at=AT, clock="host", width=640, height=480, payload=b"JPEG"
    ),
    "shed": ShedRange(**FROM, first_seq=3, last_seq=9, reason="mailbox_full", at=AT),
    "camera status, every field": CameraStatus(
        **FROM, state="online", captured=44, final=True, at=AT, fps=15.0, detail="d"
    ),
    "camera status, before the first picture": CameraStatus(camera_id="press-3", state="connecting", at=AT),
    "expired": ExpiredRange(
        camera_id="press-3", topic="andon.frames", partition=3, first_offset=7, last_offset=9, at=AT
    ),
    "inspection, every field": Inspection(
        **FROM,
        seq=42,
        captured_at=AT,
        media_time_s=1.4,
        outcome="inspected",
        detections=(
            Detection(label="scratch", confidence=0.5, box=BOX, polygon=((1, 2), (3, 4), (5, 6))),
            Detection(
                label="bolt",
                confidence=0.75,
                box=BOX,
                keypoints=(Keypoint(name="head", x=1, y=2, confidence=0.5), Keypoint(x=3, y=4)),
            ),
            Detection(label="arm", confidence=0.25, box=BOX, corners=((1, 2), (3, 2), (3, 4), (1, 4))),
        ),
        width=640,
        height=480,
        frame=RecordRef(topic="andon.frames", partition=3, offset=7),
        model="ab" * 32,
        runtime="openvino",
        timings=Timings(decode_s=0.25, wait_s=0.5, infer_s=0.125, batch_size=8),
        inspected_at=LATER,
        health="blurred",
        part_id="P1",
    ),
    "inspection, quarantined": Inspection(
        **FROM,
        seq=43,
        captured_at=AT,
        outcome="quarantined",
        reason="undecodable",
        width=640,
        height=480,
        frame=RecordRef(topic="andon.frames", partition=3, offset=8),
        inspected_at=LATER,
    ),
    "defect": Defect(
        **FROM,
        event_id="e1",
        defect_id=f"{frame_id(40)}/scratch/0",
        transition="opened",
        label="scratch",
        severity="major",
        confidence=0.5,
        box=BOX,
        first_frame=frame_id(40),
        best_frame=frame_id(41),
        last_frame=frame_id(42),
        frames=3,
        opened_at=AT,
        at=AT,
        evidence="andon-data/evidence/1.jpg",
        part_id="P1",
    ),
    "part, reject": PartVerdict(
        **FROM,
        event_id="e2",
        part_id="P1",
        verdict="reject",
        label="part",
        defects=(
            PartDefect(
                defect_id="d1",
                label="scratch",
                severity="major",
                confidence=0.5,
                x=0.25,
                y=0.75,
                box=BOX,
                best_frame=frame_id(41),
                evidence="andon-data/evidence/1.jpg",
            ),
        ),
        first_frame=frame_id(38),
        last_frame=frame_id(44),
        frames=6,
        crossed_at=AT,
        at=LATER,
    ),
    "part, unknown": PartVerdict(
        **FROM,
        event_id="e3",
        part_id="P2",
        verdict="unknown",
        reason="too_few_frames",
        label="part",
        first_frame=frame_id(38),
        last_frame=frame_id(44),
        frames=2,
        at=LATER,
    ),
    "camera config": CameraConfig(
        camera_id="press-3", settings={"url": "rtsp://line/3", "fps": 15.0, "roi": [1, 2, 3, 4]}, at=AT
    ),
    "alarm": Alarm(
        event_id="e4",
        alarm_id="press-3/defect/scratch",
        camera_id="press-3",
        kind="defect",
        label="scratch",
        severity="major",
        state="shelved",
        active=True,
        count=3,
        change="shelved",
        raised_at=AT,
        at=LATER,
        source="d1",
        detail="x",
        by="Ann",
        note="n",
        shelved_until=LATER,
    ),
    "alarm request": AlarmRequest(
        request_id="r1",
        camera_id="press-3",
        action="shelve",
        alarms=("press-3/defect/scratch",),
        by="Ann",
        at=AT,
        note="n",
        for_s=60.0,
    ),
    "camera config, removed": CameraConfig(camera_id="press-3", settings=None, at=AT),
}

PREVIOUS: dict[str, dict[str, Any]] = {
    row["name"]: row for row in json.loads(Path(__file__).with_name("previous_version.json").read_text("utf-8"))
}
NAMES = list(MESSAGES)


def record(row: dict[str, Any]) -> Record:
    headers = [(name, value.encode()) for name, value in row["headers"].items()]
    value = row["value"] if isinstance(row["value"], str) else json.dumps(row["value"])
    return Record("andon.frames", 3, 7, row["timestamp_ms"], row["key"].encode(), value.encode(), headers)


def one_version_ahead(value: Any) -> Any:
    """`value` with new fields in each JSON object, except where the keys are a user's own."""
    if isinstance(value, list):
        return [one_version_ahead(item) for item in value]
    if not isinstance(value, dict):
        return value
    known = {key: item if key == "settings" else one_version_ahead(item) for key, item in value.items()}
    return {"new_number": 1, **known, "new_list": [{"x": None}], "new_section": {"new_text": "x"}}


def previous(name: str) -> Record:
    """The record of one version ago."""
    return record(PREVIOUS[name])


def ahead(name: str) -> Record:
    """A record of one version ahead: the same type, with new fields and headers."""
    row = PREVIOUS[name]
    headers = row["headers"] | {"ce_new": "1", "traceparent": "00-ab-cd-01"}
    return record(row | {"headers": headers, "value": one_version_ahead(row["value"])})


def unknown(name: str) -> Record:
    """A record of the next version of the type, which nobody knows today."""
    row = PREVIOUS[name]
    return record(row | {"headers": row["headers"] | {"ce_type": row["headers"]["ce_type"].replace(".v1", ".v2")}})
