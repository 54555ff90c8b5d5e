"""What the page of alarms and its API take and show."""

from typing import Literal, Self

from pydantic import Field, model_validator

from andon.alarms import MAX_SHELVED_S, Alarm, AlarmState
from andon.alarms.messages import MAX_ALARMS, MAX_NOTE, kind_of
from andon.messages import CameraId
from sinks.board.cursor import Page
from sinks.board.models.query import Query, View

Action = Literal["acknowledge", "shelve", "unshelve", "out_of_service", "return_to_service"]


class AlarmQuery(Query):
    camera: CameraId | None = None
    state: AlarmState | None = None
    """None: every state but `normal`."""
    cursor: str | None = Field(default=None, max_length=2_000)
    limit: int = Field(default=100, ge=1, le=500)


class AlarmEventQuery(Query):
    camera: CameraId | None = None
    alarm: str | None = Field(default=None, min_length=1, max_length=300, pattern=r"^[^\x00]*$")
    cursor: str | None = Field(default=None, max_length=2_000)
    limit: int = Field(default=100, ge=1, le=500)


class AlarmPage(Page[Alarm]):
    pass


class AlarmEventPage(Page[Alarm]):
    pass


class AlarmOrder(Query):
    """What a person wants done with alarms, of one camera or of several."""

    action: Action
    alarms: tuple[str, ...] = Field(default=(), max_length=MAX_ALARMS)
    """Their ids."""
    camera: CameraId | None = None
    """In place of `alarms`: all that stand at this camera."""
    note: str = Field(default="", max_length=MAX_NOTE, pattern=r"^[^\x00]*$")
    minutes: float | None = Field(default=None, gt=0, le=MAX_SHELVED_S / 60)
    """For `shelve`: until the alarm comes back by itself."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.alarms) == (self.camera is not None):
            raise ValueError("name either alarms or a camera")
        if (self.minutes is not None) != (self.action == "shelve"):
            raise ValueError("minutes belong to `shelve`, and to no other action")
        for alarm in self.alarms:
            if len(alarm) > 300 or "\0" in alarm or kind_of(alarm, alarm.partition("/")[0]) is None:
                raise ValueError(f"{alarm[:60]!r} is no alarm's id")
        return self

    @property
    def by_camera(self) -> dict[str, tuple[str, ...]]:
        """The alarms of each camera; none: all of it."""
        if self.camera is not None:
            return {self.camera: ()}
        cameras = dict.fromkeys(alarm.partition("/")[0] for alarm in self.alarms)
        return {name: tuple(item for item in self.alarms if item.startswith(f"{name}/")) for name in cameras}


class AlarmReceipt(View):
    """Kafka has the requests. The alarms change when the sinks take them: look at the event stream, or at the list."""

    requests: list[str]
    """Their ids."""
