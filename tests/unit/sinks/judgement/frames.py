"""Records of a camera, for tests: one scratch that crosses the picture, and what else a test adds."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from andon.messages import (
    Box,
    CameraState,
    CameraStatus,
    Defect,
    Detection,
    Inspection,
    PartVerdict,
    RecordRef,
    ShedRange,
)
from andon.settings import DefectSettings
from sinks.judgement.consequences import EvidenceOrder
from sinks.judgement.rules import DefectRules, JudgementRules
from sinks.judgement.spans import Span
from sinks.judgement.state import CameraAccount, from_bytes, to_bytes
from sinks.judgement.step import AccountMessage, step
from tests.fakes import START

FPS = 15.0
DEFECT_RULES = JudgementRules(DefectRules(DefectSettings(), "evidence"), silence_s=3.0)


def box(x: float, y: float = 200.0, side: float = 20.0) -> Box:
    return Box(x1=x, y1=y, x2=x + side, y2=y + side)


def detection(x: float, y: float = 200.0, confidence: float = 0.8, label: str = "scratch") -> Detection:
    return Detection(label=label, confidence=confidence, box=box(x, y))


def inspected(
    seq: int, *detections: Detection, session: str = "s1", camera: str = "press-1", late_s: float = 0.0
) -> Inspection:
    at = START + timedelta(seconds=seq / FPS + late_s)
    return Inspection(
        camera_id=camera,
        session=session,
        seq=seq,
        captured_at=at,
        media_time_s=seq / FPS,
        outcome="inspected",
        detections=detections,
        width=640,
        height=480,
        frame=RecordRef(topic="andon.frames", partition=0, offset=seq),
        inspected_at=at,
    )


def quarantined(seq: int, session: str = "s1") -> Inspection:
    return inspected(seq, session=session).model_copy(update={"outcome": "quarantined", "reason": "undecodable"})


def shed(first: int, last: int, session: str = "s1") -> ShedRange:
    at = START + timedelta(seconds=last / FPS)
    return ShedRange(camera_id="press-1", session=session, first_seq=first, last_seq=last, reason="mailbox_full", at=at)


def status(
    captured: int,
    session: str | None = "s1",
    state: CameraState = "online",
    *,
    final: bool = False,
    at_s: float | None = None,
    detail: str = "",
) -> CameraStatus:
    at = START + timedelta(seconds=captured / FPS if at_s is None else at_s)
    return CameraStatus(
        camera_id="press-1", session=session, state=state, captured=captured, final=final, at=at, fps=FPS, detail=detail
    )


def crossing(frames: Iterable[int], speed_px: float = 16.0, first: int = 0) -> list[Inspection]:
    """A scratch of 20 px that moves `speed_px` a frame."""
    return [inspected(seq, detection(speed_px * (seq - first))) for seq in frames]


class Steps:
    """The consequences of some records, added up."""

    def __init__(self, camera: CameraAccount | None = None) -> None:
        self.camera = camera or CameraAccount("press-1")
        self.events: list[Defect] = []
        self.verdicts: list[PartVerdict] = []
        self.orders: list[EvidenceOrder] = []
        self.spans: list[Span] = []
        self.stale = 0

    def take(
        self, messages: Sequence[AccountMessage], rules: JudgementRules = DEFECT_RULES, *, stored_between: bool = False
    ) -> "Steps":
        """`stored_between`: the state is stored and read again after each record, as after a crash."""
        for message in messages:
            consequences = step(self.camera, message, rules)
            self.events += consequences.judgement.events
            self.verdicts += consequences.judgement.verdicts
            self.orders += consequences.judgement.orders
            self.spans += consequences.spans
            self.stale += not consequences.fresh
            if stored_between:
                self.camera.state = from_bytes(to_bytes(self.camera.state))
        return self

    @property
    def ids(self) -> list[str]:
        return [event.event_id for event in self.events]
