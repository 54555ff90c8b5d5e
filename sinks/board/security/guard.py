"""Finds out who sent a request: a log-in's session, a token, or nobody on a board that is open to its machine."""

from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, cast

from starlette.requests import Request

from andon.clock import Clock
from andon.settings import BoardRole, BoardSettings, OidcSettings
from sinks.board.security.directory import Accounts, Directory, digest
from sinks.board.security.limits import LoginLimits
from sinks.board.security.passwords import Passwords
from sinks.board.security.roles import ROLES, User
from sinks.board.store import BoardStore

if TYPE_CHECKING:
    from sinks.board.security.oidc import OidcLogin

OPEN = User("this machine", "engineer", "open")
MOST_TOKEN = 200


class RequestGuard:
    def __init__(
        self,
        key: str,
        store: BoardStore,
        settings: BoardSettings,
        clock: Clock,
        passwords: Passwords | None = None,
    ) -> None:
        """`key` signs sessions."""
        self.key = key
        self.directory = Directory(store, clock)
        self.passwords = passwords or Passwords()
        self.limits = LoginLimits(settings.login_attempts, clock)
        self.oidc = None if settings.oidc is None else _oidc(settings.oidc)
        self._settings = settings
        self._clock = clock
        self._screens = [ip_network(text) for text in settings.screen_addresses]

    def close(self) -> None:
        self.passwords.close()

    async def is_open(self) -> bool:
        """Nobody must log in: there are no users. Such a board listens on loopback only."""
        return self._settings.oidc is None and not (await self.directory.known()).users

    async def user(self, request: Request) -> User | None:
        """None: nobody that the board knows. Raises RetryableError while the store can't say."""
        known = await self.directory.known()
        header = request.headers.get("authorization", "")
        if header:
            return self._of_token(header, known)
        if self._settings.oidc is None and not known.users:
            return OPEN
        return self._of_session(request.session, known) or self._of_screen(request)

    def begin(self, session: dict[str, Any], user: User) -> None:
        """Log `user` in: a new session, so that nobody who knew the old one is in, too."""
        session.clear()
        session |= {"user": user.name, "via": user.via, "at": self._clock.now().isoformat()}
        if user.via == "oidc":  # the store does not know this user
            session["role"] = user.role

    def _of_session(self, session: dict[str, Any], known: Accounts) -> User | None:
        name, via = session.get("user"), session.get("via")
        if name is None or self._is_over(session):
            return None
        if via == "oidc" and self._settings.oidc is not None and session.get("role") in ROLES:
            return User(str(name), cast(BoardRole, session["role"]), "oidc")
        user = known.users.get(str(name))
        if via != "session" or user is None or datetime.fromisoformat(session["at"]) < user.valid_from:
            return None
        return User(user.name, cast(BoardRole, user.role), "session")

    def _is_over(self, session: dict[str, Any]) -> bool:
        ends = datetime.fromisoformat(session["at"]) + timedelta(hours=self._settings.session_hours)
        return ends <= self._clock.now()

    def _of_screen(self, request: Request) -> User | None:
        """A wall screen may look. Behind a proxy its own address counts, which the proxy names."""
        try:
            address = ip_address(request.client.host if request.client else "")
        except ValueError:
            return None
        return User(f"screen {address}", "viewer", "screen") if any(address in each for each in self._screens) else None

    def _of_token(self, header: str, known: Accounts) -> User | None:
        scheme, _, text = header.partition(" ")
        token = (
            known.tokens.get(digest(text.strip())) if scheme.lower() == "bearer" and len(text) < MOST_TOKEN else None
        )
        user = None if token is None else known.users.get(token.user_name)
        if token is None or user is None or token.expires_at <= self._clock.now():
            return None
        role = min(cast(BoardRole, token.role), cast(BoardRole, user.role), key=ROLES.index)
        return User(f"{user.name}/{token.name}", role, "token")


def _oidc(settings: OidcSettings) -> "OidcLogin":
    """Authlib takes a quarter of a second to load: only where it is used."""
    from sinks.board.security.oidc import OidcLogin  # noqa: PLC0415

    return OidcLogin(settings)
