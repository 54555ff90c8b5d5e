"""The logins that the tests' RTSP camera asks for: by RFC 2617 and RFC 7616."""

import base64
import hashlib
import re
from collections.abc import Callable
from urllib.parse import quote

USER, PASSWORD = "admin", "p/a#s?s[w]@r:d%41"
"""With every mark that means something else in a url."""
ENCODED = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}"
REALM, NONCE = "IP camera", "5f2b0c9e4d1a"
CHALLENGES = {
    "none": (),
    "basic": (f'Basic realm="{REALM}"',),
    "digest-md5": (f'Digest realm="{REALM}", nonce="{NONCE}"',),
    "digest-sha256": (f'Digest realm="{REALM}", nonce="{NONCE}", algorithm=SHA-256, qop="auth"',),
    "digest-sha256-md5": (
        f'Digest realm="{REALM}", nonce="{NONCE}", algorithm=SHA-256',
        f'Digest realm="{REALM}", nonce="{NONCE}", algorithm=MD5',
    ),
    "digest-md5-sha256": (
        f'Digest realm="{REALM}", nonce="{NONCE}", algorithm=MD5',
        f'Digest realm="{REALM}", nonce="{NONCE}", algorithm=SHA-256',
    ),
    "digest-auth-int": (f'Digest realm="{REALM}", nonce="{NONCE}", qop="auth-int"',),
    "bearer": (f'Bearer realm="{REALM}"',),
}
"""What it answers to a request without a login, by the scheme's name."""
_HASHES: dict[str, Callable[[bytes], "hashlib._Hash"]] = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


def admits(scheme: str, method: str, authorization: str | None) -> bool:
    """Whether the header opens a camera with this scheme."""
    if scheme == "none":
        return True
    kind, _, rest = (authorization or "").partition(" ")
    if kind == "Basic":
        return scheme == "basic" and base64.b64decode(rest).decode() == f"{USER}:{PASSWORD}"
    if kind != "Digest":
        return False
    fields = dict(re.findall(r'(\w+)="?([^",]*)"?', rest))
    offered = any(f"algorithm={fields.get('algorithm', 'MD5')}" in item for item in CHALLENGES[scheme])
    return (offered or scheme == "digest-md5") and fields.get("response") == _response(fields, method)


def _response(fields: dict[str, str], method: str) -> str:
    digest = _HASHES[fields.get("algorithm", "MD5")]

    def hashed(text: str) -> str:
        return digest(text.encode()).hexdigest()

    middle = [fields[name] for name in ("nonce", "nc", "cnonce", "qop") if name in fields]
    login = hashed(f"{USER}:{REALM}:{PASSWORD}")
    return hashed(":".join([login, *middle, hashed(f"{method}:{fields['uri']}")]))
