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
    # one by one: a client that is closed early would leave the others' connections open
    for broker in brokers:
        if await _reaches(network, broker.nodeId):
            return None
    named = ", ".join(sorted(f"{broker.host}:{broker.port}" for broker in brokers))
    return NoReachError(f"names {named} as its address, which this machine can't reach: see its advertised.listeners")


async def _reaches(network: AIOKafkaClient, node: int) -> bool:
    with suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(ANSWER_S):
            return bool(await network.ready(node))
    return False
