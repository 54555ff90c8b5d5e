"""Log-in at the plant's OpenID Connect provider: authorization code with PKCE, by Authlib."""

import warnings
from collections.abc import Mapping
from typing import Any

import httpx
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import Response

from andon.settings import BoardRole, OidcSettings
from sinks.board.security.roles import ROLES, OidcError, User

with warnings.catch_warnings(record=True):  # Authlib 1.9 asks for a successor of httpx, which it does not need
    from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]  # Authlib has no types
    from authlib.integrations.starlette_client import OAuth  # type: ignore[import-untyped]  # Authlib has no types

MOST_NAME = 80


class OidcLogin:
    def __init__(self, settings: OidcSettings) -> None:
        """Asks the provider at the first log-in."""
        self._settings = settings
        oauth = OAuth()
        self._provider: Any = oauth.register(
            "provider",
            client_id=settings.client_id,
            client_secret=settings.client_secret.get_secret_value(),
            server_metadata_url=f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid profile email",
                "code_challenge_method": "S256",
                "timeout": settings.timeout_s,
            },
        )

    async def away(self, request: Request, back: str) -> Response:
        """To the provider's page, which comes back to the address `back`. Raises OidcError."""
        try:
            answer: Response = await self._provider.authorize_redirect(request, back)
        except (httpx.HTTPError, AuthlibBaseError, ValueError, KeyError) as error:
            raise OidcError(f"the provider at {self._settings.issuer}: {type(error).__name__}") from None
        return answer

    async def back(self, request: Request) -> User:
        """Whoever the provider has sent back. Raises OidcError."""
        try:
            token = await self._provider.authorize_access_token(request)
        except (httpx.HTTPError, AuthlibBaseError, JoseError, ValueError, KeyError) as error:
            raise OidcError(f"the provider's answer: {type(error).__name__}") from None
        claims = token.get("userinfo") or {}
        role = self._role(claims)
        if role is None:
            raise OidcError("no role for this person: board.oidc.roles")
        name = claims.get("preferred_username") or claims.get("email") or claims.get("sub") or ""
        return User(str(name)[:MOST_NAME], role, "oidc")

    def _role(self, claims: Mapping[str, Any]) -> BoardRole | None:
        """The highest role that the claim gives; None: this person may not in."""
        given = claims.get(self._settings.role_claim, [])
        values = [given] if isinstance(given, str) else given if isinstance(given, list) else []
        roles = [role for value, role in self._settings.roles.items() if value in values]
        return max(roles, key=ROLES.index, default=self._settings.default_role)
