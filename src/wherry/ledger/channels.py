"""A task's data channel: its certificates, its figures, and the proofs of what came through it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, select

from wherry.ledger import schema

_certificate = schema.task_certificate
_replication = schema.replication
_half = schema.checkpoint_half
_proof = schema.proof


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """The certificates of a task. The private keys in the document are encrypted with the sealed passphrase."""

    task_id: str
    created_at: int
    sealed_passphrase: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ProofRow:
    """A signed proof, as JSON. It outlives its task."""

    task_id: str
    checkpoint: int
    account_id: str
    source_id: str
    signed_at: int
    document: bytes


def certificates_of(connection: Connection, task_id: str) -> CertificateRow | None:
    """Return the certificates of a task, None before they were made."""
    row = connection.execute(select(_certificate).where(_certificate.c.task_id == task_id)).mappings().first()
    return None if row is None else CertificateRow(**row)


def put_certificates(connection: Connection, row: CertificateRow) -> None:
    """Store the certificates of a task; new ones take the place of old ones."""
    values = {name: getattr(row, name) for name in CertificateRow.__slots__ if name != "task_id"}
    _replace(connection, _certificate, {"task_id": row.task_id}, values)


def figures_of(connection: Connection, task_id: str) -> bytes | None:
    """Return the figures of a task's replication as the agent sent them, None before the first ones."""
    return connection.execute(select(_replication.c.document).where(_replication.c.task_id == task_id)).scalar()


def put_figures(connection: Connection, task_id: str, document: bytes, *, at: int) -> None:
    """Replace the figures of a task's replication."""
    _replace(connection, _replication, {"task_id": task_id}, {"at": at, "document": document})


def halves_of(connection: Connection, task_id: str, checkpoint: int) -> Mapping[str, Any]:
    """Return what the two sides say of a checkpoint, by side."""
    query = select(_half.c.side, _half.c.document).where(_half.c.task_id == task_id, _half.c.checkpoint == checkpoint)
    return {row.side: row.document for row in connection.execute(query)}


def put_half(connection: Connection, task_id: str, checkpoint: int, side: str, document: object, *, at: int) -> None:
    """Store what one side says of a checkpoint; the last word counts."""
    key = {"task_id": task_id, "checkpoint": checkpoint, "side": side}
    _replace(connection, _half, key, {"received_at": at, "document": document})


def proof_of(connection: Connection, account_id: str, task_id: str, checkpoint: int | None) -> ProofRow | None:
    """Return the proof of a checkpoint, or the newest one of the task for None."""
    query = select(_proof).where(_proof.c.task_id == task_id, _proof.c.account_id == account_id)
    if checkpoint is not None:
        query = query.where(_proof.c.checkpoint == checkpoint)
    row = connection.execute(query.order_by(_proof.c.checkpoint.desc()).limit(1)).mappings().first()
    return None if row is None else ProofRow(**row)


def insert_proof(connection: Connection, row: ProofRow) -> None:
    """Store a proof. There's one for a checkpoint; it's never replaced."""
    connection.execute(_proof.insert().inline(), {name: getattr(row, name) for name in ProofRow.__slots__})


def _replace(connection: Connection, table: Table, key: Mapping[str, object], values: Mapping[str, object]) -> None:
    """Update the row of *key*, or insert it. No race: there's one writer."""
    conditions = [table.c[name] == value for name, value in key.items()]
    if connection.execute(table.update().where(*conditions).values(values)).rowcount == 0:
        connection.execute(table.insert().inline(), {**key, **values})
