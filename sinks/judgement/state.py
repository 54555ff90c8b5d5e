"""All that is known of one camera: what of it is stored with every batch, and what it shows.

The ledgers of sessions are stored in rows of their own: what a batch writes stays small however old a camera is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from pydantic import Field, TypeAdapter

from andon.messages import CameraState as Condition
from andon.messages import Outcome, PartOutcome
from sinks.channels.channel import CameraSnapshot, Verdict
from sinks.judgement.defects import Case
from sinks.judgement.ledger import SessionLedger
from sinks.judgement.parts import Parts
from sinks.judgement.spans import Watch
from sinks.judgement.tracker import Tracks


@dataclass(slots=True)
class Totals:
    """Of all sessions, brought forward by what each record changed."""

    captured: int = 0
    lost: int = 0
    inspected: int = 0
    shed: int = 0
    quarantined: int = 0
    passed: int = 0
    failed: int = 0
    unknown: int = 0


@dataclass(slots=True)
class Face:
    """What the camera shows."""

    state: Condition | None = None
    state_since: datetime | None = None
    detail: str = ""
    fps: float = 0.0
    status_at: datetime | None = None
    """When the last status was sent, by the ingester's clock."""
    session: str | None = None
    """The last one that a status named, when that was, and what it said of the number captured."""
    session_at: datetime | None = None
    captured: int = 0
    last_frame: str | None = None
    last_frame_at: datetime | None = None
    last_verdict: Verdict = "unknown"


@dataclass(slots=True)
class Memory:
    """What is stored of a camera with every batch."""

    session: str | None = None
    """The one whose frames are arriving, or arrived last."""
    announced: list[str] = field(default_factory=list)
    """Sessions of which only statuses were heard: these overtake the frames that wait before the broker."""
    expired: bool = False
    """Records of the camera expired unread: the next number that is heard of says up to where."""
    heard: tuple[str, int, int] | None = None
    """Topic, partition and offset of the frame that was accounted for last: a hole behind it may hold the next ones."""
    totals: Totals = field(default_factory=Totals)
    face: Face = field(default_factory=Face)
    tracks: Tracks = field(default_factory=Tracks)
    cases: dict[str, Case] = field(default_factory=dict)
    watch: Watch = field(default_factory=Watch)
    parts: Annotated[Parts | None, Field(exclude_if=lambda parts: parts is None)] = None
    """None where parts were never followed: then the state is what it was before there were any."""


@dataclass(slots=True)
class CameraState:
    """One camera. `sessions` must hold the open ones, and every stored one that a record given to `step` names."""

    camera_id: str
    memory: Memory = field(default_factory=Memory)
    sessions: dict[str, SessionLedger] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    """The sessions whose ledgers are not yet stored as they are."""

    @property
    def open_sessions(self) -> list[str]:
        """Those that the next record may change although it names another."""
        current = [] if self.memory.session is None else [self.memory.session]
        return current + self.memory.announced


_MEMORY = TypeAdapter(Memory)


def to_bytes(memory: Memory) -> bytes:
    return _MEMORY.dump_json(memory)


def from_bytes(stored: bytes) -> Memory:
    return _MEMORY.validate_json(stored)


def snapshot(state: CameraState) -> CameraSnapshot:
    memory = state.memory
    totals, face = memory.totals, memory.face
    counts: Mapping[Outcome, int] = {
        "inspected": totals.inspected,
        "shed": totals.shed,
        "quarantined": totals.quarantined,
    }
    return CameraSnapshot(
        camera_id=state.camera_id,
        state=face.state or "unknown",
        state_since=face.state_since,
        detail=face.detail,
        session=memory.session,
        captured=totals.captured,
        counts=counts,
        lost=totals.lost,
        last_frame=face.last_frame,
        last_frame_at=face.last_frame_at,
        last_verdict=face.last_verdict if face.state in ("online", None) else "unknown",
        verdicts={"pass": totals.passed, "fail": totals.failed, "unknown": totals.unknown},
        fps=face.fps,
        open_defects=sum(1 for case in memory.cases.values() if case.opened_at is not None),
        parts=_counts(memory.parts),
    )


def _counts(parts: Parts | None) -> Mapping[PartOutcome, int] | None:
    return None if parts is None else {"pass": parts.passed, "reject": parts.rejected, "unknown": parts.unknown}
