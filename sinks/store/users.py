"""The board's users and their tokens in the store. Who calls it hashes passwords and tokens."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from sinks.store import tables
from sinks.store.inserts import add_missing

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class StoredUser:
    name: str
    password: str
    """Its argon2 hash."""
    role: str
    created_at: datetime
    valid_from: datetime
    """Log-ins from before have ended."""


@dataclass(frozen=True, slots=True)
class StoredToken:
    digest: str
    """SHA-256 of the token, in hex."""
    name: str
    user_name: str
    role: str
    created_at: datetime
    expires_at: datetime


def users(connection: Connection) -> list[StoredUser]:
    rows = connection.execute(select(tables.users).order_by(tables.users.c.name)).mappings()
    return [StoredUser(**row) for row in rows]


def tokens(connection: Connection) -> list[StoredToken]:
    table = tables.api_tokens
    rows = connection.execute(select(table).order_by(table.c.user_name, table.c.name)).mappings()
    return [StoredToken(**row) for row in rows]


def add_user(connection: Connection, user: StoredUser) -> bool:
    """False: there is one of that name."""
    there = select(tables.users.c.name).where(tables.users.c.name == user.name)
    if connection.execute(there).first() is not None:
        return False
    add_missing(connection, tables.users, [_values(user)])
    return True


def change_user(connection: Connection, name: str, values: dict[str, Any]) -> bool:
    """Set columns of a user. False: there is none of that name."""
    changed = update(tables.users).where(tables.users.c.name == name).values(**values)
    return connection.execute(changed).rowcount == 1


def remove_user(connection: Connection, name: str) -> bool:
    """Remove a user with all tokens. False: there is none of that name."""
    connection.execute(delete(tables.api_tokens).where(tables.api_tokens.c.user_name == name))
    return connection.execute(delete(tables.users).where(tables.users.c.name == name)).rowcount == 1


def put_token(connection: Connection, token: StoredToken) -> None:
    """Add a token; one of the same user and name is replaced."""
    remove_token(connection, token.user_name, token.name)
    add_missing(connection, tables.api_tokens, [_values(token)])


def remove_token(connection: Connection, user_name: str, name: str) -> bool:
    """False: the user has none of that name."""
    table = tables.api_tokens
    gone = delete(table).where(table.c.user_name == user_name, table.c.name == name)
    return connection.execute(gone).rowcount == 1


def signing_key(connection: Connection) -> str:
    """The key that signs sessions; made at the first call, and shared by all boards of this store."""
    table = tables.board_keys
    add_missing(connection, table, [{"name": "sessions", "value": secrets.token_urlsafe(KEY_BYTES)}])
    return str(connection.execute(select(table.c.value).where(table.c.name == "sessions")).scalar_one())


def _values(row: StoredUser | StoredToken) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}
