"""What an error of Redis means for whoever writes to it: away for now, or refused until a person mends it."""

from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from andon import redis as away
from sinks.channels.channel import SinkBroken, SinkBusy

FAILURES = (RedisError, *away.AWAY)
"""Everything that a command to Redis may raise."""


def failure(client: Redis, error: BaseException) -> SinkBusy | SinkBroken:
    """The error to raise or to log in place of `error`: one line, with Redis' address and what to mend."""
    where = f"redis {away.address(client)}"
    if (refusal := away.refusal(error)) is not None:
        return SinkBroken(f"{where}: {refusal}")
    if isinstance(error, OutOfMemoryError):
        return SinkBroken(f"{where}: has no memory left: raise its maxmemory, or lower redis.*_maxlen")
    if isinstance(error, ResponseError) and not isinstance(error, away.AWAY):
        return SinkBroken(f"{where}: refuses the write: {away.why(error)}; is the key another program's?")
    return SinkBusy(f"{where}: {away.why(error)}", 0.0)
