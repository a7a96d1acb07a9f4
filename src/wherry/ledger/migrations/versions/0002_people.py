"""Groups, policies of their own, the operator's account, and the servers that receivers announce.

Until here a user carried his policies in a column. System policies among them become attachments; a custom one becomes
a policy of the account that is attached to the user.
"""

import json
import time
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SYSTEM_POLICIES = {
    "administrator": "administrator",
    "SMS FullAccess": "sms-full-access",
    "SMS ReadOnlyAccess": "sms-read-only-access",
    "SMSFullAccessPolicy": "sms-full-access-policy",
    "SMSReadOnlyPolicy": "sms-read-only-policy",
}
_ID = sa.String(length=36)
_NAME = sa.String(length=255)


def upgrade() -> None:
    """Make the tables, move what users carried into them, and name the oldest account the operator's."""
    _make_tables()
    op.add_column("account", sa.Column("operator", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("iam_user", sa.Column("description", _NAME, nullable=False, server_default=""))
    op.add_column("access_key", sa.Column("description", _NAME, nullable=False, server_default=""))
    op.add_column("receiver", sa.Column("servers", sa.Text(), nullable=False, server_default="[]"))
    op.create_index(op.f("ix_access_key_user_id"), "access_key", ["user_id"], unique=False)
    op.execute("UPDATE account SET operator = TRUE WHERE id = (SELECT id FROM account ORDER BY created_at, id LIMIT 1)")
    _move_policies()
    op.drop_column("iam_user", "policies")


def _make_tables() -> None:
    op.create_table(
        "user_group",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("description", _NAME, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_user_group_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_group")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_user_group_account_id_name")),
    )
    op.create_table(
        "group_member",
        sa.Column("group_id", _ID, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["user_group.id"], name=op.f("fk_group_member_group_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["iam_user.id"], name=op.f("fk_group_member_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("group_id", "user_id", name=op.f("pk_group_member")),
    )
    op.create_index(op.f("ix_group_member_user_id"), "group_member", ["user_id"], unique=False)
    op.create_table(
        "policy",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("description", _NAME, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_policy_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_policy_account_id_name")),
    )
    for table, owner, owners in (("user_policy", "user_id", "iam_user"), ("group_policy", "group_id", "user_group")):
        op.create_table(
            table,
            sa.Column(owner, _ID, nullable=False),
            sa.Column("policy_id", _ID, nullable=False),
            sa.ForeignKeyConstraint([owner], [f"{owners}.id"], name=op.f(f"fk_{table}_{owner}"), ondelete="CASCADE"),
            sa.PrimaryKeyConstraint(owner, "policy_id", name=op.f(f"pk_{table}")),
        )
        op.create_index(op.f(f"ix_{table}_policy_id"), table, ["policy_id"], unique=False)


def _move_policies() -> None:
    connection = op.get_bind()
    now = int(time.time() * 1000)
    users = connection.execute(sa.text("SELECT id, account_id, name, policies FROM iam_user")).all()
    for user in users:
        for name, document in json.loads(user.policies).items():
            policy_id = _SYSTEM_POLICIES[name] if document is None else str(uuid4())
            if document is not None:
                connection.execute(
                    sa.text(
                        "INSERT INTO policy (id, account_id, name, description, document, created_at, updated_at) "
                        "VALUES (:id, :account, :name, '', :document, :now, :now)"
                    ),
                    {
                        "id": policy_id,
                        "account": user.account_id,
                        "name": f"{name} ({user.name})"[:255],
                        "document": json.dumps(document, ensure_ascii=False, separators=(",", ":")),
                        "now": now,
                    },
                )
            connection.execute(
                sa.text("INSERT INTO user_policy (user_id, policy_id) VALUES (:user, :policy)"),
                {"user": user.id, "policy": policy_id},
            )
