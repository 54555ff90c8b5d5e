"""`andon user`: who may open the board, and with which programs."""

import asyncio
import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

from andon.cli import config_option
from andon.clock import SystemClock
from andon.config import load
from andon.errors import ConfigError, FatalError, RetryableError
from sinks.board.security.directory import digest, new_token
from sinks.board.security.passwords import LEAST, MOST, Passwords
from sinks.board.security.roles import ROLES
from sinks.store import users as stored
from sinks.store.actions import Action, add_action
from sinks.store.database import opened
from sinks.store.users import StoredToken, StoredUser

T = TypeVar("T")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,79}")
role_option = click.option("--role", type=click.Choice(ROLES), required=True, help="Each may do more than the last.")


@click.group()
def user() -> None:
    """The board's users. What these commands change takes effect within seconds, without a restart."""


@user.command()
@config_option()
@click.argument("name")
@role_option
def add(path: Path, name: str, role: str) -> None:
    """Add a user. It asks for the password, or reads it from standard input.

    \b
    Example:
      andon user add anna --role operator
    """
    if not NAME.fullmatch(name):
        raise ConfigError(f"{name!r}: a name has letters, digits and . _ @ -, and at most 80 of them")
    now = SystemClock().now()
    new = StoredUser(name, _hashed(_password()), role, now, now)
    if not _change(path, "user.add", name, {"role": role}, lambda connection: stored.add_user(connection, new)):
        raise ConfigError(f"there is a user {name} already; `andon user passwd` and `andon user role` change one")
    click.echo(f"{name} may log in now, as {role}.")


@user.command(name="list")
@config_option()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def show(path: Path, *, as_json: bool) -> None:
    """Show the users and their tokens.

    \b
    Example:
      andon user list
    """
    found = _run(path, lambda connection: (stored.users(connection), stored.tokens(connection)))
    rows = [_row(each, [token for token in found[1] if token.user_name == each.name]) for each in found[0]]
    if as_json:
        click.echo(json.dumps(rows))
        return
    table = Table("user", "role", "since", "tokens")
    for row in rows:
        tokens = ", ".join(
            f"{each['name']} ({each['role']}, until {each['expires_at'][:10]})" for each in row["tokens"]
        )
        table.add_row(row["name"], row["role"], row["created_at"][:10], tokens)
    Console().print(table if rows else "no users: the board is open to this machine, and to nobody else")


@user.command()
@config_option()
@click.argument("name")
def remove(path: Path, name: str) -> None:
    """Remove a user with all tokens. Open pages are logged out.

    \b
    Example:
      andon user remove anna
    """
    _require(_change(path, "user.remove", name, {}, lambda connection: stored.remove_user(connection, name)), name)
    click.echo(f"{name} is removed.")


@user.command()
@config_option()
@click.argument("name")
def passwd(path: Path, name: str) -> None:
    """Set a new password. Whoever is logged in with the old one is logged out.

    \b
    Example:
      andon user passwd anna
    """
    values = {"password": _hashed(_password()), "valid_from": SystemClock().now()}
    _require(
        _change(path, "user.passwd", name, {}, lambda connection: stored.change_user(connection, name, values)), name
    )
    click.echo(f"{name} has a new password.")


@user.command(name="role")
@config_option()
@click.argument("name")
@role_option
def change_role(path: Path, name: str, role: str) -> None:
    """Give a user another role, at once.

    \b
    Example:
      andon user role anna --role engineer
    """
    changed = _change(
        path, "user.role", name, {"role": role}, lambda connection: stored.change_user(connection, name, {"role": role})
    )
    _require(changed, name)
    click.echo(f"{name} is {role} now.")


@user.command()
@config_option()
@click.argument("name")
@click.option("--name", "label", required=True, help="Of the program that uses it; a second one replaces the first.")
@role_option
@click.option("--days", type=click.FloatRange(0, 3650, min_open=True), default=90.0, show_default=True)
@click.option("--revoke", is_flag=True, help="Remove the token of that name instead.")
def token(path: Path, name: str, label: str, role: str, *, days: float, revoke: bool) -> None:
    """Make a token for a program, and print it once. It may do what `role` may, and no more than the user.

    \b
    Example:
      andon user token anna --name plc --role operator --days 365
      curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8080/api/v1/line
    """
    if revoke:
        gone = _change(
            path,
            "token.revoke",
            name,
            {"token": label},
            lambda connection: stored.remove_token(connection, name, label),
        )
        if not gone:
            raise ConfigError(f"{name} has no token {label!r}")
        click.echo(f"the token {label} of {name} is revoked.")
        return
    secret, now = new_token(), SystemClock().now()
    row = StoredToken(digest(secret), label[:80], name, role, now, now + timedelta(days=days))

    def put(connection: Connection) -> bool:
        if name not in {each.name for each in stored.users(connection)}:
            return False
        stored.put_token(connection, row)
        return True

    _require(_change(path, "token.make", name, {"token": label, "role": role, "days": days}, put), name)
    click.echo(secret)


def _require(changed: bool, name: str) -> None:
    if not changed:
        raise ConfigError(f"there is no user {name!r}: `andon user list` shows them")


def _password() -> str:
    if sys.stdin.isatty():
        password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    else:
        password = sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    if not LEAST <= len(password) <= MOST:
        raise ConfigError(f"a password has {LEAST} to {MOST} characters; several words are easy to remember")
    return password


def _hashed(password: str) -> str:
    passwords = Passwords()
    try:
        return passwords.hash(password)
    finally:
        passwords.close()


def _change(path: Path, action: str, target: str, detail: dict[str, Any], work: Callable[[Connection], bool]) -> bool:
    """Do `work` and keep that it was done, together. Returns what `work` returns."""
    entry = Action(datetime.now(UTC), "command line", "command", "", action, target, detail)

    def both(connection: Connection) -> bool:
        done = work(connection)
        if done:
            add_action(connection, entry)
        return done

    return _run(path, both)


def _run(path: Path, work: Callable[[Connection], T]) -> T:
    return asyncio.run(_in_store(load(path).sinks.store.get_secret_value(), work))


async def _in_store(url: str, work: Callable[[Connection], T]) -> T:
    database = await opened(url)
    try:
        return await database.run(work)
    except RetryableError as error:
        raise FatalError(str(error)) from None
    finally:
        await database.close()


def _row(each: StoredUser, tokens: list[StoredToken]) -> dict[str, Any]:
    """Without hashes."""
    shown = [{key: str(value) for key, value in asdict(token).items() if key != "digest"} for token in tokens]
    return {"name": each.name, "role": each.role, "created_at": each.created_at.isoformat(), "tokens": shown}
