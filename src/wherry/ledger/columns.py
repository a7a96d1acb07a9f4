"""What the tables of the ledger are made of: their metadata, and the types of columns that many have."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, String

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

ID = String(36)
NAME = String(255)
MS = BigInteger
SEQUENCE = BigInteger().with_variant(Integer, "sqlite")
"""A key that counts up by itself: SQLite does that for INTEGER alone."""


def account_reference() -> Column[str]:
    """Return the column that says to which account a row belongs."""
    return Column("account_id", ID, ForeignKey("account.id"), nullable=False)
