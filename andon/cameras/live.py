"""The newest state of each camera, as the sinks write it to Redis; for people."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from redis.exceptions import RedisError

from andon.errors import FatalError
from andon.redis import address, client, refusal, why
from andon.settings import RedisSettings

DELIVERING = frozenset({"online", "frozen", "dark", "overexposed", "blurred"})
"""States in which frames come."""
COUNTS = ("inspected", "shed", "quarantined", "lost")


@dataclass(frozen=True, slots=True)
class LiveState:
    """Of one camera. Times are as the sink that wrote it saw them."""

    state: str
    detail: str
    session: str | None
    captured: int
    fps: float | None
    last_frame_at: datetime | None
    """When the newest frame that is accounted for was captured."""
    ingester: str
    """Who captures it; empty: it is not known."""
    updated_at: datetime | None
    state_since: datetime | None = None
    last_frame: str | None = None
    """The id of that frame."""
    last_verdict: str = "unknown"
    open_defects: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    """Of all sessions, by COUNTS."""

    def lag_s(self, now: datetime) -> float | None:
        """How far the line is behind the camera; None: no frames come, so it is behind nothing."""
        if self.state not in DELIVERING or self.last_frame_at is None:
            return None
        return max(0.0, (now - self.last_frame_at).total_seconds())


async def read_live(settings: RedisSettings, cameras: Sequence[str]) -> dict[str, LiveState]:
    """Those of the cameras that Redis has a state of. Raises FatalError, in one line, where it does not answer."""
    redis = client(settings.url.get_secret_value(), settings.timeout_s)
    try:
        async with asyncio.timeout(settings.timeout_s), redis.pipeline(transaction=False) as pipe:
            for camera in cameras:
                pipe.hgetall(f"{settings.prefix}:camera:{camera}")
            answers = await pipe.execute() if cameras else []
    except (RedisError, OSError, TimeoutError) as error:
        raise FatalError(f"redis at {address(redis)}: {refusal(error) or why(error)}") from None
    finally:
        await redis.aclose()
    return {camera: _state(answer) for camera, answer in zip(cameras, answers, strict=True) if answer}


def _state(fields: Mapping[bytes, bytes]) -> LiveState:
    return state_of({name.decode(): value.decode() for name, value in fields.items()})


def state_of(text: Mapping[str, str]) -> LiveState:
    """The state that these fields of a camera's hash describe. Raises ValueError for what no sink writes."""
    return LiveState(
        state=text.get("state", ""),
        detail=text.get("detail", ""),
        session=text.get("session") or None,
        captured=int(text.get("captured") or 0),
        fps=float(text["fps"]) if text.get("fps") else None,
        last_frame_at=_moment(text.get("last_frame_at")),
        ingester=text.get("ingester", ""),
        updated_at=_moment(text.get("updated_at")),
        state_since=_moment(text.get("state_since")),
        last_frame=text.get("last_frame") or None,
        last_verdict=text.get("last_verdict") or "unknown",
        open_defects=int(text.get("open_defects") or 0),
        counts={name: int(text.get(name) or 0) for name in COUNTS},
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
