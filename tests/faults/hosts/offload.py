"""Makes a virtual interface send complete packets.

Two ends of a virtual cable leave checksums and the cutting into packets to a card that never comes. Then one lost
"packet" would be 64 KB of a connection, and a relay in between would pass on wrong checksums.
"""

import array
import fcntl
import socket
import struct

from tests.faults.hosts.namespace import Namespace

SIOCETHTOOL = 0x8946
ETHTOOL_STXCSUM = 0x17
"""linux/ethtool.h: sets the offload of checksums for sending. Without it there is no offload of segments either."""


def complete_packets(host: Namespace, interface: str) -> None:
    value = array.array("I", [ETHTOOL_STXCSUM, 0])
    request = struct.pack("16sP", interface.encode(), value.buffer_info()[0])
    with host.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCETHTOOL, request)
