"""The tables of notifications: subscriptions, and deliveries, which are the outbox."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, text

from wherry.ledger.columns import ID, METADATA, MS, NAME, SEQUENCE, account_reference
from wherry.ledger.documents import Document

subscription = Table(
    "subscription",
    METADATA,
    Column("id", ID, primary_key=True),
    account_reference(),
    Column("name", NAME, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("event_types", Document, nullable=False),
    Column("enterprise_project_id", NAME, nullable=False),
    Column("source_id", ID, nullable=False),
    Column("target", Document, nullable=False),
    Column("sealed_secret", Text),
    Column("created_at", MS, nullable=False),
    Column("updated_at", MS, nullable=False),
    Index(None, "account_id"),
)

_undelivered = text("ended_at IS NULL")

delivery = Table(
    "delivery",
    METADATA,
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    Column("id", ID, nullable=False, unique=True),
    Column("account_id", ID, nullable=False),
    Column("subscription_id", ID, ForeignKey("subscription.id", ondelete="CASCADE"), nullable=False),
    Column("event_id", ID, nullable=False),
    Column("event_type", String(64), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("at", MS, nullable=False),
    Column("data", Document, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_due_at", MS, nullable=False),
    Column("due_at", MS, nullable=False),
    Column("claimed_at", MS),
    Column("ended_at", MS, index=True),
    Column("last_error", Document),
    Index(None, "subscription_id", "sequence"),
    Index(
        "ix_delivery_waiting",
        "subscription_id",
        "subject",
        "sequence",
        sqlite_where=_undelivered,
        postgresql_where=_undelivered,
    ),
)
