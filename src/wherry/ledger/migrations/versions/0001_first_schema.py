"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_APPEND_ONLY = ("command_result", "state_change", "audit", "consistency_result")


def upgrade() -> None:
    """Make all tables, and the triggers that keep the append-only ones append-only."""
    op.create_table(
        "account",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("project_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("privacy_agreed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("name", name=op.f("uq_account_name")),
    )
    op.create_table(
        "audit",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("caller_kind", sa.String(length=16), nullable=False),
        sa.Column("caller_id", sa.String(length=255), nullable=False),
        sa.Column("caller_name", sa.String(length=255), nullable=False),
        sa.Column("access_key", sa.String(length=64), nullable=False),
        sa.Column("resource_type", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("resource_id", sa.String(length=255), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_account_id_sequence"), "audit", ["account_id", "sequence"], unique=False)
    op.create_table(
        "command",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("source_id", sa.String(length=36), nullable=False),
        sa.Column("task_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("bucket", sa.String(length=255), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_command")),
        sa.UniqueConstraint("id", name=op.f("uq_command_id")),
    )
    op.create_index(
        "ix_command_waiting",
        "command",
        ["source_id", "sequence"],
        sqlite_where=sa.text("answered_at IS NULL AND withdrawn_at IS NULL"),
        postgresql_where=sa.text("answered_at IS NULL AND withdrawn_at IS NULL"),
    )
    op.create_table(
        "command_result",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("source_id", sa.String(length=36), nullable=False),
        sa.Column("command_id", sa.String(length=36), nullable=True),
        sa.Column("command_name", sa.String(length=255), nullable=False),
        sa.Column("result", sa.String(length=255), nullable=False),
        sa.Column("result_detail", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_command_result")),
    )
    op.create_index(
        op.f("ix_command_result_source_id_sequence"), "command_result", ["source_id", "sequence"], unique=False
    )
    op.create_table(
        "consistency_result",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("task_id", sa.String(length=36), nullable=False),
        sa.Column("source_id", sa.String(length=36), nullable=False),
        sa.Column("finished_time", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_consistency_result")),
    )
    op.create_index(op.f("ix_consistency_result_source_id"), "consistency_result", ["source_id"], unique=False)
    op.create_index(
        op.f("ix_consistency_result_task_id_sequence"), "consistency_result", ["task_id", "sequence"], unique=False
    )
    op.create_table(
        "proof",
        sa.Column("task_id", sa.String(length=36), nullable=False),
        sa.Column("checkpoint", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("source_id", sa.String(length=36), nullable=False),
        sa.Column("signed_at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "checkpoint", name=op.f("pk_proof")),
    )
    op.create_table(
        "state_change",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.String(length=36), nullable=False),
        sa.Column("task_id", sa.String(length=36), nullable=True),
        sa.Column("entity", sa.String(length=16), nullable=False),
        sa.Column("from_state", sa.String(length=32), nullable=False),
        sa.Column("to_state", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_state_change")),
    )
    op.create_index(op.f("ix_state_change_source_id_sequence"), "state_change", ["source_id", "sequence"], unique=False)
    op.create_index(op.f("ix_state_change_task_id_sequence"), "state_change", ["task_id", "sequence"], unique=False)
    op.create_table(
        "token_revocation",
        sa.Column("revocation_id", sa.String(length=128), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("revocation_id", name=op.f("pk_token_revocation")),
    )
    op.create_table(
        "iam_user",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("account_owner", sa.Boolean(), nullable=False),
        sa.Column("policies", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("tokens_void_before", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_iam_user_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_iam_user")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_iam_user_account_id_name")),
    )
    op.create_table(
        "join_token",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("token_hash", sa.String(length=128), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("used_by", sa.String(length=255), nullable=True),
        sa.Column("access_key", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_join_token_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_join_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_join_token_token_hash")),
    )
    op.create_table(
        "migproject",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_migproject_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_migproject")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_migproject_account_id_name")),
    )
    op.create_table(
        "receiver",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("data_host", sa.String(length=255), nullable=False),
        sa.Column("data_port", sa.Integer(), nullable=False),
        sa.Column("drivers", sa.Text(), nullable=False),
        sa.Column("free_bytes", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_contact", sa.BigInteger(), nullable=False),
        sa.Column("assignments_version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_receiver_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receiver")),
    )
    op.create_index(op.f("ix_receiver_account_id"), "receiver", ["account_id"], unique=False)
    op.create_table(
        "template",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("availability_zone", sa.String(length=255), nullable=False),
        sa.Column("region", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("sealed_password", sa.Text(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_template_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_template")),
    )
    op.create_index(op.f("ix_template_account_id"), "template", ["account_id"], unique=False)
    op.create_table(
        "access_key",
        sa.Column("access_key", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("source_id", sa.String(length=36), nullable=True),
        sa.Column("receiver_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_access_key_account_id")),
        sa.ForeignKeyConstraint(["user_id"], ["iam_user.id"], name=op.f("fk_access_key_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("access_key", name=op.f("pk_access_key")),
    )
    op.create_index(op.f("ix_access_key_receiver_id"), "access_key", ["receiver_id"], unique=False)
    op.create_index(op.f("ix_access_key_source_id"), "access_key", ["source_id"], unique=False)
    op.create_table(
        "source",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("ip", sa.String(length=255), nullable=False),
        sa.Column("ipv6", sa.String(length=255), nullable=False),
        sa.Column("mac", sa.String(length=255), nullable=False),
        sa.Column("os_type", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("migration_cycle", sa.String(length=32), nullable=False),
        sa.Column("migproject_id", sa.String(length=36), nullable=False),
        sa.Column("enterprise_project_id", sa.String(length=255), nullable=False),
        sa.Column("connected", sa.Boolean(), nullable=False),
        sa.Column("last_contact", sa.BigInteger(), nullable=False),
        sa.Column("last_visit_time", sa.BigInteger(), nullable=False),
        sa.Column("add_date", sa.BigInteger(), nullable=False),
        sa.Column("state_action_time", sa.BigInteger(), nullable=False),
        sa.Column("stage_action_time", sa.BigInteger(), nullable=False),
        sa.Column("replicatesize", sa.BigInteger(), nullable=False),
        sa.Column("totalsize", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("checks", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_source_account_id")),
        sa.ForeignKeyConstraint(["migproject_id"], ["migproject.id"], name=op.f("fk_source_migproject_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
    )
    op.create_index(op.f("ix_source_account_id_add_date"), "source", ["account_id", "add_date"], unique=False)
    op.create_index(op.f("ix_source_account_id_mac"), "source", ["account_id", "mac"], unique=False)
    op.create_index(op.f("ix_source_migproject_id"), "source", ["migproject_id"], unique=False)
    op.create_table(
        "task",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("source_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("os_type", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("syncing", sa.Boolean(), nullable=False),
        sa.Column("enterprise_project_id", sa.String(length=255), nullable=False),
        sa.Column("target_vm_id", sa.String(length=255), nullable=False),
        sa.Column("template_id", sa.String(length=255), nullable=False),
        sa.Column("receiver_id", sa.String(length=36), nullable=True),
        sa.Column("create_date", sa.BigInteger(), nullable=False),
        sa.Column("start_date", sa.BigInteger(), nullable=True),
        sa.Column("finish_date", sa.BigInteger(), nullable=True),
        sa.Column("error_code", sa.String(length=64), nullable=False),
        sa.Column("error_params", sa.Text(), nullable=False),
        sa.Column("log_collect_status", sa.String(length=32), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_task_account_id")),
        sa.ForeignKeyConstraint(["receiver_id"], ["receiver.id"], name=op.f("fk_task_receiver_id")),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_task_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.UniqueConstraint("source_id", name=op.f("uq_task_source_id")),
    )
    op.create_index(op.f("ix_task_account_id_create_date"), "task", ["account_id", "create_date"], unique=False)
    op.create_index(op.f("ix_task_receiver_id"), "task", ["receiver_id"], unique=False)
    op.create_index(op.f("ix_task_target_vm_id"), "task", ["target_vm_id"], unique=False)
    op.create_table(
        "checkpoint_half",
        sa.Column("task_id", sa.String(length=36), nullable=False),
        sa.Column("checkpoint", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("side", sa.String(length=16), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_checkpoint_half_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", "checkpoint", "side", name=op.f("pk_checkpoint_half")),
    )
    op.create_table(
        "replication",
        sa.Column("task_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_replication_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_replication")),
    )
    op.create_table(
        "subtask",
        sa.Column("task_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("start_date", sa.BigInteger(), nullable=True),
        sa.Column("end_date", sa.BigInteger(), nullable=True),
        sa.Column("migrate_speed", sa.Float(), nullable=True),
        sa.Column("user_op", sa.String(length=50), nullable=False),
        sa.Column("process_trace", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_subtask_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", "position", name=op.f("pk_subtask")),
    )
    op.create_table(
        "task_certificate",
        sa.Column("task_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("sealed_passphrase", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_task_certificate_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_task_certificate")),
    )

    if op.get_bind().dialect.name == "sqlite":
        for table in _APPEND_ONLY:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in _APPEND_ONLY:
        # Once a statement, so that TRUNCATE is covered, and a statement that would touch no row as well.
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
