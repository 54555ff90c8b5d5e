"""The alarms that count for the line's state: read once a tick for all, and parsed where they have changed."""

from collections.abc import Sequence

from andon.alarms import Alarm
from sinks.board.andon import CameraAlarm
from sinks.board.line_state import BoardAlarm
from sinks.board.store import BoardStore
from sinks.store.alarm_rows import standing_rows


class StandingAlarms:
    def __init__(self, store: BoardStore) -> None:
        self._store = store
        self._rows: tuple[str, ...] = ()
        self._alarms: Sequence[CameraAlarm] = ()

    async def read(self) -> Sequence[CameraAlarm]:
        """Those that are active or not acknowledged, and that nobody has put aside. Raises RetryableError."""
        rows = await self._store.read(standing_rows)
        if rows != self._rows:
            alarms = [Alarm.read_json(row.encode()) for row in rows]
            counting = [alarm for alarm in alarms if alarm.state not in ("shelved", "out_of_service")]
            self._alarms = [CameraAlarm(BoardAlarm(item.severity, item.raised_at), item.camera_id) for item in counting]
            self._rows = rows
        return self._alarms
