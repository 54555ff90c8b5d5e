"""Who did what on the board: one row for each action, written with the action itself or before it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import Connection, delete, insert, select

from sinks.store import tables

PRUNED = 1_000
"""Rows that one transaction deletes."""


@dataclass(frozen=True, slots=True)
class Action:
    at: datetime
    user: str
    via: str
    """How the user logged in: `session`, `oidc`, `token`, or `open` on a board without users."""
    address: str
    action: str
    """A dotted name, noun first: `alarm.acknowledge`."""
    target: str
    """What it was done to: an alarm's, a camera's or a user's name."""
    detail: Mapping[str, JsonValue]


def add_action(connection: Connection, action: Action) -> None:
    row = {
        "at": action.at,
        "user_name": action.user,
        "via": action.via,
        "address": action.address[:64],
        "action": action.action,
        "target": action.target,
        "detail": json.dumps(dict(action.detail)),
    }
    connection.execute(insert(tables.actions).values(**row))


def newest_actions(connection: Connection, before: int | None, limit: int) -> list[tuple[int, Action]]:
    """The newest first, each with its number; `before`: only those with lower numbers."""
    table = tables.actions
    query = select(table).order_by(table.c.id.desc()).limit(limit)
    rows = connection.execute(query if before is None else query.where(table.c.id < before))
    return [(row.id, _action(row)) for row in rows]


def _action(row: object) -> Action:
    at, user, via, address, action, target, detail = row[1:8]  # type: ignore[index]  # a row, in the table's order
    return Action(at, user, via, address, action, target, json.loads(detail))


def prune_actions(connection: Connection, before: datetime) -> int:
    """Delete a part of the actions from before that moment. Returns how many; 0: there are no more."""
    table = tables.actions
    old = select(table.c.id).where(table.c.at < before).order_by(table.c.at).limit(PRUNED)
    return connection.execute(delete(table).where(table.c.id.in_(old))).rowcount
