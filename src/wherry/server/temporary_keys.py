"""Temporary access keys, got by a token: POST /v3.0/OS-CREDENTIAL/securitytokens."""

from wherry.contract.errors import ApiError
from wherry.contract.temporary_keys import Credential, TemporaryKeyAnswer, TemporaryKeyRequest, TokenProof
from wherry.iam.directory import UserName
from wherry.iam.keystone import keystone_time
from wherry.iam.principals import Principal
from wherry.iam.refusals import AuthenticationFailed
from wherry.ledger.audit import Entry
from wherry.ledger.transaction import Transaction
from wherry.server.answers import Answer, json_answer
from wherry.server.call import Call


async def create_temporary_key(call: Call) -> Answer:
    """Return a temporary access key with its security token. It never outlives the token that it's got by.

    The token comes in the body, as the vendor's SDK sends it, or in X-Auth-Token.
    """
    identity = call.decode(TemporaryKeyRequest).auth.identity
    if identity.methods != ["token"]:
        raise ApiError("SMS.9001", 'auth.identity.methods must be ["token"]', params=("auth.identity.methods",))
    if identity.policy is not None:
        raise ApiError("WHERRY.5814", params=("auth.identity.policy",))
    proof = identity.token or TokenProof()
    who, claims = await call.services.authenticator.by_token(proof.id or _header(call))
    if await call.services.directory.user(UserName(id=who.user_id)) is None:
        raise ApiError("WHERRY.5815")
    key = call.services.temporary.issue(
        user_id=who.user_id,
        domain_id=who.domain_id,
        token_id=claims.revocation_id,
        era=claims.era,
        now_ms=call.at,
        duration_s=proof.duration_seconds,
        latest_ms=claims.expires_at_ms,
    )
    await call.services.ledger.write(lambda tx: _note(tx, call, who, key.access_key))
    credential = Credential(
        access=key.access_key,
        secret=key.secret_key,
        securitytoken=key.security_token,
        expires_at=keystone_time(key.expires_at_ms),
    )
    headers = {"X-IAM-Trace-Id": call.request_id}
    return json_answer(TemporaryKeyAnswer(credential=credential), status=201, headers=headers)


def _header(call: Call) -> str:
    for name, value in call.headers:
        if name == b"x-auth-token":
            return value.decode("latin-1").strip()
    raise AuthenticationFailed("there is a token neither in the body nor in X-Auth-Token")


def _note(tx: Transaction, call: Call, who: Principal, access_key: str) -> None:
    tx.record(
        Entry(
            at=call.at,
            account_id=who.domain_id,
            caller_kind=who.kind,
            caller_id=who.user_id,
            caller_name=who.user_name,
            access_key="",
            resource_type="temporaryKey",
            event="createTemporaryKey",
            resource_id=access_key,
            request_id=call.request_id,
        )
    )
