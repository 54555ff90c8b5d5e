import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from andon.errors import DecodeError
from andon.messages import MAX_KEYPOINTS, MAX_POLYGON, Box, CameraStatus, Detection, Frame, Message
from andon.wire import MAX_HEADERS, Outgoing, Record, complaint, decode, encode
from tests.fakes import START
from tests.strategies import frames, messages

headers = st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=40)), max_size=8)


def record(out: Outgoing, **changes: object) -> Record:
    fields = {"key": out.key, "value": out.value, "headers": out.headers} | changes
    return Record("andon.frames", 0, 7, out.timestamp_ms, **fields)  # type: ignore[arg-type]


@given(messages)
def test_every_message_comes_back_as_it_was_sent(message: Message) -> None:
    assert decode(record(encode(message))) == message


@given(st.none() | st.binary(max_size=40), st.none() | st.binary(max_size=200), headers)
def test_arbitrary_bytes_are_a_decode_error_and_nothing_else(
    key: bytes | None, value: bytes | None, given_headers: list[tuple[str, bytes]]
) -> None:
    with pytest.raises(DecodeError):
        decode(Record("t", 0, 0, 0, key, value, given_headers))


@given(messages, st.data())
def test_a_message_with_one_damaged_header_or_value_decodes_or_is_a_decode_error(
    message: Message, data: st.DataObject
) -> None:
    out = encode(message)
    damaged = list(out.headers)
    at = data.draw(st.integers(0, len(damaged) - 1))
    damaged[at] = (damaged[at][0], data.draw(st.binary(max_size=20)))
    cut = out.value[: data.draw(st.integers(0, len(out.value)))]
    try:
        decode(record(out, headers=damaged, value=cut))
    except DecodeError as error:
        assert error.reason == "bad_header"
        assert "\n" not in str(error)


@given(frames)
def test_a_record_is_keyed_by_its_camera_and_stamped_with_its_capture_time(frame: Frame) -> None:
    out = encode(frame)
    assert out.key == frame.camera_id.encode()
    assert abs(out.timestamp_ms / 1000 - frame.captured_at.timestamp()) < 0.0011


def test_a_frame_is_its_picture_with_cloudevents_headers() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    frame = Frame(
        camera_id="press-3",
        session="s1",
        seq=42,
        captured_at=at,
        clock="camera",
        width=640,
        height=480,
        payload=b"JPEG",
    )
    out = encode(frame)
    assert out.value == b"JPEG"
    assert dict(out.headers) == {
        "ce_specversion": b"1.0",
        "ce_type": b"andon.frame.v1",
        "ce_source": b"/andon/press-3",
        "ce_id": b"press-3/s1/42",
        "ce_session": b"s1",
        "ce_seq": b"42",
        "ce_time": b"2026-01-02T03:04:05+00:00",
        "ce_clock": b"camera",
        "ce_width": b"640",
        "ce_height": b"480",
        "content-type": b"image/jpeg",
    }


def test_a_frame_of_video_says_in_headers_what_its_worker_needs() -> None:
    frame = Frame(
        camera_id="press-3",
        session="s1",
        seq=42,
        captured_at=START,
        clock="camera",
        width=320,
        height=240,
        content_type="video/h265",
        payload=bytes(7),
        keyframe=True,
        gap="3 RTP packets are missing",
        units=(3, 4),
        roi=(0, 10, 640, 480),
        longest_side=320,
        turn=6,
        health_rules="{}",
    )
    headers = dict(encode(frame).headers)
    assert {name: headers[name] for name in headers if name.startswith("ce_")}.items() >= {
        "ce_keyframe": b"true",
        "ce_gap": b"3 RTP packets are missing",
        "ce_units": b"3,4",
        "ce_roi": b"0,10,640,480",
        "ce_longestside": b"320",
        "ce_turn": b"6",
        "ce_healthrules": b"{}",
    }.items()
    assert decode(record(encode(frame))) == frame


@pytest.mark.parametrize(
    "wrong", [("ce_units", b""), ("ce_units", b"3,-1"), ("ce_roi", b"0,0,5"), ("ce_roi", b"0,0,0,5"), ("ce_turn", b"9")]
)
def test_a_frame_of_video_with_senseless_headers_is_a_decode_error(wrong: tuple[str, bytes]) -> None:
    frame = Frame(
        camera_id="c", session="s", seq=0, captured_at=START, clock="host", width=1, height=1, payload=b"x", turn=2
    )
    out = encode(frame)
    headers = [item for item in out.headers if item[0] != wrong[0]] + [wrong]
    with pytest.raises(DecodeError, match=wrong[0].removeprefix("ce_")):
        decode(record(out, headers=headers))


