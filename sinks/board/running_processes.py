"""What the line's processes say of themselves in their `/metrics`: spool, work in flight, versions.

`board.processes` names them. A name may stand for several processes, as in Kubernetes that of a headless Service does:
all its addresses are asked.
"""

import asyncio
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from prometheus_client.parser import text_string_to_metric_families

from andon.settings import Settings
from sinks.board.models.system import ProcessView

ANSWER_S = 2.0
"""For the names, and for each process."""
MOST_OF_A_NAME = 64
MOST_METRICS = 4_000_000


@dataclass(frozen=True, slots=True)
class ProcessAddress:
    """Where one process answers."""

    name: str
    """As the page shows it."""
    url: str
    host: str
    """For the header `Host`, and for TLS the name in the certificate."""


async def processes(settings: Settings) -> list[ProcessView]:
    addresses = settings.board.processes
    async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=False) as client:
        found = await asyncio.gather(*(_named(client, address) for address in addresses))
    return [process for some in found for process in some]


async def _named(client: httpx.AsyncClient, address: str) -> list[ProcessView]:
    try:
        async with asyncio.timeout(ANSWER_S):
            there = await places(address)
    except (OSError, UnicodeError):  # UnicodeError: no name can be like this; TimeoutError is an OSError
        return [_view(address, "no process has this name")]
    return list(await asyncio.gather(*(_process(client, place) for place in there)))


async def places(address: str) -> list[ProcessAddress]:
    """Where the processes behind an address are; of a name with both, the IPv4 ones: each process has one of them.

    Raises OSError if the name is unknown.
    """
    url = urlsplit(address)
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ips = {kind: sorted({str(to[0]) for family, _, _, _, to in found if family == kind}) for kind, *_ in found}
    chosen = (ips.get(socket.AF_INET) or ips.get(socket.AF_INET6) or [])[:MOST_OF_A_NAME]
    return [
        ProcessAddress(
            address if len(chosen) == 1 else f"{address} ({ip})",
            f"{url.scheme}://{f'[{ip}]' if ':' in ip else ip}:{port}/metrics",
            url.netloc,
        )
        for ip in chosen
    ]


async def _process(client: httpx.AsyncClient, place: ProcessAddress) -> ProcessView:
    try:
        name = {"sni_hostname": place.host.rpartition(":")[0] or place.host}
        answer = await client.get(place.url, headers={"Host": place.host}, extensions=name)
        answer.raise_for_status()
        if len(answer.content) > MOST_METRICS:
            return _view(place.name, "its metrics are too large")
        families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    except (httpx.HTTPError, ValueError) as error:
        return _view(place.name, f"no answer: {type(error).__name__}")
    info = families.get("andon_process_info")
    labels = info.samples[0].labels if info and info.samples else {}

    def total(name: str) -> int | None:
        return int(sum(sample.value for sample in families[name].samples)) if name in families else None

    return _view(
        place.name,
        None,
        role=labels.get("role"),
        version=labels.get("version"),
        in_flight=total("andon_stage_in_flight_records"),
        spool_bytes=total("andon_ingest_spool_size_bytes"),
    )


def _view(address: str, fault: str | None, **values: object) -> ProcessView:
    nothing = dict.fromkeys(("role", "version", "in_flight", "spool_bytes"))
    return ProcessView.model_validate({"address": address, "fault": fault, **nothing, **values})
