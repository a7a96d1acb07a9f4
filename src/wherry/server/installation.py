"""What a data directory holds before the first request: keys, authority, the first account, admin.json.

Everything is made at the first start and kept by later ones. A start that was cut short is completed by the next:
admin.json is written first, and what the ledger misses is made from it.
"""

import datetime as dt
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from wherry import durable
from wherry.contract.installation import AdminFile, read_admin_file
from wherry.contract.projects import SYSTEM_PROJECT
from wherry.iam.certificates import Authority, ProofSigner
from wherry.iam.keys import MasterKey, SecretBox, generate_key_pair
from wherry.iam.passwords import generate_password, hash_password
from wherry.ledger import accounts, credentials, migprojects
from wherry.ledger.ledger import Ledger
from wherry.ledger.transaction import Transaction
from wherry.server.data_directory import DataDirectory
from wherry.server.errors import AdminFileUnreadable

ACCOUNT = "default"
ADMINISTRATOR = "admin"
_RENEW_SERVER = dt.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Keys:
    """What the control plane signs and seals with."""

    master: MasterKey
    authority: Authority
    proofs: ProofSigner


def open_keys(directory: DataDirectory) -> Keys:
    """Return the keys of the directory, made at the first start.

    Raises the WherryErrors of iam where a file holds something else, OSError where one can't be read or written.
    """
    authority = Authority.open(directory.path, "Wherry")
    return Keys(MasterKey.open(directory.master_key), authority, ProofSigner.open(directory.path, authority))


def server_context(directory: DataDirectory, authority: Authority, names: list[str]) -> ssl.SSLContext:
    """Return the TLS context of the HTTPS port, with a certificate for *names* that is valid for a while."""
    if not _still_good(directory, names, authority):
        issued = authority.issue_server(names)
        # A crash between the two leaves a key that does not fit, and the next start makes new ones.
        durable.write_file(directory.server_key, issued.private_key.encode(), mode=0o600)
        durable.write_file(directory.server_certificate, issued.certificate.encode())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(directory.server_certificate, directory.server_key)
    return context


def admin_file(directory: DataDirectory, endpoint: str, *, tls: bool, fresh: bool) -> AdminFile | None:
    """Return admin.json, made when *fresh*, with the endpoint of this start. None: the operator took it away.

    Raises AdminFileUnreadable.
    """
    path = directory.admin_file
    ca_file = str(directory.ca_certificate.resolve()) if tls else ""
    try:
        stored = read_admin_file(path)
    except FileNotFoundError:
        if not fresh:
            return None
        stored = None
    except (OSError, ValueError) as error:
        raise AdminFileUnreadable(path=path, reason=str(error)) from error
    wanted = generate_admin(endpoint, ca_file) if stored is None else _moved(stored, endpoint, ca_file)
    if wanted != stored:
        text = msgspec.json.format(msgspec.json.encode(wanted), indent=2) + b"\n"
        durable.write_file(path, text, mode=0o600)
    return wanted


async def create_account(ledger: Ledger, admin: AdminFile, key_box: SecretBox, *, operator: bool = False) -> None:
    """Make the account, its administrator with his key, and the project where new sources register.

    *operator*: its administrator is the one of the whole control plane. Nothing happens when it's there already:
    another node, with a copy of the same data directory, was faster.
    """
    insert = new_account(
        admin,
        user_id=str(uuid4()),
        password_hash=hash_password(admin.password),
        sealed_secret=key_box.seal(admin.secret_key),
        now=int(time.time() * 1000),
        operator=operator,
    )

    def unit(tx: Transaction) -> None:
        if accounts.find_by_name(tx.connection, admin.domain_name) is None:
            insert(tx)

    await ledger.write(unit)


def new_account(
    admin: AdminFile, *, user_id: str, password_hash: str, sealed_secret: str, now: int, operator: bool = False
) -> Callable[[Transaction], None]:
    """Return the unit that stores what `create_account` makes."""
    account = accounts.AccountRow(admin.domain_id, admin.domain_name, admin.project_id, now, operator=operator)
    user = accounts.UserRow(
        id=user_id,
        account_id=account.id,
        name=admin.user_name,
        password_hash=password_hash,
        enabled=True,
        account_owner=True,
        created_at=now,
    )
    key = credentials.AccessKeyRow(
        access_key=admin.access_key,
        account_id=account.id,
        kind="user",
        user_id=user.id,
        name=admin.user_name,
        sealed_secret=sealed_secret,
        enabled=True,
        source_id=None,
        receiver_id=None,
        created_at=now,
    )
    project = system_project(account.id, now)

    def unit(tx: Transaction) -> None:
        accounts.insert(tx.connection, account)
        accounts.insert_user(tx.connection, user)
        credentials.insert_key(tx.connection, key)
        migprojects.insert(tx.connection, project)

    return unit


def system_project(account_id: str, now: int) -> migprojects.MigprojectRow:
    """Return the migration project that every account has from the start, its default one."""
    return migprojects.MigprojectRow(
        id=str(uuid4()),
        account_id=account_id,
        name=SYSTEM_PROJECT,
        is_default=True,
        created_at=now,
        document={
            "region": "",
            "type": "MIGRATE_BLOCK",
            "start_target_server": True,
            "speed_limit": 0,
            "use_public_ip": True,
            "exist_server": True,
            "enterprise_project": "default",
            "syncing": False,
        },
    )


def generate_admin(
    endpoint: str, ca_file: str, *, account: str = ACCOUNT, user: str = ADMINISTRATOR, password: str = ""
) -> AdminFile:
    """Return the facts of a new account and its administrator; without a *password* one is generated."""
    pair = generate_key_pair()
    return AdminFile(
        endpoint=endpoint,
        ca_file=ca_file,
        domain_id=uuid4().hex,
        domain_name=account,
        project_id=uuid4().hex,
        user_name=user,
        password=password or generate_password(),
        access_key=pair.access_key,
        secret_key=pair.secret_key,
    )


def _moved(stored: AdminFile, endpoint: str, ca_file: str) -> AdminFile:
    return msgspec.structs.replace(stored, endpoint=endpoint, ca_file=ca_file)


def _still_good(directory: DataDirectory, names: list[str], authority: Authority) -> bool:
    """Tell whether the server's certificate is the authority's, covers *names*, fits its key, and stays valid."""
    try:
        certificate = x509.load_pem_x509_certificate(directory.server_certificate.read_bytes())
        key = serialization.load_pem_private_key(directory.server_key.read_bytes(), password=None)
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate_pem.encode()))
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    if key.public_key() != certificate.public_key():
        return False
    covered = {str(name.value) for name in alternatives}
    now = dt.datetime.now(dt.UTC)
    is_time = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - _RENEW_SERVER
    return set(names) <= covered and is_time
