"""What every fault is tried on: the same frames each time, and the events that they raise where nothing fails."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import av

from andon.events import silent
from andon.messages import CameraStatus, Defect, Frame, Message
from andon.settings import KafkaSettings
from andon.stream.clients import consumer, started
from andon.stream.offsets import Partition
from andon.wire import Record, decode
from tests.e2e.line import CLIPS

FRAMES = 150
"""Of each camera: ten seconds."""
CAMERAS = ("press-1", "weld-1")
GROUP = 15
"""Each clip has a keyframe every second."""
Encoding = Literal["jpeg", "auto"]
"""How the cameras' pictures travel. With auto it is the clips' own video."""
Step = tuple[str, str, str, str]
"""An event without its session: camera, number of its first frame, defect, transition."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A run without a fault."""

    frames: Sequence[Frame]
    """All cameras', in the order of their numbers."""
    steps: frozenset[Step]


def step_of(event: Defect) -> Step:
    camera, _, seq, label, transition = event.event_id.split("/")
    return camera, seq, label, transition


def needing(seq: int, encoding: Encoding) -> range:
    """The numbers of the frames that nobody can inspect without this one, itself among them."""
    return range(seq, seq + 1) if encoding == "jpeg" else range(seq, seq - seq % GROUP + GROUP)


def clips(folder: Path, slower: int = 1) -> dict[str, Path]:
    """The beginning of a clip for each camera, played `slower` times slower."""
    return {name: _beginning(CLIPS / f"{name}.mp4", folder / f"{name}.mp4", slower) for name in CAMERAS}


def _beginning(clip: Path, path: Path, slower: int) -> Path:
    with av.open(str(clip)) as whole, av.open(str(path), "w") as part:
        source = whole.streams.video[0]
        stream = part.add_stream_from_template(source)
        for number, packet in enumerate(whole.demux(source)):
            if number >= FRAMES or packet.dts is None or packet.pts is None:
                break
            packet.dts, packet.pts = packet.dts * slower, packet.pts * slower
            packet.duration = (packet.duration or 0) * slower
            packet.stream = stream
            part.mux(packet)
    return path


async def read_all(kafka: KafkaSettings, topic: str) -> list[Record]:
    """Everything that a topic keyed by camera holds now, in the order of each partition."""
    records: list[Record] = []
    async with started(lambda: consumer(kafka, None), kafka, silent) as client:
        client.assign([Partition(topic, number) for number in range(kafka.partitions)])
        ends = await client.end_offsets(client.assignment())
        for item in [item for item, end in ends.items() if end > 0]:
            while await client.position(item) < ends[item]:
                for batch in (await client.getmany(item, timeout_ms=100)).values():
                    records += [
                        Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, raw.headers)
                        for raw in batch
                    ]
    return records


async def frames_of(kafka: KafkaSettings) -> list[Frame]:
    messages = [decode(record) for record in await read_all(kafka, kafka.frames_topic)]
    return sorted(
        (item for item in messages if isinstance(item, Frame)), key=lambda frame: (frame.seq, frame.camera_id)
    )


def account_of(frames: Sequence[Frame], session: str) -> list[Message]:
    """These frames as a session of their own that begins now, with its last word."""
    now = datetime.now(UTC)
    again: list[Message] = [
        frame.model_copy(update={"session": session, "captured_at": now + timedelta(seconds=frame.media_time_s or 0.0)})
        for frame in frames
    ]
    for camera in sorted({frame.camera_id for frame in frames}):
        captured = 1 + max(frame.seq for frame in frames if frame.camera_id == camera)
        last = CameraStatus(camera_id=camera, session=session, state="stopped", captured=captured, final=True, at=now)
        again.append(last)
    return again
