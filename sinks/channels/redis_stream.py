"""Alerts onto a Redis stream, each once: what `andon.alerts` reads. Verdicts on parts have a stream of their own: they
are many, would push the alerts out of a capped stream, and are no news for who reads defects alone.

One script looks for the event's id and appends, so that a repetition, even by two senders at a time, adds nothing. It
appends before it remembers the id: were it the other way round, an append that Redis refuses (no memory left) would
leave an id behind that makes every further attempt look like a repetition, and the alert would be lost.
"""

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from andon import redis as away
from andon.messages import Defect, PartVerdict
from andon.settings import RedisSettings
from sinks.channels.channel import SinkBusy
from sinks.channels.payload import event_of
from sinks.outbox_item import OutboxItem

REFUSED_RETRY_S = 10.0

_APPEND_ONCE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
local id = redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', unpack(ARGV, 3))
redis.call('SET', KEYS[1], id, 'EX', ARGV[1])
return id
"""


class RedisAlerts:
    """The channel `redis`. The caller closes the client."""

    def __init__(self, client: Redis, settings: RedisSettings) -> None:
        self._client = client
        self._settings = settings
        self._append_once = client.register_script(_APPEND_ONCE)

    @property
    def name(self) -> str:
        return "redis"

    async def send(self, item: OutboxItem) -> None:
        """Append the event to `<prefix>:alerts`, or a part's verdict to `<prefix>:parts`, unless it is there."""
        event, settings = event_of(item), self._settings
        if isinstance(event, PartVerdict):
            stream, most, fields = "parts", settings.parts_maxlen, _of_part(event)
        else:
            stream, most, fields = "alerts", settings.alerts_maxlen, _of_defect(event)
        keys = [f"{settings.prefix}:alert:{event.event_id}", f"{settings.prefix}:{stream}"]
        limits: list[str | int] = [int(settings.dedup_hours * 3600) or 1, most]
        args = [*limits, *(text for pair in fields.items() for text in pair)]
        try:
            await self._append_once(keys=keys, args=args)
        except (*away.REFUSED, *away.AWAY) as error:
            refusal = away.refusal(error)
            if refusal is not None:
                raise SinkBusy(self._line(refusal), REFUSED_RETRY_S) from None
            raise SinkBusy(self._line(away.why(error)), 0.0) from None
        except ResponseError as error:
            raise SinkBusy(self._line(f"refuses the alert: {away.why(error)}"), REFUSED_RETRY_S) from None

    def _line(self, why: str) -> str:
        return f"redis {away.address(self._client)}: {why}"


def _of_part(verdict: PartVerdict) -> dict[str, str]:
    """The event whole, and beside it what a person at redis-cli looks for."""
    return {
        "type": "andon.part.v1",
        "event": verdict.model_dump_json(),
        "event_id": verdict.event_id,
        "part_id": verdict.part_id,
        "verdict": verdict.verdict,
        "reason": verdict.reason or "",
        "camera": verdict.camera_id,
        "defects": ",".join(defect.label for defect in verdict.defects),
        "at": verdict.at.isoformat(),
    }


def _of_defect(defect: Defect) -> dict[str, str]:
    return {
        "type": "andon.defect.v1",
        "event": defect.model_dump_json(),
        "event_id": defect.event_id,
        "defect_id": defect.defect_id,
        "transition": defect.transition,
        "camera": defect.camera_id,
        "label": defect.label,
        "severity": defect.severity,
        "at": defect.at.isoformat(),
        "evidence": defect.evidence or "",
    }
