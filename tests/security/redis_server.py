"""A Valkey with ACL users behind TLS. The bundled build has no TLS, so a front terminates it, as stunnel does."""

import asyncio
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from deploy.local.server import exchange
from tests.redis_server import MortalRedis
from tests.security.certificates import Certificate

USER = "andon"
PASSWORD = "r3dis-s3cret"
READER = "plc"
"""Has the rights of an alert consumer, and no other."""
READER_PASSWORD = "pl4nt-s3cret"


class GuardedRedis(MortalRedis):
    """Requires a password. `andon` may do anything with its own keys; `plc` may read and acknowledge alerts."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._acl = folder / "users.acl"
        self._acl.write_text(
            "user default off\n"
            f"user {USER} on >{PASSWORD} ~andon:* &* +@all -@admin -@dangerous\n"
            f"user {READER} on >{READER_PASSWORD} ~andon:alerts +@connection +@stream -xadd -xtrim -xdel\n"
        )

    def _command(self, port: int) -> list[str]:
        return [*super()._command(port), "--aclfile", str(self._acl)]

    def _answers(self) -> bool:
        return exchange(self.port, b"PING\r\n", 5) == b"-NOAU"


class TlsFront:
    """Terminates TLS on loopback and forwards the content, on its own thread, within its block."""

    def __init__(self, behind: int, certificate: Certificate) -> None:
        self._behind = behind
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.cert, certificate.key)
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _loop, _context: None)  # clients break off handshakes: that is the test
        self._thread = threading.Thread(target=self._loop.run_forever, name="tls-front")
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        serving = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        asyncio.run_coroutine_threadsafe(_end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside = await asyncio.open_connection("127.0.0.1", self._behind)
        directions = {
            asyncio.create_task(_copy(reader, inside[1])),
            asyncio.create_task(_copy(inside[0], writer)),
        }
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in (writer, inside[1]):
                end.transport.abort()
            for direction in directions:
                direction.cancel()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()


async def _end() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
