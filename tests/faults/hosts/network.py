"""A plant's network: a switch, hosts at the ends of its cables, and what happens to cables and switches."""

import signal
import subprocess
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.faults.hosts.namespace import Namespace, delete_left_over, ip, name_of, run
from tests.faults.hosts.offload import complete_packets

SUBNET = "198.18.0"
"""Kept for tests of networks (RFC 2544). Nothing of it is seen outside the namespaces."""
SWITCHES = ("plant", "beyond")
"""All hosts are at the first one. In a plant that is split some are at the other."""
CABLE = "eth0"
RELAY_S = 20.0


@dataclass(frozen=True, slots=True)
class WideArea:
    """A bad link: what a host sends arrives late, or not at all."""

    delay_ms: int = 200
    loss_percent: float = 5.0


@dataclass(slots=True)
class Network:
    """`with Network(names) as network:` the hosts of these names, all at one switch."""

    names: Sequence[str]
    hosts: dict[str, Namespace] = field(default_factory=dict)
    _room: Namespace = field(default_factory=lambda: Namespace(name_of("switches")))
    """The switches have a namespace of their own, so that this machine's network never sees them."""
    _relays: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    netem: bool = False
    """Whether this kernel has `tc netem`. Else a relay of ours delays and loses packets."""

    def address(self, host: str) -> str:
        return f"{SUBNET}.{self.names.index(host) + 1}"

    # ---- what happens to it

    def cut(self, *hosts: str) -> None:
        """As if the switch's ports were dead: nobody is notified, packets vanish, connections seem to stand."""
        for host in hosts:
            ip("link", "set", "dev", host, "nomaster", namespace=self._room.name)

    def join(self, *hosts: str) -> None:
        """The port works again."""
        self._move(hosts, SWITCHES[0])

    def split(self, minority: Collection[str]) -> None:
        """The cable between two switches is cut: the minority is at one of them, all others are at the other."""
        self._move(minority, SWITCHES[1])

    def degrade(self, link: WideArea, *hosts: str) -> None:
        """What these hosts send is delayed and lost from now on."""
        for host in hosts:
            if self.netem:
                effects = ["delay", f"{link.delay_ms}ms", "loss", f"{link.loss_percent}%"]
                run("tc", "-n", self.hosts[host].name, "qdisc", "replace", "dev", CABLE, "root", "netem", *effects)
            else:
                self._relays[host] = self._relay(host, link)

    def restore(self, *hosts: str) -> None:
        """Their links are good again; what was still on its way is lost."""
        for host in hosts:
            if self.netem:
                run("tc", "-n", self.hosts[host].name, "qdisc", "del", "dev", CABLE, "root")
            elif relay := self._relays.pop(host, None):
                end(relay)
        self.join(*hosts)

    def power_off(self, host: str) -> None:
        """Its processes, connections and interface are gone at once, and nobody hears of it."""
        ip("link", "del", "dev", host, namespace=self._room.name)
        self.hosts[host].delete()

    def power_on(self, host: str) -> None:
        """It has the same address again, and runs nothing yet."""
        place = self.hosts[host]
        place.create()
        card = f"02:00:00:00:00:{self.names.index(host) + 1:02x}"
        cable = ["link", "add", CABLE, "address", card, "netns", place.name, "type", "veth"]
        ip(*cable, "peer", "name", host, "netns", self._room.name)
        complete_packets(place, CABLE)
        ip("addr", "add", f"{self.address(host)}/24", "dev", CABLE, namespace=place.name)
        ip("link", "set", "dev", CABLE, "up", namespace=place.name)
        self.join(host)

    def heal(self) -> None:
        """Everything is as in the beginning."""
        for host in list(self._relays):
            self.restore(host)
        for host, place in self.hosts.items():
            if self.netem:
                with suppress(RuntimeError):  # its link may be a good one
                    self.restore(host)
            if place.exists:
                self.join(host)
            else:
                self.power_on(host)

    # ---- how it is made

    def _move(self, hosts: Collection[str], switch: str) -> None:
        for host in hosts:
            ip("link", "set", "dev", host, "up", "master", switch, namespace=self._room.name)

    def _relay(self, host: str, link: WideArea) -> "subprocess.Popen[str]":
        self.cut(host)
        arguments = [host, SWITCHES[0], str(link.delay_ms), str(link.loss_percent)]
        command = [*self._room.prefix, sys.executable, "-m", "tests.faults.hosts.relay", *arguments]
        folder = Path(__file__).parents[3]
        relay = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder)
        assert relay.stdout is not None
        if relay.stdout.readline() != "ready\n":
            end(relay)
            raise RuntimeError(f"the relay of {host} did not start")
        return relay

    def __enter__(self) -> Self:
        delete_left_over()
        try:
            self._room.create()
            for switch in SWITCHES:
                ip("link", "add", switch, "type", "bridge", namespace=self._room.name)
                ip("link", "set", "dev", switch, "up", namespace=self._room.name)
            self.netem = self._has_netem()
            for name in self.names:
                self.hosts[name] = Namespace(name_of(name))
                self.power_on(name)
        except BaseException:
            self._close()
            raise
        return self

    def _has_netem(self) -> bool:
        try:
            run("tc", "-n", self._room.name, "qdisc", "replace", "dev", SWITCHES[1], "root", "netem", "delay", "1ms")
        except RuntimeError:
            return False
        run("tc", "-n", self._room.name, "qdisc", "del", "dev", SWITCHES[1], "root")
        return True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def _close(self) -> None:
        for relay in self._relays.values():
            end(relay)
        for place in (*self.hosts.values(), self._room):
            if place.exists:
                place.delete()


def end(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
