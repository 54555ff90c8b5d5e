"""A TCP proxy in front of a server on loopback, which delays what clients send: a server some milliseconds away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CHUNK = 1 << 20


@dataclass
class SlowNetwork:
    host: str
    """Of the server, as is `server_port`."""
    server_port: int
    delay_s: float
    port: int = 0
    """Where clients connect."""
    trips: int = 0
    """How many times a client sent something. Bytes that come together make one trip, as on a wire."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def relay(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(self.host, self.server_port)
        async with asyncio.TaskGroup() as ways:
            for way in (self._there(from_client, to_server), self._back(from_server, to_client)):
                self.tasks.add(ways.create_task(way, name="slow network"))

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(CHUNK):
                self.trips += 1
                await asyncio.sleep(self.delay_s)
                writer.write(data)
        finally:
            writer.close()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(CHUNK):
                writer.write(data)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def slow_network(host: str, port: int, delay_s: float) -> AsyncIterator[SlowNetwork]:
    """End the clients before it ends: it closes no connection of its own accord."""
    network = SlowNetwork(host, port, delay_s)
    server = await asyncio.start_server(network.relay, "127.0.0.1", 0)
    network.port = server.sockets[0].getsockname()[1]
    try:
        yield network
    finally:
        server.close()
        await asyncio.gather(*network.tasks, return_exceptions=True)
