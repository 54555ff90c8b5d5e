"""A TCP proxy in front of a server on loopback, which resets every connection again and again."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

INTERVAL_S = 0.015
"""Between two resets: long enough for a request or two."""


class ResettingNetwork:
    def __init__(self, host: str, server_port: int) -> None:
        self.port = 0
        """Where clients connect."""
        self._server = host, server_port
        self._clients: set[asyncio.StreamWriter] = set()

    async def reset_for(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await asyncio.sleep(INTERVAL_S)
                    self.reset()

    def reset(self) -> None:
        """Every connection that is open now."""
        for to_client in self._clients:
            if not to_client.is_closing():
                at_once = struct.pack("ii", 1, 0)
                to_client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
                to_client.transport.abort()

    async def relay(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._clients.add(to_client)
        try:
            from_server, to_server = await asyncio.open_connection(*self._server)
            await asyncio.gather(_pass_on(from_client, to_server), _pass_on(from_server, to_client))
        finally:
            self._clients.discard(to_client)
            to_client.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, RuntimeError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def resetting_network(host: str, port: int) -> AsyncIterator[ResettingNetwork]:
    network = ResettingNetwork(host, port)
    server = await asyncio.start_server(network.relay, "127.0.0.1", 0)
    network.port = server.sockets[0].getsockname()[1]
    try:
        yield network
    finally:
        server.close()
        network.reset()
