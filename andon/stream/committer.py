"""Commits what a stage has done, and only reports a group that has moved on or a broker that is away."""

import asyncio

from andon.errors import RetryableError
from andon.events import CommitRefused, Emit, OffsetsCommitted, Retrying
from andon.stream.consumer import Consumer, NotOwnerError
from andon.stream.lanes import Lanes


class Committer:
    """Of one stage. Event loop only."""

    def __init__(self, name: str, consumer: Consumer, lanes: Lanes, timeout_s: float, emit: Emit) -> None:
        """`name`: the stage's. `timeout_s`: how long the broker may take for an answer."""
        self._name = name
        self._consumer = consumer
        self._lanes = lanes
        self._timeout_s = timeout_s
        self._emit = emit

    async def commit(self, next_s: float) -> None:
        """Commit the records that are done. `next_s`: when the next commit follows.

        Raises FatalError where the broker refuses for good.
        """
        ahead = self._lanes.committable()
        if not ahead:
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._consumer.commit(ahead)
        except NotOwnerError as error:
            self._emit(CommitRefused(self._name, str(error)))
            return
        except (RetryableError, TimeoutError) as error:
            why = str(error) or f"no answer within {self._timeout_s:g} s"
            self._emit(Retrying("commit", why, 1, next_s))
            return
        self._lanes.committed(ahead)
        self._emit(OffsetsCommitted(self._name, len(ahead)))
