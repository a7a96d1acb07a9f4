"""A task's certificates: made when somebody first asks for them, in a thread, because encrypting keys takes a while."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wherry.iam.certificates import TASK_DAYS, TaskCertificates
from wherry.ledger import channels
from wherry.ledger.channels import CertificateRow
from wherry.ledger.tasks import TaskRow
from wherry.ledger.transaction import Transaction
from wherry.server.services import Services

_DAY_MS = 24 * 3600 * 1000
_RENEW_BEFORE_MS = 7 * _DAY_MS


@dataclass(frozen=True, slots=True)
class ChannelSecrets:
    """The certificates of both ends as PEM, their private keys encrypted with the passphrase."""

    source_certificate: str
    source_key: str
    target_certificate: str
    target_key: str
    passphrase: str
    server_name: str


async def channel_secrets(services: Services, task: TaskRow) -> ChannelSecrets:
    """Return the certificates of *task*, new ones when it has none or their time is over soon, or hasn't come yet."""
    row = await services.ledger.read(lambda connection: channels.certificates_of(connection, task.id))
    if row is None or _out_of_date(row, services.clock()):
        made = await asyncio.to_thread(services.authority.issue_task, task.id)
        row = await services.ledger.write(_keep(services, task, made))
    return _opened(services, row)


def _keep(services: Services, task: TaskRow, made: TaskCertificates) -> Callable[[Transaction], CertificateRow]:
    now = services.clock()
    new = CertificateRow(task.id, now, services.secret_box.seal(made.passphrase), _document(made))

    def unit(tx: Transaction) -> CertificateRow:
        # Somebody else may have made them in the meantime; everybody gets the same.
        stored = channels.certificates_of(tx.connection, task.id)
        if stored is not None and not _out_of_date(stored, now):
            return stored
        channels.put_certificates(tx.connection, new)
        if stored is not None and task.receiver_id is not None:
            tx.assignments_changed(task.receiver_id)
        return new

    return unit


def _document(made: TaskCertificates) -> Mapping[str, Any]:
    return {
        "source_certificate": made.source.certificate,
        "source_key": made.source.private_key,
        "target_certificate": made.target.certificate,
        "target_key": made.target.private_key,
        "server_name": made.server_name,
        "expires_at": made.expires_at_ms,
    }


def _opened(services: Services, row: CertificateRow) -> ChannelSecrets:
    document = row.document
    return ChannelSecrets(
        source_certificate=document["source_certificate"],
        source_key=document["source_key"],
        target_certificate=document["target_certificate"],
        target_key=document["target_key"],
        passphrase=services.secret_box.open(row.sealed_passphrase),
        server_name=document["server_name"],
    )


def _out_of_date(row: CertificateRow, now: int) -> bool:
    """Tell whether certificates are to be renewed: they expire soon, or were made while the clock was ahead."""
    left: int = row.document["expires_at"] - now
    return not _RENEW_BEFORE_MS <= left <= TASK_DAYS * _DAY_MS
