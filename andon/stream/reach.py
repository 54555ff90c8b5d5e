"""Can the brokers be reached under the addresses that they name?

A client asks the servers of `bootstrap_servers` for the brokers, and from then on talks to these at the addresses of
their `advertised.listeners`, which this machine may not know or reach. The client only says that it can't connect to
node 1.
"""

import asyncio
from contextlib import suppress

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

ANSWER_S = 5.0
"""A broker that has taken no connection by then counts as out of reach."""


class NoReachError(OSError):
    """No broker can be reached at the address that it names; `str` says which these are."""


async def require_reach(network: AIOKafkaClient) -> None:
    """Raises NoReachError if not one of the brokers takes a connection."""
    if (error := await no_reach(network)) is not None:
        raise error


async def no_reach(network: AIOKafkaClient) -> NoReachError | None:
    """The error to raise if none of the brokers takes a connection; None: one does, or none is known."""
    brokers = list(network.cluster.brokers())
    if not brokers:
        return None
    asking = {asyncio.create_task(_reaches(network, broker.nodeId), name="kafka.reach") for broker in brokers}
    deadline_s = asyncio.get_running_loop().time() + ANSWER_S
    while asking and (left_s := deadline_s - asyncio.get_running_loop().time()) > 0:
        # what is not done yet is not cancelled: the client would forget a connection that is being made
        done, asking = await asyncio.wait(asking, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        if any(task.result() for task in done):
            return None
    named = ", ".join(sorted(f"{broker.host}:{broker.port}" for broker in brokers))
    return NoReachError(f"names {named} as its address, which this machine can't reach: see its advertised.listeners")


async def _reaches(network: AIOKafkaClient, node: int) -> bool:
    with suppress(KafkaError, OSError, TimeoutError):
        return bool(await network.ready(node))
    return False
