"""A camera's section of line.yaml as the registry holds it: what is set, as it is written, without any secret.

A secret stands in it as a reference, which each ingester reads on its own machine: `${VAR}`, `${file:PATH}`, or, where
line.yaml holds the password itself, `${line.yaml}`: the url of this camera in the ingester's own line.yaml.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import JsonValue, ValidationError

from andon.config import REFERENCE, complaints, expanded
from andon.errors import ConfigError
from andon.messages import CameraConfig
from andon.settings import CameraSettings

OWN = "${line.yaml}"
_PLACE = "reference"
"""Stands for a reference while a url is taken apart."""
_SECRET_BEHIND = re.compile("pass|pwd|token|secret|auth|cred|login|key$|signature", re.IGNORECASE)
"""Names of parameters, in a path or a query, whose values are secrets."""
Section = dict[str, JsonValue]


def published(section: Mapping[str, Any]) -> Section:
    """A camera's section of line.yaml as it may be published: without its id, and without a password."""
    plain: Section = json.loads(json.dumps({key: value for key, value in section.items() if key != "id"}, default=str))
    return {**plain, "url": without_password(str(plain["url"]))}


def without_password(url: str) -> str:
    """The url, with `${line.yaml}` in place of a password that stands in it; in place of all of it if need be."""
    if not holds_secret(url):
        return url
    try:
        user, _, password = urlsplit(url).netloc.rpartition("@")[0].partition(":")
    except ValueError:
        return OWN
    shown = url.replace(f"{user}:{password}@", f"{user}:{OWN}@", 1) if password else OWN
    return OWN if holds_secret(shown) else shown


def holds_secret(url: str) -> bool:
    """Whether a secret seems to stand in the url itself, and not as a reference."""
    if "://" not in url or url.startswith("file://"):
        return False
    plain = REFERENCE.sub(_PLACE, url.replace(OWN, _PLACE))
    try:
        parts = urlsplit(plain)
        login, at, _ = parts.netloc.rpartition("@")
    except ValueError:
        return True
    behind = parts._replace(scheme="", netloc="").geturl()
    if "@" in behind:  # a password that is cut by a mark
        return True
    password = login.partition(":")[2]
    return bool(at and password and password != _PLACE) or _secret_behind(behind)


def _secret_behind(behind: str) -> bool:
    values = re.findall(r"([\w-]+)=([^&/;_]*)", behind)
    return any(_SECRET_BEHIND.search(name) and value not in ("", _PLACE) for name, value in values)


def require_no_password(url: str) -> None:
    """Raises ConfigError where the url holds a password itself: the topic is read by many."""
    if holds_secret(url):
        raise ConfigError(
            "the url holds a password, which would be published: write ${VAR} in its place, a variable of the ingester,"
            " or ${file:PATH}, a file on its machine"
        )


def digest(section: Section) -> str:
    """The same for the same content."""
    return hashlib.sha256(json.dumps(section, sort_keys=True).encode()).hexdigest()[:16]


def settings_of(
    config: CameraConfig, own: Iterable[CameraSettings] = (), environ: Mapping[str, str] | None = None
) -> CameraSettings:
    """The camera's settings, with the secrets of this machine; `own`: the cameras of its line.yaml.

    Raises ConfigError, in one line: a secret is not there, or a setting is wrong.
    """
    where, settings = f"camera {config.camera_id}", dict(config.settings or {})
    if OWN in str(settings.get("url")):
        settings["url"] = _own_url(config.camera_id, own)
        resolved = {key: value for key, value in settings.items() if key != "url"}
        resolved = {**expanded(resolved, _environ(environ), where), "url": settings["url"]}
    else:
        resolved = expanded(settings, _environ(environ), where)
    try:
        return CameraSettings.model_validate({**resolved, "id": config.camera_id})
    except ValidationError as error:
        raise ConfigError("; ".join(complaints(error, where, CameraSettings))) from None


def _environ(environ: Mapping[str, str] | None) -> Mapping[str, str]:
    return os.environ if environ is None else environ


def _own_url(camera_id: str, own: Iterable[CameraSettings]) -> str:
    for camera in own:
        if camera.id == camera_id:
            return camera.url.get_secret_value()
    raise ConfigError(
        f"camera {camera_id}: its password stands in another ingester's line.yaml: write it there as ${{VAR}} or"
        " ${file:PATH}, or give this ingester the same line.yaml"
    )
