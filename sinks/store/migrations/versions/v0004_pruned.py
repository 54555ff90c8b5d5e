"""Retention: the totals of pruned rows, and when each session's ledger changed last."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "pruned",
        sa.Column("camera_id", sa.String(63), primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("first_session", sa.String(40), nullable=False),
        sa.Column("last_session", sa.String(40), nullable=False),
        sa.Column("totals", sa.LargeBinary, nullable=False),
    )
    op.add_column("sessions", sa.Column("changed_at", MOMENT))
    # nobody knows when the stored ledgers changed last: they are kept as if it were now
    sessions = sa.table("sessions", sa.column("changed_at", MOMENT))
    op.execute(sessions.update().values(changed_at=datetime.now(UTC)))


def downgrade() -> None:
    op.drop_column("sessions", "changed_at")
    op.drop_table("pruned")
