"""Posts to a camera and reads its answer up to a bound; the ONVIF library reads however much comes, from wherever the
camera sends it."""

import aiohttp
from onvif.client import AsyncTransportProtocolErrorHandler

from ingest.sources.source import SourceError

MOST_BYTES = 4_000_000
"""Of one answer. The profiles of a camera with many streams take 100 KB."""


class BoundedTransport(AsyncTransportProtocolErrorHandler):  # type: ignore[misc]  # the library has no types
    async def _post_internal(
        self, address: str, message: str | bytes, headers: dict[str, str]
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """As the library's, but follows no redirection: the login would go along. Raises SourceError: no end came."""
        body = bytearray()
        posted = self.session.post(address, data=message, headers=headers, allow_redirects=False)
        async with posted as response:
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise SourceError(f"its answer is longer than {MOST_BYTES} bytes")
        return response, bytes(body)
