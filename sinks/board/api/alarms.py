"""Alarms: how they stand, what happened to them, and what people want done with them."""

from starlette.requests import Request

from sinks.board.alarm_orders import carry_out
from sinks.board.api.operation import operation
from sinks.board.board import board_of
from sinks.board.models.alarms import (
    AlarmEventPage,
    AlarmEventQuery,
    AlarmOrder,
    AlarmPage,
    AlarmQuery,
    AlarmReceipt,
)
from sinks.board.queries.alarms import alarm_page, event_page


@operation("GET", "/alarms", role="viewer", summary="Alarms that are not normal, by their ids")
async def list_alarms(request: Request, query: AlarmQuery) -> AlarmPage:
    return await board_of(request).store.read(lambda connection: alarm_page(connection, query))


@operation("GET", "/alarms/events", role="viewer", summary="What happened to alarms, the newest first")
async def list_alarm_events(request: Request, query: AlarmEventQuery) -> AlarmEventPage:
    return await board_of(request).store.read(lambda connection: event_page(connection, query))


@operation(
    "POST", "/alarms/actions", role="operator", summary="Acknowledge, shelve, or take out of service", status=202
)
async def act_on_alarms(request: Request, body: AlarmOrder) -> AlarmReceipt:
    return AlarmReceipt(requests=await carry_out(request, body))


OPERATIONS = (list_alarms, list_alarm_events, act_on_alarms)
