"""The board of a line on one machine: where it listens, or why there is none."""

import socket
from dataclasses import dataclass
from importlib.util import find_spec

from andon.settings import Settings
from deploy.local.server import free_port

MISSING = "no board: pip install 'andon[board]'"


@dataclass(frozen=True, slots=True)
class BoardAddress:
    """Where a browser finds the board."""

    url: str
    port: int


def installed() -> bool:
    """Whether this machine has what the board takes."""
    return find_spec("starlette") is not None and find_spec("sqlalchemy") is not None


def board_address(settings: Settings) -> BoardAddress:
    """The address that line.yaml names; a free port in its place if another process listens there."""
    board = settings.board
    port = board.port if board.port and _is_free(board.host, board.port) else free_port()
    scheme, host = ("https" if board.tls else "http"), board.host
    return BoardAddress(f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}", port)


def _is_free(host: str, port: int) -> bool:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError:
        return False
    return True
