"""Finds ONVIF cameras: asks by multicast who is there (WS-Discovery) and collects the answers.

The messages are the library's, the sockets are not: the library's threads ask from all addresses but loopback and
link-local ones, take port 3702 of the whole machine, and end at an answer with an odd number in it.
Source: WS-Discovery (April 2005), and ONVIF Core Specification, 7.3.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import ifaddr
from wsdiscovery import QName
from wsdiscovery.actions import constructProbe
from wsdiscovery.message import createSOAPMessage, parseSOAPMessage

from andon.errors import ConfigError

PORTS = {"http": 80, "https": 443}
GROUP, PORT = "239.255.255.250", 3702
KINDS = (
    ("http://www.onvif.org/ver10/network/wsdl", "NetworkVideoTransmitter"),
    ("http://www.onvif.org/ver10/device/wsdl", "Device"),
)
"""Older cameras answer to the first type only, some newer ones to the second only."""
REPEATS, PAUSE_S = 2, 0.5
"""How often each question is sent: a datagram may be lost."""
BUFFER_BYTES = 4_000_000
"""Answers that wait to be read: hundreds of cameras answer within half a second. The kernel may give less."""
TEXT = 80
"""Characters of a name that a camera gives itself."""


@dataclass(frozen=True, slots=True)
class OnvifSearch:
    addresses: tuple[str, ...]
    """This machine's, from which the question is sent: one for each network."""
    seconds: float
    most: int
    """The search ends when it has found this number of devices."""
    port: int = PORT


@dataclass(frozen=True, slots=True)
class Answer:
    """A device that says that it is there."""

    url: str
    """Scheme, host and port of its ONVIF service. The host is the one that answered."""
    name: str = ""
    model: str = ""

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or self.url


@dataclass(slots=True)
class Answers:
    found: dict[str, Answer] = field(default_factory=dict)
    """By url."""
    unreadable: int = 0
    """Datagrams that are no answer."""


async def search(wanted: OnvifSearch) -> Answers:
    """Ask, and wait for answers until the time is over or there are enough.

    Raises ConfigError: no question can be sent from one of the addresses.
    """
    answers, probes = Answers(), [constructProbe([QName(*kind)], []) for kind in KINDS]
    collector = _Collector(answers, wanted.most, frozenset(probe.getMessageId() for probe in probes))
    questions = [createSOAPMessage(probe).encode() for probe in probes]
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        senders = []
        for address in wanted.addresses:
            link = _socket(address)
            transport, _ = await loop.create_datagram_endpoint(lambda: collector, sock=link)
            stack.callback(transport.close)
            senders.append(transport)
        try:
            async with asyncio.timeout(wanted.seconds):
                for _ in range(REPEATS):
                    _ask(senders, questions, wanted.port)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(PAUSE_S):
                            await collector.enough.wait()
                await collector.enough.wait()
        except TimeoutError:
            pass
    return answers


def _ask(senders: Sequence[asyncio.DatagramTransport], questions: Sequence[bytes], port: int) -> None:
    for sender in senders:
        for question in questions:
            sender.sendto(question, (GROUP, port))


def _socket(address: str) -> socket.socket:
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        link.setblocking(False)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        link.bind((address, 0))
        link.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        link.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)  # a network's own cameras, never its neighbour's
    except OSError as error:
        link.close()
        raise ConfigError(f"--interface {address}: {error.strerror}: is it an address of this machine?") from None
    return link


class _Collector(asyncio.DatagramProtocol):
    """Takes the answers of all sockets."""

    def __init__(self, answers: Answers, most: int, question_ids: frozenset[str]) -> None:
        self.enough = asyncio.Event()
        self._answers, self._most, self._question_ids = answers, most, question_ids

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.enough.is_set():
            return
        try:
            answers = _answers(data, addr[0], self._question_ids)
        except Exception:  # whoever is in this network can send us anything
            self._answers.unreadable += 1
            return
        for answer in answers:
            self._take(answer)

    def _take(self, answer: Answer) -> None:
        if len(self._answers.found) < self._most:
            self._answers.found.setdefault(answer.url, answer)
        if len(self._answers.found) >= self._most:
            self.enough.set()


def _answers(data: bytes, host: str, question_ids: frozenset[str]) -> list[Answer]:
    """The devices in a datagram. Raises anything: it is no answer to us."""
    envelope = parseSOAPMessage(data, host)
    if envelope.getRelatesTo() not in question_ids:
        raise ValueError("an answer to somebody else")
    return [
        _answer(match.getXAddrs(), [str(scope) for scope in match.getScopes()], host)
        for match in envelope.getProbeResolveMatches()
    ]


def _answer(urls: Sequence[str], scopes: Sequence[str], host: str) -> Answer:
    """The device is asked where it answered, whatever it names as its host: the login goes there. Raises ValueError."""
    known = [parts for parts in map(urlsplit, urls) if parts.scheme in PORTS]
    if not known:
        raise ValueError("no address of a service")
    parts = next((parts for parts in known if parts.hostname == host), known[0])
    url = f"{parts.scheme}://{host}:{parts.port or PORTS[parts.scheme]}"
    return Answer(url, _scope(scopes, "name"), _scope(scopes, "hardware"))


def _scope(scopes: Sequence[str], key: str) -> str:
    """What a device says of itself: `onvif://www.onvif.org/name/ACME%20X1`."""
    prefix = f"onvif://www.onvif.org/{key}/"
    return next((plain(unquote(scope.removeprefix(prefix))) for scope in scopes if scope.startswith(prefix)), "")


def plain(text: object) -> str:
    """A camera's text as one short line, without anything that a terminal would obey."""
    return " ".join("".join(mark if mark.isprintable() else " " for mark in str(text or "")).split())[:TEXT]


def own_addresses(interface: str | None) -> tuple[str, ...]:
    """This machine's IPv4 addresses: all but loopback's, or those of the interface with this name or address.

    Raises ConfigError: there is none.
    """
    adapters = [(adapter.name, str(ip.ip)) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4]
    if interface is None:
        chosen = tuple(address for _, address in adapters if not ipaddress.ip_address(address).is_loopback)
    else:
        chosen = tuple(address for name, address in adapters if interface in (name, address))
    if not chosen:
        known = ", ".join(f"{name} ({address})" for name, address in adapters) or "none"
        wanted = "this machine is in no network" if interface is None else f"--interface {interface}: no such one"
        raise ConfigError(f"{wanted}; its interfaces: {known}")
    return chosen
