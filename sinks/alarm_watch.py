"""Sees to it that time changes alarms: a shelf that ends, and a camera of which nothing is heard.

An account is a function of its log alone, so it knows no time but that of its records. Where none comes, the sink that
owns the partition appends one: a request to check the camera. What follows is decided when the log brings it back.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from itertools import product
from typing import get_args

from andon.alarms import AlarmRequest, AlarmState
from andon.messages import Severity
from andon.process.metrics import Reading
from andon.stream.broker_clock import BrokerClock
from andon.wire import encode
from sinks.insisting import InsistingPublisher
from sinks.judgement.alarm_step import time_is_due
from sinks.judgement.rules import JudgementRules
from sinks.judgement.state import CameraAccount

LOOK_S = 1.0
AGAIN_S = 30.0
"""Until the same camera is asked for again: sinks that are behind have not read the first request yet."""
LINE = "the line"
"""Who asks for a check."""
STANDING = [state for state in get_args(AlarmState) if state != "normal"]


class AlarmWatch:
    """Of one sink. Event loop only, but for `standing`."""

    def __init__(
        self,
        cameras: Callable[[], Iterable[CameraAccount]],
        rules: JudgementRules,
        publisher: InsistingPublisher,
        topic: str,
        clock: BrokerClock,
    ) -> None:
        """`cameras`: those that the sink accounts for now. `topic`: from which their accounts are made."""
        self._cameras = cameras
        self._rules = rules
        self._publisher = publisher
        self._topic = topic
        self._clock = clock
        self._asked_s: dict[str, float] = {}
        """By camera: when it was asked for last."""
        self._standing: Counter[tuple[str, str]] = Counter()

    async def run(self, pause: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Look each second. Never returns."""
        while True:
            await self.look()
            await pause(LOOK_S)

    async def look(self) -> None:
        """Count what stands, and ask for a check of each camera for which time is due. Waits while Kafka is away."""
        cameras = list(self._cameras())
        alarms = [alarm for camera in cameras for alarm in camera.state.alarms.standing.values()]
        self._standing = Counter((alarm.state, alarm.severity) for alarm in alarms)
        if not self._clock.settled:
            return  # nobody knows the time
        now, now_s = self._clock.now(), self._clock.monotonic()
        self._asked_s = {name: at_s for name, at_s in self._asked_s.items() if now_s - at_s < AGAIN_S}
        due = [camera.camera_id for camera in cameras if time_is_due(camera, now, self._rules)]
        for camera_id in due:
            if camera_id not in self._asked_s:
                self._asked_s[camera_id] = now_s
                name = f"check/{now.isoformat()}"
                check = AlarmRequest(request_id=name, camera_id=camera_id, action="check", by=LINE, at=now)
                await self._publisher.send(self._topic, encode(check))

    def standing(self) -> list[Reading]:
        """Alarms by state and severity, for the gauge. Any thread."""
        counts = self._standing
        kinds = product(STANDING, get_args(Severity))
        return [((state, severity), float(counts[state, severity])) for state, severity in kinds]
