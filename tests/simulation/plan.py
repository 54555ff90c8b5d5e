"""The plan that a seed draws before the first step: what the cameras see, the size of buffers, and the faults.

Each schedule has only some of the faults (swarm testing): a fault in every schedule would hide the effects of others.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from random import Random

from andon.messages import (
    Box,
    CameraStatus,
    Defect,
    Detection,
    Frame,
    Inspection,
    Outcome,
    PartVerdict,
    RecordRef,
    ShedRange,
)
from andon.settings import DefectSettings, PartSettings
from andon.wire import Outgoing, encode
from sinks.judgement.consequences import Consequences
from sinks.judgement.rules import DefectRules, JudgementRules, PartRules
from sinks.judgement.state import CameraAccount
from sinks.judgement.step import step
from tests.fakes import START

FPS = 15.0
GROUP = 3
"""Frames from one keyframe to the next, of cameras that send video."""
ALERTS = "alerts"
"""The name of the channel."""
PARTITIONS = 2
DEFECTS = DefectSettings(confirm_frames=2, confirm_window=3, close_after_frames=2)
PARTS = PartSettings.model_validate({"class": "part", "line": [[0.166, 0], [0.166, 1]], "min_frames": 2})
JUDGEMENT_RULES = JudgementRules(
    DefectRules(DEFECTS, "evidence", "part"), silence_s=3.0, parts=PartRules(PARTS, DEFECTS, {})
)
RaisedEvent = Defect | PartVerdict
Ending = tuple[Outcome, str | None]
"""How a frame ends: its outcome, with the reason."""
INSPECTED: Ending = ("inspected", None)
QUARANTINED: Ending = ("quarantined", "unproven")
FAULTS = (
    "ack_lost",  # the broker has appended a record, and its answer does not arrive
    "broker_away",
    "ingester_killed",
    "worker_killed",
    "sink_killed",
    "worker_stopped",  # as by SIGSTOP: its partitions go to another, then it wakes
    "sink_stopped",
    "worker_ends",  # as by SIGTERM: it drains, and a rebalance may come meanwhile
    "sink_ends",
    "store_locked",  # while a sink drains what it gives up
    "rebalance",
    "store_busy",  # before a transaction, or after it: its answer is lost
    "channel_busy",
    "no_room",  # mailboxes of a few frames
    "freshest",
    "spool",  # a small one, behind mailboxes of a few frames
    "disk_fails",  # now and then
    "expired",  # retention takes records that nobody may have read
    "broker_empty",  # it comes back without what it held: its log has another name then
    "clock_set",  # the hosts' clocks, by hand, where no broker stamps records
    "client_reorders",  # it gives a record up after its timeout, and still delivers what was handed to it later
)
SCRIPTS: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((7,), (3, 2)),
    ((5,), (5,)),
    ((3, 3), (6,)),
    ((4,), (3,), (3,)),
)
"""script -> camera -> session: the number of frames in it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The settings of one schedule."""

    script: int
    faults: frozenset[str]
    mailbox_frames: int
    max_age_s: float | None
    fault_rate: float
    """Probability that the next step is a fault."""
    reorders: bool
    spool_bytes: int
    """0: there is no spool."""
    video: bool
    """The cameras send video: a frame is inspected only if all before it, from its keyframe on, have come."""
    steps: int
    """Number of steps with faults. Then everything is mended, and the line must come to rest."""


def drawn(rng: Random, *, video: bool = False) -> Plan:
    faults = frozenset(rng.sample(FAULTS, rng.choice((0, 1, 2, 3, 5, 8))))
    spools = "spool" in faults and "freshest" not in faults
    if spools:  # what a spool is for
        faults |= {"ingester_killed"}
    return Plan(
        script=rng.randrange(len(SCRIPTS)),
        faults=faults,
        mailbox_frames=rng.randint(1, 3) if spools or "no_room" in faults else 100,
        max_age_s=1.0 if "freshest" in faults else None,
        reorders="client_reorders" in faults,
        spool_bytes=rng.choice((40, 80, 1000)) if spools else 0,
        video=video,
        fault_rate=rng.choice((0.02, 0.05, 0.15)),
        steps=rng.choice((40, 80, 160)),
    )


def camera_name(number: int) -> str:
    return f"cam-{number}"


def partition_of(camera_id: str) -> int:
    return int(camera_id.removeprefix("cam-")) % PARTITIONS


def numbers_of(message: Frame | Inspection | ShedRange) -> range:
    return (
        range(message.first_seq, message.last_seq + 1)
        if isinstance(message, ShedRange)
        else range(message.seq, message.seq + 1)
    )


@lru_cache(4096)
def frame(camera_id: str, session: str, seq: int, max_age_s: float | None, *, video: bool) -> Frame:
    """The frame with this name, the same in every schedule. One in ten is corrupt."""
    number = int(session.removeprefix("s"))
    return Frame(
        camera_id=camera_id,
        session=session,
        seq=seq,
        captured_at=START + timedelta(seconds=100 * number + seq / FPS),
        clock="camera",
        media_time_s=seq / FPS,
        width=640,
        height=480,
        content_type="video/h264" if video else "image/jpeg",
        keyframe=video and seq % GROUP == 0,
        payload=b"\xff" * 10,
        max_age_s=max_age_s,
        corrupt=_corrupt(camera_id, session, seq),
    )


def _corrupt(camera_id: str, session: str, seq: int) -> bool:
    return (partition_of(camera_id) * 3 + int(session.removeprefix("s")) + seq) % 10 == 4


def due(camera_id: str, session: str, seq: int, *, video: bool) -> Ending:
    """What becomes of the frame if nothing goes wrong."""
    if _corrupt(camera_id, session, seq):
        return "quarantined", "undecodable"
    before = range(seq - seq % GROUP, seq) if video else ()
    return QUARANTINED if any(_corrupt(camera_id, session, each) for each in before) else INSPECTED


def detections(picture: Frame) -> tuple[Detection, ...]:
    """What the model sees: two parts that cross the line between the frames 3 and 4, a scratch on the one in the frames
    1 to 3, and a dent that stands still and grows surer."""
    scratch = Detection(label="scratch", confidence=0.8, box=_box(30 + 16.0 * picture.seq, 200))
    dent = Detection(label="dent", confidence=min(0.95, 0.3 + 0.16 * picture.seq), box=_box(400, 100))
    shown = [_part(picture.seq, 150), _part(picture.seq, 300)]
    shown += [scratch] if 1 <= picture.seq <= 3 else []
    return tuple([*shown, dent] if picture.seq % 4 else shown)


def _part(seq: int, y: float) -> Detection:
    x = 16.0 * seq
    return Detection(label="part", confidence=0.9, box=Box(x1=x, y1=y, x2=x + 100, y2=y + 100))


def _box(x: float, y: float) -> Box:
    return Box(x1=x, y1=y, x2=x + 20, y2=y + 20)


@lru_cache(16384)
def inspection(picture: Frame, offset: int, ending: Ending) -> Inspection:
    outcome, reason = ending
    return Inspection(
        camera_id=picture.camera_id,
        session=picture.session,
        seq=picture.seq,
        captured_at=picture.captured_at,
        media_time_s=picture.media_time_s,
        outcome=outcome,
        reason=reason,
        detections=detections(picture) if outcome == "inspected" else (),
        width=640,
        height=480,
        frame=RecordRef(topic="andon.frames", partition=partition_of(picture.camera_id), offset=offset),
        inspected_at=picture.captured_at,
    )


@lru_cache(16384)
def encoded(picture: Frame, offset: int, ending: Ending) -> Outgoing:
    return encode(inspection(picture, offset, ending))


@lru_cache(64)
def undisturbed(camera_id: str, sessions: tuple[int, ...], *, video: bool) -> tuple[RaisedEvent, ...]:
    """The events of a run in which nothing goes wrong."""
    state = CameraAccount(camera_id)
    events: list[RaisedEvent] = []
    for number, count in enumerate(sessions, start=1):
        session = f"s{number}"
        for seq in range(count):
            picture = frame(camera_id, session, seq, None, video=video)
            result = inspection(picture, seq, due(camera_id, session, seq, video=video))
            events += raised_by(step(state, result, JUDGEMENT_RULES))
        at = START + timedelta(seconds=100 * number + 99)
        last = CameraStatus(camera_id=camera_id, session=session, state="offline", captured=count, final=True, at=at)
        events += raised_by(step(state, last, JUDGEMENT_RULES))
    return tuple(events)


def raised_by(outcomes: Consequences) -> list[RaisedEvent]:
    """Defects and verdicts, in the order in which they leave."""
    return [*outcomes.judgement.events, *outcomes.judgement.verdicts]
