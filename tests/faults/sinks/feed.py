"""What two cameras' workers would have sent, and the events that follow from it in a run without a fault."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache

import av
import cv2

from andon.events import silent
from andon.messages import Box, CameraStatus, Defect, Detection, Frame, Inspection, Message, RecordRef
from andon.settings import KafkaSettings, Settings
from andon.stream.clients import consumer, producer, started
from andon.stream.publisher import KafkaPublisher
from andon.wire import Record, decode, encode
from sinks.judgement.state import CameraAccount
from sinks.judgement.step import AccountMessage, step
from sinks.role import rules_of
from tests.detectors import grey
from tests.faults.recording import GROUP, Encoding

CAMERAS = ("press-1", "press-2")
FPS = 15
ROUND = 60
"""Frames; in each round one scratch crosses the picture."""
PICTURE = cv2.imencode(".jpg", grey(120, (480, 640)))[1].tobytes()


@cache
def group() -> tuple[bytes, ...]:
    """PICTURE as H.264, from a keyframe to the next."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.framerate = 640, 480, "yuv420p", Fraction(FPS)
    encoder.time_base = encoder.framerate**-1
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": f"keyint={GROUP}:log-level=none"}
    shown = av.VideoFrame.from_ndarray(grey(120, (480, 640)), format="bgr24").reformat(format="yuv420p")
    packets = []
    for number in range(GROUP):
        shown.pts = number
        packets += encoder.encode(shown)
    return tuple(bytes(packet) for packet in [*packets, *encoder.encode(None)])


class Feed:
    """Rounds of records, published when the test says so. Everything about them is known beforehand."""

    def __init__(self, settings: Settings, rounds: int, encoding: Encoding) -> None:
        self.kafka: KafkaSettings = settings.kafka
        self._encoding = encoding
        self._rules = rules_of(settings)
        self._rounds = rounds
        self._began = datetime.now(UTC) - timedelta(seconds=rounds * ROUND / FPS)
        self._frames: dict[tuple[str, int], RecordRef] = {}
        self.frames = len(CAMERAS) * rounds * ROUND

    async def lay_out(self) -> None:
        """The frames themselves, for the evidence."""
        names = [(camera, seq) for camera in CAMERAS for seq in range(self._rounds * ROUND)]
        found = await _send(self.kafka, self.kafka.frames_topic, [self._frame(*name) for name in names])
        self._frames = dict(zip(names, found, strict=True))

    async def publish(self, rounds: Iterable[int], cameras: Sequence[str] = CAMERAS) -> None:
        """Inspections of these rounds, each with the status that follows; the last round ends the session."""
        for number in rounds:
            messages: list[Message] = [item for camera in cameras for item in self._round(camera, number)]
            await _send(self.kafka, self.kafka.inspections_topic, messages)

    def expected(self, rounds: Iterable[int], cameras: Sequence[str] = CAMERAS) -> list[str]:
        """The ids of the events, sorted."""
        ids: list[str] = []
        for camera in cameras:
            state = CameraAccount(camera)
            for number in rounds:
                for message in self._round(camera, number):
                    ids += [event.event_id for event in step(state, message, self._rules.judgement).judgement.events]
        return sorted(ids)

    def _round(self, camera: str, number: int) -> list[AccountMessage]:
        first, last = number * ROUND, (number + 1) * ROUND
        final = number == self._rounds - 1
        status = CameraStatus(
            camera_id=camera,
            session="s1",
            state="stopped" if final else "online",
            captured=last,
            final=final,
            at=self._at(last),
            fps=FPS,
        )
        return [*(self._inspection(camera, seq) for seq in range(first, last)), status]

    def _at(self, seq: int) -> datetime:
        return self._began + timedelta(seconds=seq / FPS)

    def _frame(self, camera: str, seq: int) -> Frame:
        video = self._encoding == "auto"
        return Frame(
            camera_id=camera,
            session="s1",
            seq=seq,
            captured_at=self._at(seq),
            clock="host",
            width=640,
            height=480,
            content_type="video/h264" if video else "image/jpeg",
            payload=group()[seq % GROUP] if video else PICTURE,
            keyframe=video and seq % GROUP == 0,
        )

    def _inspection(self, camera: str, seq: int) -> Inspection:
        since = seq % ROUND - 10
        box = Box(x1=15.0 * since, y1=200, x2=15.0 * since + 30, y2=220) if 0 <= since < 40 else None
        reference = self._frames.get((camera, seq), RecordRef(topic=self.kafka.frames_topic, partition=0, offset=seq))
        return Inspection(
            camera_id=camera,
            session="s1",
            seq=seq,
            captured_at=self._at(seq),
            media_time_s=seq / FPS,
            outcome="inspected",
            detections=(Detection(label="scratch", confidence=0.8, box=box),) if box else (),
            width=640,
            height=480,
            frame=reference,
            keyframe=self._frames.get((camera, seq - seq % GROUP)) if self._encoding == "auto" else None,
            inspected_at=self._at(seq),
        )


async def _send(kafka: KafkaSettings, topic: str, messages: Sequence[Message]) -> list[RecordRef]:
    async with started(lambda: producer(kafka), kafka, silent) as client:
        publisher = KafkaPublisher(client)
        sent = [await publisher.send(topic, encode(message)) for message in messages]
        return [await acknowledged for acknowledged in sent]


async def events_on_kafka(kafka: KafkaSettings, ids: Sequence[str]) -> Counter[str]:
    """How often each event lies on the defects topic, once all of `ids` do."""
    counts: Counter[str] = Counter()
    async with started(lambda: consumer(kafka, None), kafka, silent) as client, asyncio.timeout(60):
        client.subscribe([kafka.defects_topic])
        while not set(ids) <= counts.keys() or await _news(client, counts, 500):
            await _news(client, counts, 200)
    return counts


async def _news(client: object, counts: Counter[str], timeout_ms: int) -> int:
    batches = await client.getmany(timeout_ms=timeout_ms)  # type: ignore[attr-defined]  # aiokafka is untyped
    for raw in (raw for records in batches.values() for raw in records):
        message = decode(Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, raw.headers))
        assert isinstance(message, Defect)
        counts[message.event_id] += 1
    return len(batches)
