"""GET of another process's /readyz, /livez and /metrics, off the event loop."""

import asyncio
from dataclasses import dataclass
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

MAX_BODY_BYTES = 4_000_000
"""/metrics of a sink with thousands of cameras is some 100 KB."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    status: int
    text: str


async def http_get(url: str, timeout_s: float = 2.0) -> HttpResponse | None:
    """The response to `GET url`; None where nobody answers in time.

    The request runs on a thread of the default pool, which each of its socket calls holds for `timeout_s` at most.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await asyncio.to_thread(_get, url, timeout_s)
    except (OSError, HTTPException):  # TimeoutError is an OSError
        return None


def _get(url: str, timeout_s: float) -> HttpResponse:
    opener = build_opener(ProxyHandler({}))  # a proxy of the environment is not for this machine's own processes
    try:
        with opener.open(url, timeout=timeout_s) as answer:
            return HttpResponse(answer.status, answer.read(MAX_BODY_BYTES).decode(errors="replace"))
    except HTTPError as error:
        with error:  # a status of 400 and above: /readyz of a process that is not ready says 503
            return HttpResponse(error.code, error.read(MAX_BODY_BYTES).decode(errors="replace"))
