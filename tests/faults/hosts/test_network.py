"""The network that faults are tried on: hosts meet, are cut off, and wait for packets that get lost."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.hosts import namespace
from tests.faults.hosts.namespace import Namespace, delete_left_over, ip
from tests.faults.hosts.network import Network, WideArea

PORT = 9000
PATIENCE_S = 1.0
DATAGRAMS = 200
"""So few that a socket holds them all."""


@pytest.fixture(scope="module")
def three() -> Iterator[Network]:
    if reason := namespace.missing():
        pytest.skip(reason)
    with Network(("a", "b", "c")) as network:
        yield network


@pytest.fixture
def echo(three: Network) -> Iterator[None]:
    """b returns every datagram."""
    with three.hosts["b"].inside():
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((three.address("b"), PORT))

    def answer() -> None:
        while (received := server.recvfrom(100))[0] != b"end":
            server.sendto(*received)

    thread = threading.Thread(target=answer)
    thread.start()
    yield
    three.heal()
    with three.hosts["b"].inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"end", (three.address("b"), PORT))
    thread.join()
    server.close()


def answers(network: Network, host: str, datagrams: int = 1) -> list[float]:
    """The seconds after which b's answers arrived at `host`."""
    with network.hosts[host].inside():
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    seconds: list[float] = []
    with client:
        client.settimeout(PATIENCE_S)
        since = time.monotonic()
        for _ in range(datagrams):
            client.sendto(b"?", (network.address("b"), PORT))
        try:
            while len(seconds) < datagrams:
                client.recv(100)
                seconds.append(time.monotonic() - since)
        except TimeoutError:
            pass  # no more will come
    return seconds


def reach(network: Network, *hosts: str) -> bool:
    """Whether b answers them; a first datagram may be lost while the hosts ask for each other's addresses."""
    return all(answers(network, host) or answers(network, host) for host in hosts)


@pytest.mark.usefixtures("echo")
def test_a_host_that_is_cut_off_hears_nothing_until_it_joins_again(three: Network) -> None:
    assert reach(three, "a", "c")
    three.cut("a")
    assert not reach(three, "a")
    assert reach(three, "c")
    three.join("a")
    assert reach(three, "a")


@pytest.mark.usefixtures("echo")
def test_the_two_parts_of_a_split_network_work_each_for_itself(three: Network) -> None:
    three.split(["a", "b"])
    assert reach(three, "a")
    assert not reach(three, "c")
    three.join("a", "b")
    assert reach(three, "a", "c")


@pytest.mark.usefixtures("echo")
def test_what_a_bad_link_carries_is_late_or_lost_and_the_other_links_are_good(three: Network) -> None:
    three.degrade(WideArea(delay_ms=200, loss_percent=5), "a")
    seconds = answers(three, "a", DATAGRAMS)
    assert min(seconds) >= 0.2
    assert 0.8 * DATAGRAMS < len(seconds) < DATAGRAMS
    assert len(answers(three, "c", DATAGRAMS)) == DATAGRAMS
    three.restore("a")
    assert len(answers(three, "a", DATAGRAMS)) == DATAGRAMS


def test_a_host_that_is_switched_off_loses_its_processes_and_keeps_its_address(three: Network) -> None:
    host = three.hosts["c"]
    with host.inside():
        left = socket.create_server((three.address("c"), PORT))
    three.power_off("c")
    assert not host.exists
    three.power_on("c")
    with host.inside(), socket.create_server((three.address("c"), PORT)):
        pass  # the port of the host that was switched off is free
    left.close()


def test_namespaces_of_a_run_that_was_killed_are_deleted_and_those_of_a_living_one_stay(three: Network) -> None:
    nobody = Namespace("andon-4194305-a")  # above the largest id that Linux gives a process
    nobody.create()
    assert list(delete_left_over()) == [nobody.name]
    assert all(host.name in ip("netns", "list") for host in three.hosts.values())
