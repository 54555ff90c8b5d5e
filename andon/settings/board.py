"""The board: its address, who may open it, and what a shift is."""

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from andon.settings.section import Positive, Section
from andon.settings.shifts import DEFAULT_SHIFTS, ShiftName, ShiftSettings, TimeZone

BoardRole = Literal["viewer", "operator", "engineer", "admin"]
"""Each may do what the one before it may, and more."""


def _network(text: str) -> str:
    ip_network(text)  # raises ValueError, in one line
    return text


Network = Annotated[str, AfterValidator(_network)]


class BoardTls(Section):
    cert: str
    """The certificate and its chain, a PEM file."""
    key: str
    """Its private key, a PEM file that only the board's user can read."""


class BoardTarget(Section):
    """What a shift is measured against."""

    yield_percent: float = Field(default=98.0, ge=0, le=100)
    """Good parts of all parts. An unknown part is not a good one."""
    parts_per_hour: Positive | None = None
    """None: the number of parts has no target."""


class OidcSettings(Section):
    """Log-in at the plant's own OpenID Connect provider, beside local users."""

    issuer: str = Field(pattern=r"^https?://[^?#]+$")
    """Its URL; below it lies /.well-known/openid-configuration."""
    client_id: str
    client_secret: SecretStr
    name: str = "OpenID Connect"
    """On the log-in page's button."""
    role_claim: str = "groups"
    """The claim of the identity token, a text or a list of texts, that decides the role."""
    roles: dict[str, BoardRole] = Field(default={})
    """The role for each value of that claim. Of several the highest counts."""
    default_role: BoardRole | None = None
    """The role of everybody else. None: they can't log in."""
    timeout_s: Positive = 10.0
    """Seconds for an answer of the provider."""


LanguageName = Literal["en", "de"]


ScreenName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]


class ScreenLine(Section):
    """A part of the line that a wall screen shows by itself, with a word of its own."""

    name: str = Field(min_length=1, max_length=60)
    cameras: tuple[str, ...] = ("*",)
    """Ids of cameras; `*` stands for any characters, as in press-*."""


class ScreenSettings(Section):
    lines: Annotated[tuple[ScreenLine, ...], Field(min_length=1)]
    every_s: float = Field(default=15.0, ge=3)
    """Seconds for which each of them is shown."""


class BoardSettings(Section):
    host: str = "127.0.0.1"
    """The address at which it listens. Any other than loopback takes users, and TLS or a proxy in front of it."""
    port: int = Field(default=8080, ge=0, le=65535)
    """0 takes a free one and logs it."""
    tls: BoardTls | None = None
    behind_proxy: bool = False
    """A proxy in front of the board speaks TLS with the browsers. Without it the board refuses to listen on an address
    that others reach unless it has `tls`."""
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    """Addresses and networks of that proxy: only its X-Forwarded-For and X-Forwarded-Proto are believed."""
    hosts: tuple[Annotated[str, Field(pattern=r"^[^/\s:]+$")], ...] = ()
    """Names under which browsers may ask for the board; empty: any, once there are users. Without users only this
    machine's own names are answered, so that no web page can reach the board through a name of its own."""
    viewers: int = Field(default=200, ge=1)
    """Open streams of news. One more viewer is turned away and says so. 200: four times a large hall."""
    poll_s: Positive = 0.5
    """Seconds between two looks at Redis and the store, for all viewers. Part of what an event takes to be seen."""
    fresh_s: Positive = 3.0
    """Seconds without news of a camera after which nothing counts as known of it. 3: each camera's ingester says
    something every second, or delivers frames."""
    screens: dict[ScreenName, ScreenSettings] = Field(default={})
    """Wall screens by name: `/?kiosk=NAME` shows their lines one after the other. A screen that is not here shows the
    whole line."""
    screen_addresses: tuple[Network, ...] = ()
    """Addresses and networks, such as 10.1.7.20 or 10.1.7.0/28, whose browsers may look without a log-in, as viewers:
    wall screens have no keyboard."""
    session_hours: Positive = 12.0
    """Hours after which a log-in ends. 12: a shift and its handover."""
    login_attempts: int = Field(default=10, ge=1)
    """Failed log-ins in 15 minutes, of one user or from one address, past which further ones are refused."""
    actions_days: Positive = 365.0
    """Days for which the board keeps who did what."""
    languages: Annotated[tuple[LanguageName, ...], Field(min_length=1)] = ("en", "de")
    """Offered languages; a browser that asks for none of them gets the first."""
    time_zone: TimeZone = "UTC"
    """The clock on the line's wall, for shifts: a name such as Europe/Berlin."""
    shifts: Annotated[dict[ShiftName, ShiftSettings], Field(min_length=1)] = DEFAULT_SHIFTS
    """By name, such as early: {start: '06:00', end: '14:00', days: [mon, tue, wed, thu, fri]}. By default one, `day`,
    from midnight to midnight."""
    processes: tuple[Annotated[str, Field(pattern=r"^https?://[^/@\s]+$")], ...] = ()
    """Addresses of the line's processes (`http.host` and `http.port`), such as http://worker-1:9100: the page `/system`
    reads their /metrics for spool, work in flight and versions. A name may stand for several processes: all its
    addresses are asked. Empty: the page goes without. `andon up`, compose.yaml and the chart name their own."""
    target: BoardTarget = BoardTarget()
    oidc: OidcSettings | None = None
