"""Users and tokens as the store has them, read again every few seconds: a removed user is out soon."""

import hashlib
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from andon.clock import Clock
from andon.errors import RetryableError
from sinks.board.store import BoardStore
from sinks.store import users as stored
from sinks.store.users import StoredToken, StoredUser

FRESH_S = 3.0
"""Seconds for which what was read is good. The commands of `andon user` take effect within them."""
PREFIX = "andon_"


@dataclass(frozen=True, slots=True)
class Accounts:
    users: Mapping[str, StoredUser] = field(default_factory=dict)
    tokens: Mapping[str, StoredToken] = field(default_factory=dict)
    """By digest."""


class Directory:
    def __init__(self, store: BoardStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: Accounts | None = None
        self._read_s = 0.0

    async def known(self) -> Accounts:
        """While the store is away, what was read last. Raises RetryableError where nothing was ever read."""
        now_s = self._clock.monotonic()
        if self._known is None:
            self._known, self._read_s = await self._read(), now_s
        elif now_s - self._read_s > FRESH_S:
            self._read_s = now_s  # requests that come meanwhile use what is known
            with suppress(RetryableError):
                self._known = await self._read()
        return self._known

    def forget(self) -> None:
        """Read anew for the next request."""
        self._read_s = float("-inf")

    async def _read(self) -> Accounts:
        users, tokens = await self._store.read(lambda connection: (stored.users(connection), stored.tokens(connection)))
        return Accounts({user.name: user for user in users}, {token.digest: token for token in tokens})


def new_token() -> str:
    """A token for a program: 256 random bits after a prefix by which a secret scanner knows it."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What the store keeps of a token. It is random, so a quick hash is as good as a slow one."""
    return hashlib.sha256(token.encode()).hexdigest()
