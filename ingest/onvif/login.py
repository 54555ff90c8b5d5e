"""A login for cameras that are searched for. Its text refers to the secret, as line.yaml does, and never holds it."""

import os
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote

from andon.config import expanded
from andon.errors import ConfigError

HOW = "write --login 'USER:${VARIABLE}' or --login 'USER:${file:PATH}'"


@dataclass(frozen=True, slots=True)
class OnvifLogin:
    text: str
    """As the user wrote it, for the url of `andon camera add`."""
    user: str
    password: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the secret that the text refers to. As in a url, user and password may be percent-encoded.

        Raises ConfigError: it is no login, holds the password itself, or refers to nothing.
        """
        user, colon, password = text.partition(":")
        if not user or not colon:
            raise ConfigError(f"--login: no user and password: {HOW}")
        if "${" not in password:
            raise ConfigError(f"--login: everyone on this machine can read a password on a command line: {HOW}")
        secrets = [unquote(expanded(part, os.environ, "--login")) for part in (user, password)]
        return cls(text, *secrets)
