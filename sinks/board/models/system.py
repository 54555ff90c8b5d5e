"""The line's processes and servers, as the page `/system` and the API show them."""

from datetime import datetime

from sinks.board.models.query import View


class LatencyView(View):
    at: datetime
    frames: int
    """Inspections in the sample."""
    p50_s: float
    """From capture to inspection."""
    p95_s: float
    p99_s: float
    batch: float
    """Mean frames in a batch."""


class BacklogView(View):
    """The worst of one minute."""

    at: datetime
    records: int | None
    """The lag of all groups together. None: the broker did not answer."""
    seconds: float | None
    """The lag of the group that is furthest behind."""
    outbox: int
    """Events that wait for their channels."""


class GroupLag(View):
    group: str
    topic: str
    records: int
    seconds: float
    """Age of the oldest record that it has not finished."""


class ChannelDepth(View):
    channel: str
    waiting: int
    since: datetime | None


class DiskRoom(View):
    what: str
    free_bytes: int
    total_bytes: int
    full_in_s: float | None
    """At the pace since the board first looked. None: it does not fill."""


class LedgerBalance(View):
    captured: int
    inspected: int
    shed: int
    quarantined: int
    lost: int
    in_flight: int
    balanced: bool
    """Nothing is negative: each captured frame has at most one outcome."""


class ModelInService(View):
    digest: str
    runtime: str
    last_at: datetime


class ProcessView(View):
    address: str
    role: str | None
    version: str | None
    fault: str | None
    """Why it does not answer. None: it does."""
    in_flight: int | None
    spool_bytes: int | None


class SystemView(View):
    at: datetime
    measured_at: datetime | None
    """When lag, outbox, disks and processes were looked at. None: not yet; ask again."""
    version: str
    schema_revision: str | None
    broker: bool | None
    """Whether the broker answers."""
    lags: list[GroupLag]
    outbox: list[ChannelDepth]
    disks: list[DiskRoom]
    ledger: LedgerBalance | None
    models: list[ModelInService]
    processes: list[ProcessView]
    last_5_minutes: LatencyView | None
    last_hour: LatencyView | None
    minutes: list[LatencyView]
    backlogs: list[BacklogView]
