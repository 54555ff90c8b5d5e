"""A request that gets no answer in time fails as such, also where its connection is gone by then."""

from typing import Any

from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.errors import RequestTimedOutError


def report_timeouts(network: AIOKafkaClient) -> None:
    """Have `network.send` raise RequestTimedOutError where the client (0.14) raises KeyError.

    After a timeout the client closes the connection of the request. If it was closed meanwhile, the client does not
    find it and raises KeyError, which nothing in the client expects: its task that fetches, or the one that asks who
    leads, ends without a word. A member then waits for records, or for an answer, for ever.
    """
    send = network.send

    async def send_or_time_out(node_id: int, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
        try:
            return await send(node_id, request, group=group)
        except KeyError as error:
            if error.args != ((node_id, group),):
                raise
            raise RequestTimedOutError from error

    network.send = send_or_time_out
