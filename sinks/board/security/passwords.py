"""Passwords as argon2 hashes. Each takes some 50 ms and 64 MB, so at most two are worked on at a time."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

LEAST = 10
"""Characters of a password. What a person can remember and a program can't guess is long, not mixed."""
MOST = 200
_AT_A_TIME = 2


class Passwords:
    def __init__(self, hasher: PasswordHash | None = None) -> None:
        self._hasher = hasher or PasswordHash((Argon2Hasher(),))
        self._threads = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="password")
        self._nobody = self._hasher.hash("nobody has this password")

    def hash(self, password: str) -> str:
        """Blocks for as long as `matches`."""
        return self._hasher.hash(password)

    async def match(self, password: str, stored: str | None) -> bool:
        """`stored`: None where there is no such user; that takes as long, so that nobody learns who is one."""
        loop = asyncio.get_running_loop()
        matches = await loop.run_in_executor(self._threads, self._verify, password, stored or self._nobody)
        return matches and stored is not None

    def _verify(self, password: str, stored: str) -> bool:
        try:
            return len(password) <= MOST and self._hasher.verify(password, stored)
        except UnknownHashError:
            return False

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
