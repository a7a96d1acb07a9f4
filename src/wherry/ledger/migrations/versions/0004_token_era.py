"""Tokens say which change of their user they came after, instead of being compared with its date."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rename the column. Its moments are numbers that were never used before, and nothing else is asked of an era."""
    op.execute("ALTER TABLE iam_user RENAME COLUMN tokens_void_before TO token_era")
