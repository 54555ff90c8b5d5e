"""A year of a line, one day after the other: the store ends with the size that the settings say.

The rates are small and the shape is real: parts, defects, times without frames and sessions each day, and retention
once a day. The clock is a fake, so the year takes seconds.
"""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, text

from andon.messages import Box, Defect, PartVerdict, new_session
from andon.settings import KeepDays
from andon.stream.offsets import Partition
from sinks.audit import audit_of
from sinks.circumstances import Circumstances
from sinks.judgement.ledger import SessionLedger
from sinks.judgement.spans import Span
from sinks.judgement.state import CameraAccount
from sinks.store import tables
from sinks.store.database import Database, opened
from sinks.store.retention import StoreRetention
from sinks.store.store import Store
from sinks.store.stored import Batch, Opening, Position
from tests.fakes import START, FakeClock

pytestmark = pytest.mark.integration
DAY_S = 86_400.0
DAYS = 365
PARTS, DEFECTS, FRAMES = 40, 6, 1000
"""Of one camera in a day; it has one session, and one time without frames."""
KEEP = KeepDays(parts=10, defects=60, spans=60, sessions=60)
HERE = Partition("andon.inspections", 0)
CAMERA = "press-1"


async def no_pause(_seconds: float) -> None:
    """Nobody else uses the store."""


class Year:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = Store(database)
        self.clock = FakeClock()
        self.retention = StoreRetention(database, KEEP, self.clock, no_pause)
        self.account = CameraAccount(CAMERA)
        self.offset = 0

    async def live(self, days: int, *, prune: bool = True) -> None:
        for _ in range(days):
            await self._day()
            self.clock.advance(DAY_S)
            if prune:
                await self.retention.prune()

    async def _day(self) -> None:
        now = self.clock.now()
        session = new_session(now)
        if self.account.state.session is not None:
            self.account.sessions[self.account.state.session].end("superseded")
            self.account.changed.add(self.account.state.session)
        ledger = self.account.sessions[session] = SessionLedger()
        ledger.add(0, FRAMES - 1, "inspected", None)
        ledger.saw_captured(FRAMES + 2)
        self.account.changed.add(session)
        self.account.state.session = session
        batch = Batch(
            HERE,
            Position(1, "", self.offset),
            self.offset + 1,
            now,
            states=(self.account,),
            events=[self._defect(session, number) for number in range(DEFECTS)],
            verdicts=[self._part(session, number) for number in range(PARTS)],
            spans=[Span(CAMERA, now, now + timedelta(seconds=10), "offline", watched=True)],
        )
        assert await self.store.write([batch]) == frozenset()
        self.offset += 1
        self.account.changed.clear()
        self.account.sessions = {session: ledger}

    def _part(self, session: str, number: int) -> PartVerdict:
        return PartVerdict(
            event_id=f"{CAMERA}/{session}/part/{number}",
            part_id=f"{CAMERA}/{session}/{number}",
            camera_id=CAMERA,
            session=session,
            label="part",
            verdict="pass",
            first_frame=f"{CAMERA}/{session}/{number}",
            last_frame=f"{CAMERA}/{session}/{number + 5}",
            frames=6,
            at=self.clock.now(),
        )

    def _defect(self, session: str, number: int) -> Defect:
        name = f"{CAMERA}/{session}/{number}/scratch-1"
        return Defect(
            event_id=f"{name}/closed",
            defect_id=name,
            transition="closed",
            camera_id=CAMERA,
            session=session,
            label="scratch",
            severity="major",
            confidence=0.9,
            box=Box(x1=0, y1=0, x2=1, y2=1),
            first_frame=f"{CAMERA}/{session}/1",
            best_frame=f"{CAMERA}/{session}/2",
            last_frame=f"{CAMERA}/{session}/4",
            frames=4,
            opened_at=self.clock.now(),
            at=self.clock.now(),
        )

    async def rows(self) -> dict[str, int]:
        names = ("parts", "defects", "defect_events", "spans", "sessions", "pruned")
        return await self.database.run(lambda connection: {name: _count(connection, name) for name in names})

    async def used_bytes(self) -> int:
        """The pages of the SQLite file."""
        return await self.database.run(_file_bytes)


def _count(connection: Connection, name: str) -> int:
    return int(connection.execute(select(func.count()).select_from(tables.metadata.tables[name])).scalar_one())


def _file_bytes(connection: Connection) -> int:
    pages, size = (connection.execute(text(f"pragma {name}")).scalar_one() for name in ("page_count", "page_size"))
    return int(pages) * int(size)


async def test_a_year_ends_with_the_rows_and_the_bytes_that_the_settings_say(tmp_path: Path) -> None:
    database = await opened(f"sqlite:///{tmp_path}/andon.db")
    try:
        year = Year(database)
        await year.store.begin([Opening(HERE, Position(1, "", 0), START, "the first")])
        await year.live(70)  # every table has reached its age
        settled = await year.used_bytes()
        await year.live(DAYS - 70)
        assert await year.rows() == {
            "parts": 10 * PARTS,
            "defects": 60 * DEFECTS,
            "defect_events": 60 * DEFECTS,
            "spans": 60,
            "sessions": 61,  # the day's session ends on the next day
            "pruned": 1,
        }
        assert await year.used_bytes() <= 1.05 * settled
        report = audit_of(await year.store.everything(), Circumstances(year.clock.now(), None, silence_s=1e9))
        (totals,) = report.pruned.values()
        assert report.as_json()["ledger"] == {
            "captured": DAYS * (FRAMES + 2),
            "inspected": DAYS * FRAMES,
            "in_flight": 2,
            "duplicates": 0,
            "shed": 0,
            "quarantined": 0,
            "lost": (DAYS - 1) * 2,
        }
        assert (totals.sessions, totals.parts["pass"], totals.defects["scratch"], totals.spans) == (
            DAYS - 61,
            (DAYS - 10) * PARTS,
            (DAYS - 60) * DEFECTS,
            DAYS - 60,
        )
    finally:
        await database.close()


async def test_a_first_prune_of_a_store_that_grew_for_a_year_catches_up(tmp_path: Path) -> None:
    database = await opened(f"sqlite:///{tmp_path}/andon.db")
    try:
        year = Year(database)
        await year.store.begin([Opening(HERE, Position(1, "", 0), START, "the first")])
        await year.live(120, prune=False)
        counted = await year.retention.count()
        assert await year.retention.prune() == counted
        assert (await year.rows())["parts"] == 10 * PARTS
        grown = await year.used_bytes()
        await year.live(60)
        assert await year.used_bytes() <= grown
    finally:
        await database.close()
