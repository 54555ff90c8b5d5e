"""Whatever fails in a client's network fails as an error that the client expects, and is tried again.

The client (aiokafka 0.14) expects a KafkaError or an OSError from a request. Its tasks that fetch, that send, and that
ask who leads end at any other error, some of them without a word. A member then waits for records, or for an answer,
for ever.
"""

import logging
from typing import Any

from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.errors import KafkaConnectionError, RequestTimedOutError

_log = logging.getLogger("aiokafka")
"""The client's own log, which becomes events."""


def expect_faults(network: AIOKafkaClient) -> None:
    """Have the methods of `network` that ask a broker raise what the client expects. Before it is started.

    - RequestTimedOutError for a request that gets no answer in time. The client then closes the request's connection.
      If that was closed meanwhile, the client does not find it and raises KeyError.
    - KafkaConnectionError, or no connection, where the broker has just reset the connection. The client learns of that
      when its task that reads ends, a moment later. Until then uvloop raises RuntimeError for a write.
    - For every other error while it asks who leads: it has not learnt it, and asks again.
    """
    _expect_resets(network)
    _expect_lost_requests(network)
    _expect_any(network)


def _expect_resets(network: AIOKafkaClient) -> None:
    bootstrap, ready = network.bootstrap, network.ready

    async def bootstrap_or_fail() -> None:
        try:
            await bootstrap()
        except RuntimeError as error:
            _require_reset(error)
            raise KafkaConnectionError("the broker has reset the connection") from error

    async def ready_or_not(node_id: int, *, group: Any = ConnectionGroup.DEFAULT) -> bool:
        try:
            return bool(await ready(node_id, group=group))
        except RuntimeError as error:
            _require_reset(error)
            _log.error("Unable connect to node with id %s: %s", node_id, error)
            return False

    network.bootstrap, network.ready = bootstrap_or_fail, ready_or_not


def _expect_lost_requests(network: AIOKafkaClient) -> None:
    send = network.send

    async def send_or_fail(node_id: int, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
        try:
            return await send(node_id, request, group=group)
        except KeyError as error:
            if error.args != ((node_id, group),):
                raise
            raise RequestTimedOutError from error
        except RuntimeError as error:
            _require_reset(error)
            raise KafkaConnectionError("the broker has reset the connection") from error

    network.send = send_or_fail


def _expect_any(network: AIOKafkaClient) -> None:
    update = network._metadata_update

    async def update_or_fail(cluster: Any, topics: Any) -> bool:
        try:
            return bool(await update(cluster, topics))
        except Exception as error:
            _log.error("Unable to update metadata: %r", error)
            return False

    network._metadata_update = update_or_fail


def _require_reset(error: RuntimeError) -> None:
    """Raise an error of another kind as it is: NotImplementedError says that the broker's version does not fit."""
    if type(error) is not RuntimeError:
        raise error
