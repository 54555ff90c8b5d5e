"""Sends heartbeats past frames that the broker does not acknowledge.

A camera's heartbeats go to the broker among its frames, by one producer and in order: what blocks the frames blocks
them, too, and a camera without heartbeats looks dead. So while nothing is acknowledged they go straight to the topic of
the inspections, where workers would forward them, by a producer of their own. It asks less of the broker: its records
are not numbered, and one copy is enough.
"""

import asyncio

from andon import wire
from andon.errors import AndonError
from andon.events import silent
from andon.messages import CameraStatus
from andon.settings import KafkaSettings
from andon.stream.clients import plain_producer, started
from andon.stream.publisher import KafkaPublisher

SECOND_WAY_S = 3.0
"""Seconds without an acknowledgement after which heartbeats go by the second way. 3: the audit takes an ingester for
dead after 10 s without a heartbeat."""
IDLE_S = 30.0
"""Seconds without a heartbeat after which the second connection is closed."""
SEND_S = 5.0
"""How long the broker may take to acknowledge heartbeats."""
RETRY_S = 1.0


class SecondWay:
    """One for all cameras of a process. Event loop only."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._latest: dict[str, CameraStatus] = {}
        """By camera: the heartbeat to send next."""
        self._wanted = asyncio.Event()

    def send(self, status: CameraStatus) -> None:
        """Leave a heartbeat; a newer one of the same camera replaces it. What can't be sent is dropped."""
        self._latest[status.camera_id] = status
        self._wanted.set()

    async def run(self) -> None:
        """Runs until it is cancelled. Connects when the first heartbeat is left."""
        while True:
            await self._wanted.wait()
            try:
                # the cameras' own publisher says what is wrong with the broker
                async with started(lambda: plain_producer(self._settings), self._settings, silent) as client:
                    await self._serve(KafkaPublisher(client))
            except (AndonError, TimeoutError):
                await asyncio.sleep(RETRY_S)

    async def _serve(self, publisher: KafkaPublisher) -> None:
        """Send what is left until nothing has been for `IDLE_S`. Raises where the broker does not take it."""
        topic = self._settings.inspections_topic
        try:
            while True:
                async with asyncio.timeout(IDLE_S):
                    await self._wanted.wait()
                self._wanted.clear()
                statuses, self._latest = self._latest, {}
                async with asyncio.timeout(SEND_S):
                    for status in statuses.values():
                        await (await publisher.send(topic, wire.encode(status)))
        except TimeoutError:
            pass  # closed, and opened anew for the next heartbeat
