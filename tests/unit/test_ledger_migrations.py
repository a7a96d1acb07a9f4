"""Databases of older versions come along with everything that is in them."""

import asyncio
import json
import sqlite3
from pathlib import Path

from alembic import command
from sqlalchemy import Connection

from wherry.ledger import accounts, credentials, migrate, policies, receivers, sqlite
from wherry.ledger.ledger import open_ledger

NO_DELETING = {"Version": "1.1", "Statement": [{"Effect": "Deny", "Action": ["sms:server:delete*"]}]}
FIRST_ROWS = (
    "INSERT INTO account (id, name, project_id, created_at) VALUES ('a2', 'later', 'p', 20), ('a1', 'first', 'q', 10)",
    (
        "INSERT INTO iam_user (id, account_id, name, password_hash, enabled, account_owner, policies, created_at, "
        "tokens_void_before) VALUES ('u0', 'a1', 'admin', 'h', 1, 1, '{}', 10, 0)"
    ),
    (
        "INSERT INTO access_key (access_key, account_id, kind, user_id, name, sealed_secret, enabled, created_at) "
        "VALUES ('AK1', 'a1', 'user', 'u1', 'rita', 's', 1, 11)"
    ),
    (
        "INSERT INTO receiver (id, account_id, name, data_host, data_port, drivers, free_bytes, version, created_at, "
        "last_contact, assignments_version) VALUES ('r1', 'a1', 'hall', 'h', 1, '[]', 0, '', 1, 1, 1)"
    ),
)


def first_schema(path: Path) -> None:
    """Make a database of the first schema, with users who carry policies."""
    engine = sqlite.open_engine(path)
    config = migrate.configuration()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        connection.exec_driver_sql("SELECT 1")  # from here on SQLAlchemy, too, sees a transaction
        command.upgrade(config, "0001")
    engine.dispose()
    database = sqlite3.connect(path)
    for user, name, carried in (
        ("u1", "rita", {"SMS ReadOnlyAccess": None}),
        ("u2", "olga", {"SMS FullAccess": None, "no deleting": NO_DELETING}),
        ("u3", "otto", {"no deleting": NO_DELETING}),
    ):
        database.execute(
            "INSERT INTO iam_user (id, account_id, name, password_hash, enabled, account_owner, policies, created_at, "
            "tokens_void_before) VALUES (?, 'a1', ?, 'h', 1, 0, ?, 11, 0)",
            (user, name, json.dumps(carried)),
        )
    for statement in FIRST_ROWS:
        database.execute(statement)
    database.commit()
    database.close()


def test_policies_that_users_carried_become_attachments(tmp_path: Path) -> None:
    def look(connection: Connection) -> None:
        assert list(policies.effective(connection, "u1")) == ["sms-read-only-access"]
        carried = dict(policies.effective(connection, "u2"))
        assert carried.pop("sms-full-access") is None
        (own,) = carried.values()
        assert own is not None
        assert own.document == NO_DELETING
        assert {row.name for row in policies.every(connection, "a1")} == {"no deleting (olga)", "no deleting (otto)"}
        assert policies.effective(connection, "u0") == {}
        assert {row.id: row.operator for row in accounts.every(connection)} == {"a1": True, "a2": False}
        assert [row.access_key for row in credentials.keys_of_user(connection, "u1")] == ["AK1"]
        assert receivers.every(connection, "a1")[0].servers == []

    async def check() -> None:
        ledger = open_ledger(tmp_path / "ledger")
        try:
            await ledger.read(look)
        finally:
            await ledger.close()

    first_schema(tmp_path / "ledger")
    asyncio.run(check())
