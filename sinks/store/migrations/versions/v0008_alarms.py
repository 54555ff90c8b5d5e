"""Alarms, and everything that happened to them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "alarms",
        sa.Column("alarm_id", sa.Text, primary_key=True),
        sa.Column("camera_id", sa.String(63), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("latest", sa.Text, nullable=False),
    )
    op.create_index("ix_alarms_state", "alarms", ["state"])
    op.create_index("ix_alarms_camera_changed", "alarms", ["camera_id", "changed_at"])
    op.create_table(
        "alarm_events",
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("alarm_id", sa.Text, nullable=False),
        sa.Column("camera_id", sa.String(63), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
    )
    op.create_index("ix_alarm_events_at", "alarm_events", ["at", "event_id"])
    op.create_index("ix_alarm_events_camera_at", "alarm_events", ["camera_id", "at"])


def downgrade() -> None:
    op.drop_table("alarm_events")
    op.drop_table("alarms")
