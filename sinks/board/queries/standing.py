"""What the sinks last knew of each camera: a few values of its account, picked in SQL."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Text, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB

from sinks.judgement.spans import LastDelivery
from sinks.judgement.state import Totals
from sinks.store import tables

_DELIVERY = TypeAdapter(LastDelivery)
_TOTALS = TypeAdapter(Totals)
_MOMENT = TypeAdapter(datetime | None)


@dataclass(frozen=True, slots=True)
class CameraStanding:
    camera_id: str
    delivery: LastDelivery
    status_at: datetime | None
    """When its newest status was sent."""
    totals: Totals

    @property
    def in_flight(self) -> int:
        """Captured frames that have no outcome yet."""
        counted = self.totals
        return counted.captured - counted.lost - counted.inspected - counted.shed - counted.quarantined


def standings(connection: Connection) -> list[CameraStanding]:
    """Every camera in every partition that it was ever in, by camera; the one heard of last comes last."""
    postgresql = connection.dialect.name == "postgresql"
    picked = [_picked(name, postgresql=postgresql) for name in ("watch", "totals", "face")]
    face = TypeAdapter(dict[str, object])
    found = []
    for name, watch, totals, shown in connection.execute(select(tables.cameras.c.camera_id, *picked)):
        at = _MOMENT.validate_python(face.validate_json(shown).get("status_at"))
        found.append(CameraStanding(name, _DELIVERY.validate_json(watch), at, _TOTALS.validate_json(totals)))
    return sorted(found, key=lambda item: (item.camera_id, item.status_at.timestamp() if item.status_at else 0.0))


def _picked(name: str, *, postgresql: bool) -> ColumnElement[str]:
    state = tables.cameras.c.state
    if postgresql:
        return cast(cast(func.convert_from(state, "UTF8"), JSONB)[name], Text)
    return func.json_extract(cast(state, Text), f"$.{name}")
