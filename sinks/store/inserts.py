"""`insert ... on conflict`, which SQLite and PostgreSQL write alike and SQLAlchemy keeps apart."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or replace what stands under their keys."""
    if rows:
        connection.execute(_upserting(connection.dialect.name, table), list(rows))


@cache
def _upserting(dialect: str, table: Table) -> Any:
    statement = dialect_insert(dialect, table)
    keys = [column.name for column in table.primary_key]
    rest = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=rest)


def add_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; those whose key is there already change nothing."""
    if rows:
        connection.execute(_adding(connection.dialect.name, table), list(rows))


def add_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """As `add_missing`, for a table with one key. Returns the keys that were not there."""
    if not rows:
        return set()
    key = next(iter(table.primary_key))
    statement = _adding(connection.dialect.name, table).returning(key)
    return set(connection.execute(statement, list(rows)).scalars())


@cache
def _adding(dialect: str, table: Table) -> Any:
    return dialect_insert(dialect, table).on_conflict_do_nothing()


def dialect_insert(dialect: str, table: Table) -> Any:
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)
