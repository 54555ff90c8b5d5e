"""The SQL tables. `migrations/` makes them; a test holds the two together."""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)


class Utc(TypeDecorator[datetime]):
    """A moment with its time zone, on databases that keep none (SQLite), too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()
RowId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts rows up by itself only in a column of type INTEGER."""

partitions = Table(
    "partitions",
    metadata,
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("log", String(200), nullable=False),
    Column("next_offset", BigInteger, nullable=False),
)
"""Up to where each partition has been accounted for. `log` names the log that the offset is of, where it has a name."""

epochs = Table(
    "epochs",
    metadata,
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("opened_at", Utc, nullable=False),
    Column("first_offset", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
)

cameras = Table(
    "cameras",
    metadata,
    Column("camera_id", String(63), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("state", LargeBinary, nullable=False),
)
"""A camera's memory, by partition: one that moves (partitions were added) starts anew in the other partition."""

sessions = Table(
    "sessions",
    metadata,
    Column("camera_id", String(63), primary_key=True),
    Column("session", String(40), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("ledger", LargeBinary, nullable=False),
    Column("changed_at", Utc),
)
"""One account for each session. `changed_at` is the sinks' own time: retention counts from it."""

pruned = Table(
    "pruned",
    metadata,
    Column("camera_id", String(63), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("first_session", String(40), nullable=False),
    Column("last_session", String(40), nullable=False),
    Column("totals", LargeBinary, nullable=False),
)
"""The totals of the rows that retention has deleted, and the range of deleted sessions: see `pruned.py`."""

defects = Table(
    "defects",
    metadata,
    Column("defect_id", Text, primary_key=True),
    Column("camera_id", String(63), nullable=False),
    Column("session", String(40), nullable=False),
    Column("label", Text, nullable=False),
    Column("severity", String(20), nullable=False),
    Column("transition", String(20), nullable=False),
    Column("confidence", Float, nullable=False),
    Column("opened_at", Utc, nullable=False),
    Column("changed_at", Utc, nullable=False),
    Column("evidence", Text),
    Column("latest", Text, nullable=False),
    Column("part_id", Text),
    Index("ix_defects_camera_opened", "camera_id", "opened_at"),
    Index("ix_defects_opened", "opened_at"),
    Index("ix_defects_label_opened", "label", "opened_at"),
    Index("ix_defects_severity_opened", "severity", "opened_at"),
    Index("ix_defects_camera_label_opened", "camera_id", "label", "opened_at"),
    Index("ix_defects_camera_severity_opened", "camera_id", "severity", "opened_at"),
    Index("ix_defects_part", "part_id"),
    Index("ix_defects_changed", "changed_at", "defect_id"),
)
"""Each real defect as it stands. `latest` is the JSON of its last event."""

defect_events = Table(
    "defect_events",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("defect_id", Text, nullable=False),
    Column("at", Utc, nullable=False),
    Column("event", Text, nullable=False),
    Index("ix_defect_events_defect", "defect_id"),
)

parts = Table(
    "parts",
    metadata,
    Column("part_id", Text, primary_key=True),
    Column("camera_id", String(63), nullable=False),
    Column("session", String(40), nullable=False),
    Column("label", Text, nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("reason", String(40)),
    Column("defects", Integer, nullable=False),
    Column("first_frame", Text, nullable=False),
    Column("last_frame", Text, nullable=False),
    Column("frames", BigInteger, nullable=False),
    Column("crossed_at", Utc),
    Column("at", Utc, nullable=False),
    Column("event", Text, nullable=False),
    Index("ix_parts_camera_at", "camera_id", "at"),
)
"""Each part's verdict. `defects` is how many it has; `event`, the JSON of the whole verdict, names them."""

outbox = Table(
    "outbox",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("channel", String(40), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("traceparent", String(55)),
    UniqueConstraint("channel", "event_id", name="uq_outbox_channel_event"),
    Index("ix_outbox_channel_partition", "channel", "partition", "id"),
)
"""What must still leave; a row is deleted when it has left."""

spans = Table(
    "spans",
    metadata,
    Column("camera_id", String(63), primary_key=True),
    Column("started_at", Utc, primary_key=True),
    Column("ended_at", Utc, nullable=False),
    Column("reason", Text, nullable=False),
    Column("watched", Boolean, nullable=False),
    Index("ix_spans_started", "started_at"),
)

quarters = Table(
    "quarters",
    metadata,
    Column("camera_id", String(63), primary_key=True),
    Column("quarter", Integer, primary_key=True, autoincrement=False),
    *(
        Column(name, BigInteger, nullable=False, server_default="0")
        for name in (
            *("inspected", "unfit", "shed", "quarantined", "lost"),
            *("passed", "rejected", "unknown", "defects"),
        )
    ),
    Index("ix_quarters_quarter", "quarter"),
)
"""Sums of frames, verdicts on parts and opened defects in a quarter of an hour; `quarter` counts them since 1970."""

quarter_classes = Table(
    "quarter_classes",
    metadata,
    Column("camera_id", String(63), primary_key=True),
    Column("label", Text, primary_key=True),
    Column("quarter", Integer, primary_key=True, autoincrement=False),
    Column("rejects", BigInteger, nullable=False, server_default="0"),
    Column("defects", BigInteger, nullable=False, server_default="0"),
    Index("ix_quarter_classes_quarter", "quarter"),
)
"""By class: rejected parts that have such a defect, and opened defects."""

labels = Table(
    "labels",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("defect_id", Text, nullable=False),
    Column("camera_id", String(63), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("label", Text),
    *(Column(name, Float) for name in ("x1", "y1", "x2", "y2")),
    Column("author", String(200), nullable=False),
    Column("at", Utc, nullable=False),
    Column("withdrawn_at", Utc),
    Column("withdrawn_by", String(200)),
    Index("ix_labels_defect", "defect_id"),
    Index("ix_labels_camera_at", "camera_id", "at"),
)
"""What people said of a defect's picture. A label that is no longer held has a `withdrawn_at`, and stays."""

users = Table(
    "users",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("password", Text, nullable=False),
    Column("role", String(20), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("valid_from", Utc, nullable=False),
)
"""The board's local users. `password` is an argon2 hash. Log-ins from before `valid_from` have ended."""

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("name", String(80), nullable=False),
    Column("user_name", String(80), nullable=False),
    Column("role", String(20), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    UniqueConstraint("user_name", "name", name="uq_api_tokens_user_name"),
)
"""Tokens of programs, by the SHA-256 of each. A token may do what `role` may, and never more than its user."""

actions = Table(
    "actions",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("at", Utc, nullable=False),
    Column("user_name", String(80), nullable=False),
    Column("via", String(20), nullable=False),
    Column("address", String(64), nullable=False),
    Column("action", String(60), nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_actions_at", "at"),
)
"""Who did what on the board. `detail` is JSON, without secrets."""

board_keys = Table(
    "board_keys",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)
"""Secrets that every board of this line shares, such as the key that signs sessions."""

alarms = Table(
    "alarms",
    metadata,
    Column("alarm_id", Text, primary_key=True),
    Column("camera_id", String(63), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("changed_at", Utc, nullable=False),
    Column("latest", Text, nullable=False),
    Index("ix_alarms_state", "state"),
    Index("ix_alarms_camera_changed", "camera_id", "changed_at"),
)
"""Each alarm as it stands; also those that are normal again. `latest` is the JSON of its last event."""

alarm_events = Table(
    "alarm_events",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("alarm_id", Text, nullable=False),
    Column("camera_id", String(63), nullable=False),
    Column("at", Utc, nullable=False),
    Column("event", Text, nullable=False),
    Index("ix_alarm_events_at", "at", "event_id"),
    Index("ix_alarm_events_camera_at", "camera_id", "at"),
)
"""Everything that ever happened to an alarm, and who did it."""