BOX = {"x1": 1.0, "y1": 2.0, "x2": 30.0, "y2": 40.0}
POINT = [3.0, 4.0]


def test_a_plain_detection_is_a_label_a_confidence_and_a_box_and_nothing_more() -> None:
    detection = Detection(label="scratch", confidence=0.5, box=Box.model_validate(BOX))
    expected = b'{"label":"scratch","confidence":0.5,"box":{"x1":1.0,"y1":2.0,"x2":30.0,"y2":40.0}}'
    assert detection.model_dump_json().encode() == expected


@pytest.mark.parametrize(
    "shape",
    [
        {"polygon": [POINT] * 2},
        {"polygon": [POINT] * (MAX_POLYGON + 1)},
        {"polygon": [[1.0, 2.0, 3.0]] * 3},
        {"polygon": [[float("nan"), 1.0]] * 3},
        {"polygon": [[1e300, 1.0]] * 3},
        {"keypoints": []},
        {"keypoints": [{"x": 1.0, "y": 1.0}] * (MAX_KEYPOINTS + 1)},
        {"keypoints": [{"x": 1.0, "y": 1.0, "confidence": 1.1}]},
        {"keypoints": [{"x": float("inf"), "y": 1.0}]},
        {"corners": [POINT] * 3},
        {"corners": [POINT] * 5},
        {"corners": [[1.0, -1e300], POINT, POINT, POINT]},
    ],
)
def test_a_shape_out_of_bounds_is_refused(shape: dict[str, object]) -> None:
    plain: dict[str, object] = {"label": "a", "confidence": 0.5, "box": BOX}
    Detection.model_validate(plain)
    with pytest.raises(ValidationError):
        Detection.model_validate(plain | shape)


@pytest.mark.parametrize(
    "shape", [{"polygon": [POINT] * 3}, {"keypoints": [{"x": 1.0, "y": 0.0}]}, {"corners": [POINT] * 4}]
)
def test_a_detection_serializes_its_own_shape_and_no_other(shape: dict[str, object]) -> None:
    detection = Detection.model_validate_json(json.dumps({"label": "a", "confidence": 0.5, "box": BOX} | shape))
    assert json.loads(detection.model_dump_json()) == {"label": "a", "confidence": 0.5, "box": BOX} | shape


def test_a_flood_of_headers_is_refused_before_it_is_read() -> None:
    with pytest.raises(DecodeError, match="headers"):
        decode(Record("t", 0, 0, 0, b"k", b"", [("x", b"y")] * (MAX_HEADERS + 1)))


def test_an_error_never_repeats_the_value_that_was_wrong() -> None:
    out = encode(
        Frame(
            camera_id="c",
            session="s",
            seq=1,
            captured_at=datetime(2026, 1, 1, tzinfo=UTC),
            clock="host",
            width=1,
            height=1,
            payload=b"",
        )
    )
    spoilt = [(name, b"s3cret" if name == "ce_seq" else value) for name, value in out.headers]
    with pytest.raises(DecodeError) as caught:
        decode(record(out, headers=spoilt))
    assert "s3cret" not in str(caught.value)
    assert "seq" in str(caught.value)


@pytest.mark.parametrize(
    ("field", "content"),
    [
        ("at", '"0001-01-01T00:00:00+14:00"'),  # before the first moment that UTC has here
        ("at", '"9999-12-31T23:59:59-14:00"'),
        ("captured", "1" + "0" * 400),
    ],
)
def test_a_value_out_of_any_range_is_a_decode_error(field: str, content: str) -> None:
    """Fuzzing found these: each one ended the process that read it."""
    status = CameraStatus(camera_id="cam", state="online", at=START)
    out = encode(status)
    value = re.sub(rb'"%s":("[^"]*"|\d+)' % field.encode(), f'"{field}":{content}'.encode(), out.value)
    assert value != out.value
    with pytest.raises(DecodeError):
        decode(record(out, value=value))


def test_a_key_with_a_line_break_does_not_break_the_error_line() -> None:
    class WithKeys(Message):
        counts: dict[str, int]

    with pytest.raises(ValidationError) as caught:
        WithKeys.read_json(b'{"counts": {"a\\nlevel=error": "x"}}')
    line = complaint(caught.value)
    assert line.startswith("'counts.a\\nlevel=error'")
    assert "\n" not in line
