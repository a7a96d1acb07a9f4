"""Join tokens, and the joining of agents and receivers: a one-time token becomes a key with narrow rights."""

from uuid import uuid4

from wherry.contract.enumerations import JoinRole
from wherry.contract.errors import ApiError
from wherry.contract.wherry import (
    Joined,
    JoinRequest,
    JoinToken,
    JoinTokenList,
    JoinTokenRequest,
    JoinTokensQuery,
    JoinTokenSummary,
)
from wherry.iam.join import StoredJoinToken, check_join_token, create_join_token, hash_join_token
from wherry.iam.keys import KeyPair, generate_key_pair
from wherry.iam.permissions import Resource
from wherry.iam.refusals import AuthenticationFailed
from wherry.ledger import accounts, credentials, receivers
from wherry.ledger.accounts import AccountRow
from wherry.ledger.audit import Entry
from wherry.ledger.credentials import AccessKeyRow, JoinTokenRow
from wherry.ledger.receivers import ReceiverRow
from wherry.ledger.transaction import Transaction
from wherry.server.access import allow
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call

_DEFAULT_LIMIT = 100


async def create_token(call: Call) -> Answer:
    """Return a new join token. It's shown this once; the ledger keeps its hash."""
    allow(call)
    request = call.decode(JoinTokenRequest)
    try:
        made = create_join_token(request.role, now_ms=call.at, expires_s=request.expires_s)
    except ValueError as error:
        raise ApiError("SMS.9001", str(error), params=("expires_s",)) from None
    row = JoinTokenRow(made.id, call.account_id, made.token_hash, made.role, call.at, made.expires_at)

    def unit(tx: Transaction) -> None:
        credentials.insert_join_token(tx.connection, row)
        call.record(tx, made.id, made.role)

    await call.services.ledger.write(unit)
    answer = JoinToken(id=made.id, token=made.token, role=made.role, expires_at=made.expires_at)
    return json_answer(answer)


async def list_tokens(call: Call) -> Answer:
    """Return the account's join tokens, the newest first: what became of each, never the token itself."""
    allow(call)
    query = call.query(JoinTokensQuery)
    count, rows = await call.services.ledger.read(
        lambda connection: credentials.join_tokens(
            connection,
            call.account_id,
            usable_at=call.at if query.usable else None,
            limit=query.limit or _DEFAULT_LIMIT,
            offset=query.offset or 0,
        )
    )
    shown = [
        JoinTokenSummary(
            id=row.id,
            role=JoinRole(row.role),
            created_at=row.created_at,
            expires_at=row.expires_at,
            used_at=row.used_at,
            used_by=row.used_by,
            access_key=row.access_key,
        )
        for row in rows
    ]
    return json_answer(JoinTokenList(count=count, join_tokens=shown))


async def delete_token(call: Call) -> Answer:
    """Remove a join token that nobody has used: nobody can any more."""
    token_id = call.parameters["join_token_id"]

    def unit(tx: Transaction) -> None:
        row = credentials.join_token_of(tx.connection, call.account_id, token_id)
        if row is None:
            raise ApiError("WHERRY.5515")
        allow(call, Resource(row.id))
        if row.used_at is not None:
            raise ApiError("WHERRY.5516", row.used_by or "")
        credentials.delete_join_token(tx.connection, row.id)
        call.record(tx, row.id, row.role)

    await call.services.ledger.write(unit)
    return EMPTY


async def join(call: Call) -> Answer:
    """Take a join token and return a key for an agent or a receiver. The token is the proof, and works once."""
    request = call.decode(JoinRequest)
    pair = generate_key_pair()
    receiver_id = str(uuid4())

    def unit(tx: Transaction) -> tuple[str, AccountRow]:
        token, account = _find(tx, request.token, call.at)
        is_receiver = token.role == JoinRole.RECEIVER
        if is_receiver:
            receivers.insert(tx.connection, _new_receiver(receiver_id, account.id, request.name, call.at))
        key = _new_key(call, pair, token, request.name, receiver_id if is_receiver else None)
        credentials.insert_key(tx.connection, key)
        credentials.use_join_token(tx.connection, token.id, name=request.name, access_key=pair.access_key, at=call.at)
        tx.record(_entry(call, key, token))
        return token.role, account

    role, account = await call.services.ledger.write(unit)
    answer = Joined(
        role=JoinRole(role),
        access_key=pair.access_key,
        secret_key=pair.secret_key,
        domain_id=account.id,
        project_id=account.project_id,
        receiver_id=receiver_id if role == JoinRole.RECEIVER else "",
        ca=call.services.authority.certificate_pem if call.services.tls else "",
    )
    return json_answer(answer)


def _find(tx: Transaction, token: str, now: int) -> tuple[JoinTokenRow, AccountRow]:
    """Return the stored token and its account. Raises ApiError WHERRY.5504 when it can't be used."""
    row = credentials.find_join_token(tx.connection, hash_join_token(token))
    account = None if row is None else accounts.find(tx.connection, row.account_id)
    stored = None
    if row is not None and account is not None:
        stored = StoredJoinToken(
            id=row.id,
            token_hash=row.token_hash,
            role=JoinRole(row.role),
            domain_id=account.id,
            project_id=account.project_id,
            expires_at=row.expires_at,
            used_at=row.used_at,
        )
    try:
        check_join_token(token, stored, now_ms=now)
    except AuthenticationFailed as error:
        raise ApiError("WHERRY.5504", error.reason) from None
    if row is None or account is None:  # refused above; this tells the type checker
        raise ApiError("WHERRY.5504")
    return row, account


def _new_receiver(receiver_id: str, account_id: str, name: str, now: int) -> ReceiverRow:
    return ReceiverRow(
        id=receiver_id,
        account_id=account_id,
        name=name,
        data_host="",
        data_port=0,
        drivers=(),
        free_bytes=0,
        version="",
        created_at=now,
        last_contact=0,
        assignments_version=1,
    )


def _new_key(call: Call, pair: KeyPair, token: JoinTokenRow, name: str, receiver_id: str | None) -> AccessKeyRow:
    return AccessKeyRow(
        access_key=pair.access_key,
        account_id=token.account_id,
        kind=token.role,
        user_id=None,
        name=name,
        sealed_secret=call.services.key_box.seal(pair.secret_key),
        enabled=True,
        source_id=None,
        receiver_id=receiver_id,
        created_at=call.at,
    )


def _entry(call: Call, key: AccessKeyRow, token: JoinTokenRow) -> Entry:
    return Entry(
        at=call.at,
        account_id=key.account_id,
        caller_kind=key.kind,
        caller_id=key.receiver_id or key.access_key,
        caller_name=key.name,
        access_key=key.access_key,
        resource_type="joinToken",
        event="join",
        resource_id=token.id,
        request_id=call.request_id,
        detail=key.kind,
    )
