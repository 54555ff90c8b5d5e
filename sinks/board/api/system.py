"""The line's processes and servers."""

from starlette.requests import Request

from sinks.board.api.operation import operation
from sinks.board.board import board_of
from sinks.board.models.system import SystemView
from sinks.board.system_news import system_view


@operation("GET", "/system", role="viewer", summary="Lag, latency, outbox, disks, ledger, processes and models")
async def read_system(request: Request) -> SystemView:
    board = board_of(request)
    return system_view(board.system, board.clock.now())


OPERATIONS = (read_system,)
