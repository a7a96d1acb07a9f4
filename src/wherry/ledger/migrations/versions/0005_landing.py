"""What becomes of a landed system: the landing of each task, orders to receivers, and what rehearsals came to."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, and keep the results of rehearsals append-only."""
    op.create_table(
        "landing",
        sa.Column("task_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("checkpoint", sa.BigInteger(), nullable=True),
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("server_id", sa.String(length=255), nullable=False),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_landing_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_landing")),
    )
    op.create_table(
        "landing_order",
        sa.Column("sequence", _SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("task_id", sa.String(length=36), nullable=False),
        sa.Column("source_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("checkpoint", sa.BigInteger(), nullable=True),
        sa.Column("stage", sa.String(length=32), nullable=False),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("ordered_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_landing_order")),
        sa.UniqueConstraint("id", name=op.f("uq_landing_order_id")),
    )
    op.create_index(op.f("ix_landing_order_task_id_sequence"), "landing_order", ["task_id", "sequence"], unique=False)
    op.create_index(
        op.f("ix_landing_order_account_id_sequence"), "landing_order", ["account_id", "sequence"], unique=False
    )
    op.create_table(
        "rehearsal",
        sa.Column("sequence", _SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("task_id", sa.String(length=36), nullable=False),
        sa.Column("source_id", sa.String(length=36), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_rehearsal")),
        sa.UniqueConstraint("order_id", name=op.f("uq_rehearsal_order_id")),
    )
    op.create_index(op.f("ix_rehearsal_account_id_sequence"), "rehearsal", ["account_id", "sequence"], unique=False)
    op.create_table(
        "rehearsal_record",
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("task_id", sa.String(length=36), nullable=False),
        sa.Column("console", sa.LargeBinary(), nullable=False),
        sa.Column("screenshot", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_rehearsal_record_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_rehearsal_record")),
    )
    op.create_index(op.f("ix_rehearsal_record_task_id"), "rehearsal_record", ["task_id"], unique=False)

    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER rehearsal_no_{verb.lower()} BEFORE {verb} ON rehearsal "
                "BEGIN SELECT RAISE(ABORT, 'rehearsal is append-only'); END"
            )
        return
    op.execute(
        "CREATE TRIGGER rehearsal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rehearsal "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
