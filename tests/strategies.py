"""Hypothesis strategies for every message that travels."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from andon.alarms import Alarm, AlarmRequest, alarm_id
from andon.messages import (
    MAX_POLYGON,
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

camera_ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
sessions = st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True)
seqs = st.integers(0, 2**32 - 1)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
fractions = st.floats(0, 1)
sizes = st.integers(1, 20_000)
pixels = st.floats(-1e4, 1e4)
texts = st.text(max_size=30)
refs = st.builds(RecordRef, topic=texts, partition=st.integers(0, 999), offset=st.integers(0, 2**62))
boxes = st.builds(Box, x1=pixels, y1=pixels, x2=pixels, y2=pixels)
points = st.tuples(pixels, pixels)
keypoints = st.builds(Keypoint, name=st.none() | texts, x=pixels, y=pixels, confidence=st.none() | fractions)
detections = st.builds(
    Detection,
    label=texts,
    confidence=fractions,
    box=boxes,
    polygon=st.none() | st.lists(points, min_size=3, max_size=MAX_POLYGON).map(tuple),
    keypoints=st.none() | st.lists(keypoints, min_size=1, max_size=20).map(tuple),
    corners=st.none() | st.tuples(points, points, points, points),
)

healths = st.none() | st.sampled_from(["frozen", "dark", "overexposed", "blurred"])

frames = st.builds(
    Frame,
    camera_id=camera_ids,
    session=sessions,
    seq=seqs,
    captured_at=moments,
    clock=st.sampled_from(["camera", "host", "file"]),
    media_time_s=st.none() | st.floats(0, 1e6),
    width=sizes,
    height=sizes,
    content_type=st.sampled_from(["image/jpeg", "image/png", "video/h264", "video/h265"]),
    payload=st.binary(max_size=100),
    max_age_s=st.none() | st.floats(0.001, 1e6),
    corrupt=st.booleans(),
    health=healths,
    health_rules=st.none() | texts,
    part_id=st.none() | texts,
    keyframe=st.booleans(),
    gap=st.none() | texts,
    units=st.none() | st.lists(sizes, min_size=1, max_size=5).map(tuple),
    roi=st.none() | st.tuples(st.integers(0, 9999), st.integers(0, 9999), sizes, sizes),
    longest_side=st.none() | sizes,
    turn=st.integers(1, 8),
)
sheds = st.builds(
    lambda low, more, **rest: ShedRange(first_seq=low, last_seq=low + more, **rest),
    low=st.integers(0, 2**31),
    more=st.integers(0, 2**20),
    camera_id=camera_ids,
    session=sessions,
    reason=st.sampled_from(["mailbox_full", "stale", "backpressure", "spool_full"]),
    at=moments,
)
statuses = st.builds(
    CameraStatus,
    camera_id=camera_ids,
    session=st.none() | sessions,
    state=st.sampled_from(["connecting", "online", "offline", "stopped", "frozen", "dark", "overexposed", "blurred"]),
    captured=st.integers(0, 2**40),
    final=st.booleans(),
    at=moments,
    fps=st.floats(0, 1000),
    detail=texts,
)
timings = st.builds(Timings, decode_s=fractions, wait_s=fractions, infer_s=fractions, batch_size=st.integers(0, 64))
inspections = st.builds(
    lambda verdict, **rest: Inspection(outcome=verdict[0], reason=verdict[1], **rest),
    verdict=st.sampled_from(
        [("inspected", None), ("shed", "stale"), ("quarantined", "undecodable"), ("quarantined", "unproven")]
    ),
    camera_id=camera_ids,
    session=sessions,
    seq=seqs,
    captured_at=moments,
    media_time_s=st.none() | st.floats(0, 1e6),
    detections=st.lists(detections, max_size=4).map(tuple),
    width=sizes,
    height=sizes,
    frame=refs,
    keyframe=st.none() | refs,
    later=st.lists(seqs, max_size=4).map(tuple),
    model=texts,
    runtime=texts,
    timings=timings,
    inspected_at=moments,
    health=healths,
    part_id=st.none() | texts,
)
defects = st.builds(
    Defect,
    event_id=texts,
    defect_id=texts,
    transition=st.sampled_from(["opened", "updated", "closed"]),
    camera_id=camera_ids,
    session=sessions,
    label=texts,
    severity=st.sampled_from(["minor", "major", "critical"]),
    confidence=fractions,
    box=boxes,
    first_frame=texts,
    best_frame=texts,
    last_frame=texts,
    frames=st.integers(1, 10_000),
    opened_at=moments,
    at=moments,
    evidence=st.none() | texts,
    part_id=st.none() | texts,
)
part_defects = st.builds(
    PartDefect,
    defect_id=texts,
    label=texts,
    severity=st.sampled_from(["minor", "major", "critical"]),
    confidence=fractions,
    x=fractions,
    y=fractions,
    box=boxes,
    best_frame=texts,
    evidence=st.none() | texts,
)
part_verdicts = st.builds(
    lambda verdict, **rest: PartVerdict(verdict=verdict[0], reason=verdict[1], **rest),
    verdict=st.sampled_from([("pass", None), ("reject", None), ("unknown", "too_few_frames"), ("unknown", "vanished")]),
    event_id=texts,
    part_id=texts,
    camera_id=camera_ids,
    session=sessions,
    label=texts,
    defects=st.lists(part_defects, max_size=2).map(tuple),
    first_frame=texts,
    last_frame=texts,
    frames=st.integers(0, 10_000),
    crossed_at=st.none() | moments,
    at=moments,
)
configs = st.builds(
    CameraConfig,
    camera_id=camera_ids,
    settings=st.none() | st.dictionaries(texts, st.none() | st.booleans() | st.integers(-9, 9) | texts, max_size=4),
    at=moments,
)
expiries = st.builds(
    ExpiredRange,
    camera_id=camera_ids,
    topic=texts,
    partition=st.integers(0, 999),
    first_offset=st.integers(0, 2**62),
    last_offset=st.integers(0, 2**62),
    at=moments,
)
alarms = st.builds(
    Alarm,
    event_id=texts,
    alarm_id=texts,
    camera_id=camera_ids,
    kind=st.sampled_from(["defect", "reject", "blind"]),
    label=texts,
    severity=st.sampled_from(["minor", "major", "critical"]),
    state=st.sampled_from(["normal", "unacknowledged", "acknowledged", "returned", "shelved", "out_of_service"]),
    active=st.booleans(),
    count=st.integers(0, 10_000),
    change=st.sampled_from(["raised", "changed", "returned", "acknowledged", "shelved", "shelf_expired"]),
    raised_at=moments,
    at=moments,
    by=texts,
    shelved_until=st.none() | moments,
)
plain_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30)
alarm_requests = st.builds(
    lambda camera_id, action, labels, for_s, **rest: AlarmRequest(
        camera_id=camera_id,
        action=action,
        alarms=tuple(alarm_id(camera_id, "defect", label) for label in labels),
        for_s=for_s if action == "shelve" else None,
        **rest,
    ),
    camera_id=camera_ids,
    action=st.sampled_from(["acknowledge", "shelve", "unshelve", "out_of_service", "return_to_service", "check"]),
    labels=st.lists(plain_texts, max_size=3),
    for_s=st.floats(1, 6e5),
    request_id=plain_texts,
    by=plain_texts,
    note=plain_texts,
    at=moments,
)
messages: st.SearchStrategy[Message] = st.one_of(
    frames, sheds, statuses, expiries, inspections, defects, part_verdicts, configs, alarms, alarm_requests
)
