"""Looks for industrial cameras on this machine's networks and USB ports."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from andon.clock import Clock, SystemClock
from ingest.sources.aravis import library
from ingest.sources.source import SourceError

Protocol = Literal["gige", "usb3"]
PROTOCOLS: dict[str, Protocol] = {"GigEVision": "gige", "USB3Vision": "usb3"}
"""By Aravis' names."""
FRESH_S = 2.0
"""What a search found counts for cameras that are opened within this time of its beginning. A search takes a second,
and cameras that start together would wait for each other's."""
MOST_SHOWN, LONGEST = 8, 64


@dataclass(frozen=True, slots=True)
class IndustrialCamera:
    """One that answers; somebody else may be using it."""

    protocol: Protocol
    serial: str
    vendor: str
    model: str
    address: str
    """The IP address of a GigE camera; empty for USB."""
    device_id: str
    """Aravis' name for it."""

    @property
    def url(self) -> str:
        return f"{self.protocol}:{self.serial}"

    def __str__(self) -> str:
        address = f", {self.address}" if self.address else ""
        return f"{self.url} ({self.vendor} {self.model}{address})"


Found = tuple[IndustrialCamera, ...]


def cameras_in_reach(wait_s: float = 5.0) -> Found:
    """The cameras that answer now. Blocks for a second. Raises SourceError: Aravis is missing, or the search hangs."""
    return _SEARCH.found(wait_s, SystemClock(), fresh_s=0.0)


def find(protocol: Protocol, name: str, wait_s: float, clock: Clock) -> IndustrialCamera:
    """The camera of that serial number, or, where two makers gave the same one, of Aravis' name for it.

    Blocks for a second, at most for `wait_s`. Raises SourceError, which says what was seen.
    """
    found = _SEARCH.found(wait_s, clock)
    fitting = [item for item in found if item.protocol == protocol and name in (item.serial, item.device_id)]
    if len(fitting) == 1:
        return fitting[0]
    shown = f"{protocol}:{name}"
    if fitting:
        names = " or ".join(f"{protocol}:{item.device_id}" for item in fitting)
        raise SourceError(f"{shown}: {len(fitting)} cameras have this serial number: name it {names}")
    raise SourceError(f"{shown}: no such camera on this machine's networks and ports; seen: {_shown(found)}")


def _shown(found: Found) -> str:
    names = [str(item) for item in found[:MOST_SHOWN]]
    if len(found) > MOST_SHOWN:
        names.append(f"{len(found) - MOST_SHOWN} more")
    return ", ".join(names) or "none"


class GenicamSearch:
    """One for the process, because Aravis has one list of devices for the process."""

    def __init__(self, look: Callable[[], Found]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._began_s: float | None = None
        self._found: Found = ()

    def found(self, wait_s: float, clock: Clock, fresh_s: float = FRESH_S) -> Found:
        """What a search finds that began at most `fresh_s` before this call. From any thread."""
        asked_s = clock.monotonic()
        if not self._lock.acquire(timeout=wait_s):
            raise SourceError(f"the search for industrial cameras has not ended within {wait_s:g} s")
        try:
            if self._began_s is None or self._began_s < asked_s - fresh_s:
                self._began_s, began_s = None, clock.monotonic()
                self._found = self._look()
                self._began_s = began_s
            return self._found
        finally:
            self._lock.release()


def _look() -> Found:
    aravis = library()
    aravis.update_device_list()
    cameras = (_camera(aravis, number) for number in range(aravis.get_n_devices()))
    return tuple(camera for camera in cameras if camera is not None)


def _camera(aravis: Any, number: int) -> IndustrialCamera | None:
    """None: it speaks another protocol, as Aravis' built-in example does."""
    protocol = PROTOCOLS.get(aravis.get_device_protocol(number))
    if protocol is None:
        return None
    return IndustrialCamera(
        protocol=protocol,
        serial=plain(aravis.get_device_serial_nbr(number)),
        vendor=plain(aravis.get_device_vendor(number)),
        model=plain(aravis.get_device_model(number)),
        address=plain(aravis.get_device_address(number)) if protocol == "gige" else "",
        device_id=aravis.get_device_id(number),
    )


def plain(text: str | None) -> str:
    """What a camera says of itself, fit for a log and a terminal: anybody in the network may answer."""
    return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in text or "")[:LONGEST]


_SEARCH = GenicamSearch(_look)
