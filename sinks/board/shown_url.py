"""A camera's address as pages show it. Nobody but an engineer sees more than where it is."""

from urllib.parse import urlsplit


def shown_url(url: str) -> str:
    """The address without login, path and query of an address in the network: secrets may stand in each of these."""
    if "://" not in url or url.startswith("file://"):
        return url
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "…"
    return f"{parts.scheme}://{host}{port}"
