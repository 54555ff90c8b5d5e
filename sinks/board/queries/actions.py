"""Who did what, for the page of actions and its API."""

from dataclasses import asdict

from sqlalchemy import Connection

from sinks.board import cursor
from sinks.board.models.actions import ActionPage, ActionQuery, ActionView
from sinks.store.actions import newest_actions


def action_page(connection: Connection, query: ActionQuery) -> ActionPage:
    """Raises ProblemError for a cursor that is none."""
    before = None if query.cursor is None else cursor.decode(query.cursor, int)[0]
    assert before is None or isinstance(before, int)
    found = newest_actions(connection, before, query.limit + 1)
    shown = found[: query.limit]
    following = cursor.encode(shown[-1][0]) if len(found) > query.limit else None
    return ActionPage(items=[ActionView(**asdict(action)) for _, action in shown], next=following)
