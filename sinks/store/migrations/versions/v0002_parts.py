"""Verdicts on parts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "parts",
        sa.Column("part_id", sa.Text, primary_key=True),
        sa.Column("camera_id", sa.String(63), nullable=False),
        sa.Column("session", sa.String(40), nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("verdict", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(40)),
        sa.Column("defects", sa.Integer, nullable=False),
        sa.Column("first_frame", sa.Text, nullable=False),
        sa.Column("last_frame", sa.Text, nullable=False),
        sa.Column("frames", sa.BigInteger, nullable=False),
        sa.Column("crossed_at", MOMENT),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
    )
    op.create_index("ix_parts_camera_at", "parts", ["camera_id", "at"])


def downgrade() -> None:
    op.drop_table("parts")
