"""What the andon shows, for its page and for the API."""

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from andon.messages import Defect
from sinks.board.line_state import LineState, Word
from sinks.board.production import Production
from sinks.board.tiles import Kind, Tile


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class LineWord(_Model):
    word: Word
    """stop: a critical alarm; blind: nobody can say how the line is; attention: something wants a person; runs: none of
    these."""
    since: datetime

    @classmethod
    def of(cls, state: LineState) -> "LineWord":
        return cls(word=state.word, since=state.since)


class CameraTile(_Model):
    id: str
    kind: Kind
    state: str
    """The camera's state, or `behind`, `blind`, `disabled`."""
    detail: str
    since: datetime | None
    heard_at: datetime | None
    """When the board last heard of the camera; None: never."""
    frame_at: datetime | None
    """When its newest frame was captured that is accounted for."""
    verdict: str
    fps: float | None
    open_defects: int

    @classmethod
    def of(cls, tile: Tile, at: datetime) -> "CameraTile":
        return cls(
            id=tile.camera_id,
            kind=tile.kind,
            state=tile.state,
            detail=tile.detail,
            since=tile.since,
            heard_at=_before(at, tile.heard_s),
            frame_at=_before(at, tile.frame_age_s),
            verdict=tile.verdict,
            fps=tile.fps,
            open_defects=tile.open_defects,
        )


def _before(at: datetime, age_s: float | None) -> datetime | None:
    return None if age_s is None else at - timedelta(seconds=age_s)


class ShiftNow(_Model):
    """The shift that runs, and its parts so far. Without parts in line.yaml the counts are null."""

    name: str | None
    start: datetime | None
    end: datetime | None
    good: int | None
    rejected: int | None
    unknown: int | None
    yield_percent: float | None
    target_percent: float
    per_hour: float | None
    target_per_hour: float | None
    counted_at: datetime | None
    """None: the store has not answered yet."""

    @classmethod
    def of(cls, production: Production) -> "ShiftNow":
        return cls(
            name=production.shift and production.shift.name,
            start=production.shift and production.shift.start,
            end=production.shift and production.shift.end,
            good=production.counts and production.counts.passed,
            rejected=production.counts and production.counts.rejected,
            unknown=production.counts and production.counts.unknown,
            yield_percent=production.yield_percent,
            target_percent=production.target.yield_percent,
            per_hour=production.per_hour,
            target_per_hour=production.target.parts_per_hour,
            counted_at=production.counted_at,
        )


class AndonNow(_Model):
    line: str
    at: datetime
    state: LineWord
    cameras: list[CameraTile]
    newest_defect: Defect | None
    shift: ShiftNow
