"""What the tests of pages put into Redis, Kafka and the store, as ingesters, workers and sinks would."""

from datetime import UTC, datetime, timedelta
from io import BytesIO

from PIL import Image, ImageDraw

from andon.messages import Box, Defect, Detection, Frame, Inspection, RecordRef
from andon.wire import Record, encode
from tests.board import TestBoard

SESSION = "20261129T060000.000000Z"
FRAMES = "andon.frames"
WIDTH, HEIGHT = 640, 480


def now(ago_s: float = 0.0) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=ago_s)


def live(camera: str, ago_s: float = 0.0, **fields: str) -> dict[str, str]:
    """The hash of a camera that delivers."""
    at = now(ago_s).isoformat()
    return {
        "camera": camera,
        "state": "online",
        "state_since": now(3600).isoformat(),
        "detail": "",
        "session": SESSION,
        "captured": "900",
        "inspected": "890",
        "last_frame": f"{camera}/{SESSION}/899",
        "last_frame_at": at,
        "last_verdict": "pass",
        "fps": "10.0",
        "updated_at": at,
        **fields,
    }


def a_box(seq: int) -> Box:
    """Where the synthetic part lies on frame `seq`: it moves to the right."""
    x = 40.0 + 23 * (seq % 20)
    return Box(x1=x, y1=200.0, x2=x + 80, y2=260.0)


def a_picture(seq: int) -> bytes:
    """A grey belt with a bright part on it."""
    image, box = Image.new("RGB", (WIDTH, HEIGHT), (60, 60, 60)), a_box(seq)
    ImageDraw.Draw(image).rectangle((box.x1, box.y1, box.x2 - 1, box.y2 - 1), fill=(250, 250, 250))
    drawn = BytesIO()
    image.save(drawn, "JPEG", quality=92)
    return drawn.getvalue()


def a_frame(camera: str, seq: int) -> Frame:
    return Frame(
        camera_id=camera,
        session=SESSION,
        seq=seq,
        captured_at=now(),
        clock="host",
        width=WIDTH,
        height=HEIGHT,
        payload=a_picture(seq),
    )


def an_inspection(frame: Frame, ref: RecordRef) -> Inspection:
    """The model has found the part."""
    return Inspection(
        camera_id=frame.camera_id,
        session=SESSION,
        seq=frame.seq,
        captured_at=frame.captured_at,
        outcome="inspected",
        detections=(Detection(label="scratch", confidence=0.9, box=a_box(frame.seq)),),
        width=WIDTH,
        height=HEIGHT,
        frame=ref,
        inspected_at=now(),
    )


async def put_frame(board: TestBoard, camera: str, seq: int) -> Inspection:
    """A frame in Kafka, and its inspection where the sinks leave the newest one."""
    frame, ref = a_frame(camera, seq), RecordRef(topic=FRAMES, partition=0, offset=seq)
    sent, inspection = encode(frame), an_inspection(frame, ref)
    board.records.records[ref] = Record(FRAMES, 0, seq, 0, sent.key, sent.value, sent.headers)
    prefix = board.board.settings.redis.prefix
    await board.board.redis.set(f"{prefix}:inspection:{camera}", inspection.model_dump_json())
    return inspection


def a_defect(number: int, camera: str = "press-1", label: str = "scratch") -> Defect:
    frame, at = f"{camera}/{SESSION}/{number}", now()
    return Defect(
        event_id=f"{frame}/{label}/1/opened",
        defect_id=f"{frame}/{label}/1",
        transition="opened",
        camera_id=camera,
        session=SESSION,
        label=label,
        severity="major",
        confidence=0.87,
        box=a_box(number),
        first_frame=frame,
        best_frame=frame,
        last_frame=frame,
        frames=3,
        opened_at=at,
        at=at,
    )
