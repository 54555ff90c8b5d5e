"""A camera's account: the state that is stored with every batch, and the ledgers of its sessions.

Each ledger is stored in a row of its own, so a batch writes little, however old a camera is. The state is stored as
JSON; where a field is called otherwise there than here, its alias says how.
"""

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from pydantic import Field, TypeAdapter

from andon.messages import CameraState, CameraStatus
from sinks.judgement.alarms import CameraAlarms
from sinks.judgement.defects import DefectHistory
from sinks.judgement.ledger import SessionLedger
from sinks.judgement.parts import Parts
from sinks.judgement.rules import Verdict
from sinks.judgement.spans import LastDelivery
from sinks.judgement.standing import Standing
from sinks.judgement.tracker import Tracks


@dataclass(slots=True)
class Totals:
    """The sums of all sessions."""

    captured: int = 0
    lost: int = 0
    inspected: int = 0
    shed: int = 0
    quarantined: int = 0
    passed: int = 0
    failed: int = 0
    unknown: int = 0

    def count(self, verdict: Verdict, frames: int = 1) -> None:
        match verdict:
            case "pass":
                self.passed += frames
            case "fail":
                self.failed += frames
            case "unknown":
                self.unknown += frames


@dataclass(slots=True)
class Display:
    """What people are shown of the camera beside its numbers."""

    state: CameraState | None = None
    state_since: datetime | None = None
    detail: str = ""
    fps: float = 0.0
    status_at: datetime | None = None
    """When the newest status was sent, by the ingester's clock."""
    session: str | None = None
    """The session that a status named last; below, the time of that status and its number of captured frames."""
    session_at: datetime | None = None
    captured: int = 0
    last_frame: str | None = None
    last_frame_at: datetime | None = None
    last_verdict: Verdict = "unknown"
    ingester: Annotated[str, Field(exclude_if=operator.not_)] = ""

    def show(self, status: CameraStatus) -> None:
        if self.state != status.state:
            self.state, self.state_since = status.state, status.at
        self.detail, self.fps, self.status_at = status.detail, status.fps, status.at
        self.ingester = status.ingester.replace("\0", "")
        if status.session is not None:
            self.session, self.session_at, self.captured = status.session, status.at, status.captured


@dataclass(slots=True)
class JudgementState:
    """The part of an account that is stored with every batch."""

    session: str | None = None
    """The current session: the one whose frames arrive, or arrived last."""
    announced: list[str] = field(default_factory=list)
    """Sessions known from statuses only: a status overtakes the frames that wait for the broker."""
    expired: bool = False
    """Records of the camera expired unread. The number of the next record says how many."""
    log_lost: Annotated[bool, Field(exclude_if=operator.not_)] = False
    """A log has lost its end, perhaps with records of the camera. The next new record says how many."""
    heard: tuple[str, int, int] | None = None
    """Topic, partition and offset of the frame that was accounted for last. A hole behind it may hold the next ones."""
    totals: Totals = field(default_factory=Totals)
    display: Annotated[Display, Field(alias="face")] = field(default_factory=Display)
    tracks: Tracks = field(default_factory=Tracks)
    defects: Annotated[dict[str, DefectHistory], Field(alias="cases")] = field(default_factory=dict)
    """By track."""
    standing: Annotated[Standing, Field(exclude_if=lambda standing: standing == Standing())] = field(
        default_factory=Standing
    )
    delivery: Annotated[LastDelivery, Field(alias="watch")] = field(default_factory=LastDelivery)
    parts: Annotated[Parts | None, Field(exclude_if=lambda parts: parts is None)] = None
    """None if parts were never followed: the stored JSON then has no such key, as before parts existed."""
    alarms: Annotated[CameraAlarms, Field(exclude_if=lambda alarms: alarms == CameraAlarms())] = field(
        default_factory=CameraAlarms
    )


@dataclass(slots=True)
class CameraAccount:
    """One camera. `sessions` must hold the open ones, and every stored one that a record given to `step` names."""

    camera_id: str
    state: JudgementState = field(default_factory=JudgementState)
    sessions: dict[str, SessionLedger] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    """Sessions whose ledgers differ from the stored ones."""

    @property
    def open_sessions(self) -> list[str]:
        """The sessions that the next record may change although it names another one."""
        current = [] if self.state.session is None else [self.state.session]
        return current + self.state.announced

    @contextmanager
    def ledger(self, session: str) -> Iterator[SessionLedger]:
        """The ledger of a known session, to be changed. The totals change with it."""
        ledger, totals = self.sessions[session], self.state.totals
        before = ledger.sums()
        yield ledger
        after = ledger.sums()
        self.changed.add(session)
        totals.captured += after.captured - before.captured
        totals.lost += after.lost - before.lost
        totals.inspected += after.inspected - before.inspected
        totals.shed += after.shed - before.shed
        totals.quarantined += after.quarantined - before.quarantined


_STATE = TypeAdapter(JudgementState)


def to_bytes(state: JudgementState) -> bytes:
    return _STATE.dump_json(state, by_alias=True)


def from_bytes(stored: bytes) -> JudgementState:
    return _STATE.validate_json(stored)
