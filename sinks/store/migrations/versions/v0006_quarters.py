"""Sums by quarter of an hour, labels, and the indexes by which people look for defects."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
FRAMES = ("inspected", "unfit", "shed", "quarantined", "lost")
PARTS = ("passed", "rejected", "unknown", "defects")
INDEXES = {
    "ix_defects_opened": ["opened_at"],
    "ix_defects_label_opened": ["label", "opened_at"],
    "ix_defects_severity_opened": ["severity", "opened_at"],
    "ix_defects_camera_label_opened": ["camera_id", "label", "opened_at"],
    "ix_defects_camera_severity_opened": ["camera_id", "severity", "opened_at"],
    "ix_defects_part": ["part_id"],
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("set local statement_timeout = 0")  # a store of years is read once
    _create_tables()
    op.add_column("defects", sa.Column("part_id", sa.Text))
    for statement in _BACKFILL[op.get_bind().dialect.name]:
        op.execute(statement)
    for name, columns in INDEXES.items():
        op.create_index(name, "defects", columns)
    op.create_index("ix_spans_started", "spans", ["started_at"])


def _create_tables() -> None:
    op.create_table(
        "quarters",
        sa.Column("camera_id", sa.String(63), primary_key=True),
        sa.Column("quarter", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in FRAMES + PARTS),
    )
    op.create_index("ix_quarters_quarter", "quarters", ["quarter"])
    op.create_table(
        "quarter_classes",
        sa.Column("camera_id", sa.String(63), primary_key=True),
        sa.Column("label", sa.Text, primary_key=True),
        sa.Column("quarter", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in ("rejects", "defects")),
    )
    op.create_index("ix_quarter_classes_quarter", "quarter_classes", ["quarter"])
    op.create_table(
        "labels",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("defect_id", sa.Text, nullable=False),
        sa.Column("camera_id", sa.String(63), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("label", sa.Text),
        *(sa.Column(name, sa.Float) for name in ("x1", "y1", "x2", "y2")),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("withdrawn_at", MOMENT),
        sa.Column("withdrawn_by", sa.String(200)),
    )
    op.create_index("ix_labels_defect", "labels", ["defect_id"])
    op.create_index("ix_labels_camera_at", "labels", ["camera_id", "at"])


def _verdict_sums(quarter: str) -> str:
    return f"""
        insert into quarters (camera_id, quarter, passed, rejected, unknown, defects)
        select camera_id, quarter, sum(passed), sum(rejected), sum(unknown), sum(defects) from (
            select camera_id, {quarter.format("at")} as quarter,
                case verdict when 'pass' then 1 else 0 end as passed,
                case verdict when 'reject' then 1 else 0 end as rejected,
                case verdict when 'unknown' then 1 else 0 end as unknown, 0 as defects
            from parts
            union all
            select camera_id, {quarter.format("opened_at")}, 0, 0, 0, 1 from defects
        ) as counted group by camera_id, quarter"""  # noqa: S608  # nothing of it comes from outside


def _class_sums(quarter: str, labels: str) -> str:
    """`labels`: from parts, one row for each defect of a part."""
    return f"""
        insert into quarter_classes (camera_id, label, quarter, rejects, defects)
        select camera_id, label, quarter, sum(rejects), sum(defects) from (
            select camera_id, label, quarter, count(distinct part_id) as rejects, 0 as defects from (
                select parts.camera_id, parts.part_id, {quarter.format("parts.at")} as quarter, {labels}
                where parts.verdict = 'reject'
            ) as rejected group by camera_id, label, quarter
            union all
            select camera_id, label, {quarter.format("opened_at")}, 0, count(*) from defects
            group by camera_id, label, {quarter.format("opened_at")}
        ) as counted group by camera_id, label, quarter"""  # noqa: S608


_SQLITE = "cast(strftime('%s', {0}) as integer) / 900"
_POSTGRESQL = "cast(floor(extract(epoch from {0}) / 900) as integer)"
_BACKFILL = {
    "sqlite": (
        "update defects set part_id = json_extract(latest, '$.part_id')",
        _verdict_sums(_SQLITE),
        _class_sums(
            _SQLITE,
            "json_extract(item.value, '$.label') as label from parts, json_each(parts.event, '$.defects') as item",
        ),
    ),
    "postgresql": (
        "update defects set part_id = cast(latest as jsonb) ->> 'part_id'",
        _verdict_sums(_POSTGRESQL),
        _class_sums(
            _POSTGRESQL,
            "item ->> 'label' as label from parts,"
            " jsonb_array_elements(cast(parts.event as jsonb) -> 'defects') as item",
        ),
    ),
}


def downgrade() -> None:
    op.drop_index("ix_spans_started", "spans")
    for name in INDEXES:
        op.drop_index(name, "defects")
    op.drop_column("defects", "part_id")
    for table in ("labels", "quarter_classes", "quarters"):
        op.drop_table(table)
