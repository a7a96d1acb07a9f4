"""The tables of the ledger.

What is filtered or joined is a column, the rest of a record is a JSON document. Times are epoch milliseconds, ids
UUIDs as text. Everything belongs to an account. `command_result`, `state_change`, `audit` and `rehearsal` are
append-only; triggers hold that against any statement (see `migrations`). They, `proof` and `landing_order` have no
foreign keys: they outlive what they tell of.

A change here needs a migration in `migrations/versions`; a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from wherry.ledger import columns, notification_tables
from wherry.ledger.columns import ID, MS, NAME, SEQUENCE, account_reference
from wherry.ledger.documents import Document, JsonText

REVISION = "0007"
"""The newest script in `migrations/versions`: what a database with this schema is at."""

METADATA = columns.METADATA

APPEND_ONLY = ("command_result", "state_change", "audit", "consistency_result", "rehearsal")

# ---- who may do what

account = Table(
    "account",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("name", NAME, nullable=False, unique=True),
    Column("project_id", ID, nullable=False),
    Column("created_at", MS, nullable=False),
    Column("privacy_agreed_at", MS),
    Column("operator", Boolean, nullable=False),
)

iam_user = Table(
    "iam_user",
    METADATA,
    Column("id", ID, primary_key=True),
    account_reference(),
    Column("name", NAME, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("account_owner", Boolean, nullable=False),
    Column("created_at", MS, nullable=False),
    Column("token_era", MS, nullable=False),
    Column("description", NAME, nullable=False),
    UniqueConstraint("account_id", "name"),
)

user_group = Table(
    "user_group",
    METADATA,
    Column("id", ID, primary_key=True),
    account_reference(),
    Column("name", NAME, nullable=False),
    Column("description", NAME, nullable=False),
    Column("created_at", MS, nullable=False),
    UniqueConstraint("account_id", "name"),
)

group_member = Table(
    "group_member",
    METADATA,
    Column("group_id", ID, ForeignKey("user_group.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ID, ForeignKey("iam_user.id", ondelete="CASCADE"), primary_key=True),
    Index(None, "user_id"),
)

policy = Table(
    "policy",
    METADATA,
    Column("id", ID, primary_key=True),
    account_reference(),
    Column("name", NAME, nullable=False),
    Column("description", NAME, nullable=False),
    Column("document", Document, nullable=False),
    Column("created_at", MS, nullable=False),
    Column("updated_at", MS, nullable=False),
    UniqueConstraint("account_id", "name"),
)

# A policy's id is that of a row above or of a system policy, hence no foreign key.
user_policy = Table(
    "user_policy",
    METADATA,
    Column("user_id", ID, ForeignKey("iam_user.id", ondelete="CASCADE"), primary_key=True),
    Column("policy_id", ID, primary_key=True),
    Index(None, "policy_id"),
)

group_policy = Table(
    "group_policy",
    METADATA,
    Column("group_id", ID, ForeignKey("user_group.id", ondelete="CASCADE"), primary_key=True),
    Column("policy_id", ID, primary_key=True),
    Index(None, "policy_id"),
)

access_key = Table(
    "access_key",
    METADATA,
    Column("access_key", String(64), primary_key=True),
    account_reference(),
    Column("kind", String(16), nullable=False),
    Column("user_id", ID, ForeignKey("iam_user.id", ondelete="CASCADE")),
    Column("name", NAME, nullable=False),
    Column("sealed_secret", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("source_id", ID),
    Column("receiver_id", ID),
    Column("created_at", MS, nullable=False),
    Column("description", NAME, nullable=False),
    Index(None, "user_id"),
    Index(None, "source_id"),
    Index(None, "receiver_id"),
)

token_revocation = Table(
    "token_revocation",
    METADATA,
    Column("revocation_id", String(128), primary_key=True),
    Column("revoked_at", MS, nullable=False),
    Column("expires_at", MS, nullable=False),
)

join_token = Table(
    "join_token",
    METADATA,
    Column("id", ID, primary_key=True),
    account_reference(),
    Column("token_hash", String(128), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("created_at", MS, nullable=False),
    Column("expires_at", MS, nullable=False),
    Column("used_at", MS),
    Column("used_by", NAME),
    Column("access_key", String(64)),
)

# ---- migration projects and templates

migproject = Table(
    "migproject",
    METADATA,
    Column("id", ID, primary_key=True),
    account_reference(),
    Column("name", NAME, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("created_at", MS, nullable=False),
    Column("document", Document, nullable=False),
    UniqueConstraint("account_id", "name"),
)

template = Table(
    "template",
    METADATA,
    Column("id", ID, primary_key=True),
    account_reference(),
    Column("name", NAME, nullable=False),
    Column("availability_zone", NAME, nullable=False),
    Column("region", NAME, nullable=False),
    Column("created_at", MS, nullable=False),
    Column("sealed_password", Text),
    Column("document", Document, nullable=False),
    Index(None, "account_id"),
)

# ---- sources, tasks, commands

source = Table(
    "source",
    METADATA,
    Column("id", ID, primary_key=True),
    account_reference(),
    Column("name", NAME, nullable=False),
    Column("ip", NAME, nullable=False),
    Column("ipv6", NAME, nullable=False),
    Column("mac", NAME, nullable=False),
    Column("os_type", String(32), nullable=False),
    Column("state", String(32), nullable=False),
    Column("migration_cycle", String(32), nullable=False),
    Column("migproject_id", ID, ForeignKey("migproject.id"), nullable=False),
    Column("enterprise_project_id", NAME, nullable=False),
    Column("connected", Boolean, nullable=False),
    Column("last_contact", MS, nullable=False),
    Column("last_visit_time", MS, nullable=False),
    Column("add_date", MS, nullable=False),
    Column("state_action_time", MS, nullable=False),
    Column("stage_action_time", MS, nullable=False),
    Column("replicatesize", BigInteger, nullable=False),
    Column("totalsize", BigInteger, nullable=False),
    Column("document", Document, nullable=False),
    Column("checks", Document, nullable=False),
    Index(None, "account_id", "add_date"),
    Index(None, "account_id", "mac"),
    Index(None, "migproject_id"),
)

receiver = Table(
    "receiver",
    METADATA,
    Column("id", ID, primary_key=True),
    account_reference(),
    Column("name", NAME, nullable=False),
    Column("data_host", NAME, nullable=False),
    Column("data_port", Integer, nullable=False),
    Column("drivers", Document, nullable=False),
    Column("free_bytes", BigInteger, nullable=False),
    Column("version", NAME, nullable=False),
    Column("created_at", MS, nullable=False),
    Column("last_contact", MS, nullable=False),
    Column("assignments_version", BigInteger, nullable=False),
    Column("servers", Document, nullable=False),
    Index(None, "account_id"),
)

task = Table(
    "task",
    METADATA,
    Column("id", ID, primary_key=True),
    account_reference(),
    # Unique: a source has one task at most, whoever races to create the second.
    Column("source_id", ID, ForeignKey("source.id"), nullable=False, unique=True),
    Column("name", NAME, nullable=False),
    Column("type", String(32), nullable=False),
    Column("os_type", String(32), nullable=False),
    Column("state", String(32), nullable=False),
    Column("syncing", Boolean, nullable=False),
    Column("enterprise_project_id", NAME, nullable=False),
    Column("target_vm_id", NAME, nullable=False),
    Column("template_id", NAME, nullable=False),
    Column("receiver_id", ID, ForeignKey("receiver.id")),
    Column("create_date", MS, nullable=False),
    Column("start_date", MS),
    Column("finish_date", MS),
    Column("error_code", String(64), nullable=False),
    Column("error_params", Document, nullable=False),
    Column("log_collect_status", String(32), nullable=False),
    Column("document", Document, nullable=False),
    Column("figures", Document, nullable=False),
    Column("settings", Document, nullable=False),
    Index(None, "account_id", "create_date"),
    Index(None, "receiver_id"),
    Index(None, "target_vm_id"),
)

subtask = Table(
    "subtask",
    METADATA,
    Column("task_id", ID, ForeignKey("task.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("name", String(64), nullable=False),
    Column("progress", Integer, nullable=False),
    Column("start_date", MS),
    Column("end_date", MS),
    Column("migrate_speed", Float),
    Column("user_op", String(50), nullable=False),
    Column("process_trace", Text, nullable=False),
)

_waiting = text("answered_at IS NULL AND withdrawn_at IS NULL")

command = Table(
    "command",
    METADATA,
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    Column("id", ID, nullable=False, unique=True),
    Column("source_id", ID, nullable=False),
    Column("task_id", ID, nullable=False),
    Column("name", NAME, nullable=False),
    Column("bucket", NAME, nullable=False),
    Column("issued_at", MS, nullable=False),
    Column("answered_at", MS),
    Column("withdrawn_at", MS),
    Index("ix_command_waiting", "source_id", "sequence", sqlite_where=_waiting, postgresql_where=_waiting),
)

command_result = Table(
    "command_result",
    METADATA,
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    Column("account_id", ID, nullable=False),
    Column("source_id", ID, nullable=False),
    Column("command_id", ID),
    Column("command_name", NAME, nullable=False),
    Column("result", NAME, nullable=False),
    Column("result_detail", JsonText, nullable=False),
    Column("received_at", MS, nullable=False),
    Column("request_id", String(64), nullable=False),
    Index(None, "source_id", "sequence"),
)

state_change = Table(
    "state_change",
    METADATA,
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    Column("at", MS, nullable=False),
    Column("source_id", ID, nullable=False),
    Column("task_id", ID),
    Column("entity", String(16), nullable=False),
    Column("from_state", String(32), nullable=False),
    Column("to_state", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Index(None, "source_id", "sequence"),
    Index(None, "task_id", "sequence"),
)

audit = Table(
    "audit",
    METADATA,
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    Column("at", MS, nullable=False),
    Column("account_id", ID, nullable=False),
    Column("caller_kind", String(16), nullable=False),
    Column("caller_id", NAME, nullable=False),
    Column("caller_name", NAME, nullable=False),
    Column("access_key", String(64), nullable=False),
    Column("resource_type", String(64), nullable=False),
    Column("event", String(64), nullable=False),
    Column("resource_id", NAME, nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index(None, "account_id", "sequence"),
)

# ---- the data channel and what it proves

task_certificate = Table(
    "task_certificate",
    METADATA,
    Column("task_id", ID, ForeignKey("task.id", ondelete="CASCADE"), primary_key=True),
    Column("created_at", MS, nullable=False),
    Column("sealed_passphrase", Text, nullable=False),
    Column("document", Document, nullable=False),
)

replication = Table(
    "replication",
    METADATA,
    Column("task_id", ID, ForeignKey("task.id", ondelete="CASCADE"), primary_key=True),
    Column("at", MS, nullable=False),
    Column("document", JsonText, nullable=False),
)

replication_sample = Table(
    "replication_sample",
    METADATA,
    Column("task_id", ID, ForeignKey("task.id", ondelete="CASCADE"), primary_key=True),
    Column("at", MS, primary_key=True, autoincrement=False),
    Column("spacing_ms", MS, nullable=False),
    Column("pass_number", Integer, nullable=False),
    Column("wire_bytes", BigInteger, nullable=False),
    Column("changed_bytes", BigInteger, nullable=False),
    Column("remaining_bytes", BigInteger),
)

task_log = Table(
    "task_log",
    METADATA,
    Column("task_id", ID, ForeignKey("task.id", ondelete="CASCADE"), primary_key=True),
    Column("expires_at", MS, nullable=False, index=True),
    Column("content", LargeBinary, nullable=False),
)

checkpoint_half = Table(
    "checkpoint_half",
    METADATA,
    Column("task_id", ID, ForeignKey("task.id", ondelete="CASCADE"), primary_key=True),
    Column("checkpoint", BigInteger, primary_key=True, autoincrement=False),
    Column("side", String(16), primary_key=True),
    Column("received_at", MS, nullable=False),
    Column("document", Document, nullable=False),
)

proof = Table(
    "proof",
    METADATA,
    Column("task_id", ID, primary_key=True),
    Column("checkpoint", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", ID, nullable=False),
    Column("source_id", ID, nullable=False),
    Column("signed_at", MS, nullable=False),
    Column("document", JsonText, nullable=False),
)

consistency_result = Table(
    "consistency_result",
    METADATA,
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    Column("task_id", ID, nullable=False),
    Column("source_id", ID, nullable=False),
    Column("finished_time", MS, nullable=False),
    Column("document", Document, nullable=False),
    Index(None, "task_id", "sequence"),
    Index(None, "source_id"),
)

# ---- what becomes of a landed system

landing = Table(
    "landing",
    METADATA,
    Column("task_id", ID, ForeignKey("task.id", ondelete="CASCADE"), primary_key=True),
    Column("state", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("checkpoint", BigInteger),
    Column("order_id", ID, nullable=False),
    Column("server_id", NAME, nullable=False),
    Column("progress", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("error", Document),
    Column("version", BigInteger, nullable=False),
    Column("changed_at", MS, nullable=False),
)

landing_order = Table(
    "landing_order",
    METADATA,
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    Column("id", ID, nullable=False, unique=True),
    Column("account_id", ID, nullable=False),
    Column("task_id", ID, nullable=False),
    Column("source_id", ID, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("checkpoint", BigInteger),
    Column("stage", String(32), nullable=False),
    Column("progress", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("error", Document),
    Column("request", Document, nullable=False),
    Column("ordered_at", MS, nullable=False),
    Column("changed_at", MS, nullable=False),
    Column("ended_at", MS),
    Index(None, "task_id", "sequence"),
    Index(None, "account_id", "sequence"),
)

rehearsal = Table(
    "rehearsal",
    METADATA,
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    Column("order_id", ID, nullable=False, unique=True),
    Column("account_id", ID, nullable=False),
    Column("task_id", ID, nullable=False),
    Column("source_id", ID, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("finished_at", MS, nullable=False),
    Column("document", Document, nullable=False),
    Index(None, "account_id", "sequence"),
)

rehearsal_record = Table(
    "rehearsal_record",
    METADATA,
    Column("order_id", ID, primary_key=True),
    Column("task_id", ID, ForeignKey("task.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("console", LargeBinary, nullable=False),
    Column("screenshot", LargeBinary, nullable=False),
)

# ---- who is told of what happens

subscription = notification_tables.subscription
delivery = notification_tables.delivery
