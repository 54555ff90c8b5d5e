"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "partitions",
        sa.Column("topic", sa.String(249), primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("log", sa.String(200), nullable=False),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "epochs",
        sa.Column("topic", sa.String(249), primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("first_offset", sa.BigInteger, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_table(
        "cameras",
        sa.Column("camera_id", sa.String(63), primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("camera_id", sa.String(63), primary_key=True),
        sa.Column("session", sa.String(40), primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("ledger", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "spans",
        sa.Column("camera_id", sa.String(63), primary_key=True),
        sa.Column("started_at", MOMENT, primary_key=True),
        sa.Column("ended_at", MOMENT, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("watched", sa.Boolean, nullable=False),
    )
    _create_defects()
    _create_outbox()


def _create_defects() -> None:
    op.create_table(
        "defects",
        sa.Column("defect_id", sa.Text, primary_key=True),
        sa.Column("camera_id", sa.String(63), nullable=False),
        sa.Column("session", sa.String(40), nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("transition", sa.String(20), nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("evidence", sa.Text),
        sa.Column("latest", sa.Text, nullable=False),
    )
    op.create_index("ix_defects_camera_opened", "defects", ["camera_id", "opened_at"])
    op.create_table(
        "defect_events",
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("defect_id", sa.Text, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
    )
    op.create_index("ix_defect_events_defect", "defect_events", ["defect_id"])


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.UniqueConstraint("channel", "event_id", name="uq_outbox_channel_event"),
    )
    op.create_index("ix_outbox_channel_partition", "outbox", ["channel", "partition", "id"])


def downgrade() -> None:
    for table in ("outbox", "defect_events", "defects", "spans", "sessions", "cameras", "epochs", "partitions"):
        op.drop_table(table)
