"""Puts alerts onto a Redis stream, each once. `andon.alerts` reads it.

Verdicts on parts have a stream of their own. They are many: they would push the alerts out of a capped stream, and a
reader of defects has no use for them.

One script looks for the event's id and appends the event, so a repetition adds nothing, even if two processes send at
the same time. The script appends before it stores the id. In the other order, an append that Redis refuses (no memory
left) would leave the id behind; every further attempt would look like a repetition, and the alert would be lost.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from andon.messages import Defect, PartVerdict
from andon.settings import RedisChannelSettings, RedisSettings
from sinks.channels.channel import Channel
from sinks.channels.payload import event_of
from sinks.channels.redis_errors import FAILURES, failure
from sinks.channels.registry import ChannelContext, ChannelType
from sinks.outbox_item import OutboxItem

_APPEND_ONCE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
local id = redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', unpack(ARGV, 3))
redis.call('SET', KEYS[1], id, 'EX', ARGV[1])
return id
"""


class RedisAlerts:
    """A Channel of type `redis`. The caller closes the client."""

    def __init__(self, client: Redis, settings: RedisSettings) -> None:
        self._client = client
        self._settings = settings
        self._append_once = client.register_script(_APPEND_ONCE)

    async def send(self, item: OutboxItem) -> None:
        """Append the event to `<prefix>:alerts`, or a part's verdict to `<prefix>:parts`, unless it is there."""
        event, settings = event_of(item), self._settings
        if isinstance(event, PartVerdict):
            stream, most, fields = "parts", settings.parts_maxlen, _of_part(event)
        else:
            stream, most, fields = "alerts", settings.alerts_maxlen, _of_defect(event)
        if item.traceparent is not None:
            fields["traceparent"] = item.traceparent
        keys = [f"{settings.prefix}:alert:{event.event_id}", f"{settings.prefix}:{stream}"]
        limits: list[str | int] = [int(settings.dedup_hours * 3600) or 1, most]
        args = [*limits, *(text for pair in fields.items() for text in pair)]
        try:
            await self._append_once(keys=keys, args=args)
        except FAILURES as error:
            raise failure(self._client, error) from None


def _of_part(verdict: PartVerdict) -> dict[str, str]:
    """The whole event, and beside it the fields that a person at redis-cli reads."""
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


@asynccontextmanager
async def _opened(settings: RedisChannelSettings, context: ChannelContext) -> AsyncIterator[Channel]:
    yield RedisAlerts(context.redis, context.line.redis)


TYPE = ChannelType(RedisChannelSettings, _opened)
