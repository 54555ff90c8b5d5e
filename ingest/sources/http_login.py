"""A login at a camera over HTTP, in the way that the camera asks for: digest, else basic.

The password is sent only after a challenge, and in plain text only if the camera offers nothing better.
"""

from collections.abc import Generator

import httpx


class HttpLogin(httpx.Auth):
    """For one request."""

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        response = yield request
        offered = {value.split(" ")[0].lower() for value in response.headers.get_list("www-authenticate")}
        if response.status_code != httpx.codes.UNAUTHORIZED or not offered:
            return
        if "digest" in offered:
            answering = httpx.DigestAuth(self._user, self._password).auth_flow(request)
            next(answering)
            yield answering.send(response)
        elif "basic" in offered:
            yield next(httpx.BasicAuth(self._user, self._password).auth_flow(request))
