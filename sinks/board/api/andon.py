"""The andon: the line's word, its cameras, the shift's parts."""

from starlette.requests import Request

from sinks.board.api.operation import operation
from sinks.board.board import board_of
from sinks.board.models.andon import AndonNow, CameraTile, LineWord, ShiftNow


@operation("GET", "/andon", role="viewer", summary="The line's state, its cameras, its newest defect, this shift")
async def read_andon(request: Request) -> AndonNow:
    board = board_of(request)
    andon = board.live.andon
    return AndonNow(
        line=board.settings.line,
        at=andon.at,
        state=LineWord.of(andon.line()),
        cameras=[CameraTile.of(tile, andon.at) for tile in andon.cameras()],
        newest_defect=next(iter(board.news.defects), None),
        shift=ShiftNow.of(board.live.production.now),
    )


OPERATIONS = (read_andon,)
