"""Temporary access keys, as IAM hands them out: POST /v3.0/OS-CREDENTIAL/securitytokens. Times as ISO 8601 in UTC."""

from typing import Annotated, Any

from msgspec import Meta

from wherry.contract.values import Text, Wire


class TokenProof(Wire, frozen=True, kw_only=True):
    """The method "token": the token, unless it comes in X-Auth-Token, and how many seconds the key shall last."""

    id: Annotated[str, Meta(min_length=1, max_length=16384)] | None = None
    duration_seconds: Annotated[int, Meta(ge=900, le=86400)] = 900


class TemporaryIdentity(Wire, frozen=True, kw_only=True):
    """How the caller proves who he is."""

    methods: Annotated[list[Text], Meta(max_length=16)]
    token: TokenProof | None = None
    policy: dict[str, Any] | None = None


class TemporaryAuth(Wire, frozen=True, kw_only=True):
    """The request inside its envelope."""

    identity: TemporaryIdentity


class TemporaryKeyRequest(Wire, frozen=True, kw_only=True):
    """Body of POST /v3.0/OS-CREDENTIAL/securitytokens."""

    auth: TemporaryAuth


class Credential(Wire, frozen=True, kw_only=True):
    """A temporary key; requests signed with it carry `securitytoken` in X-Security-Token."""

    access: str
    secret: str
    securitytoken: str
    expires_at: str


class TemporaryKeyAnswer(Wire, frozen=True, kw_only=True):
    """Answer of POST /v3.0/OS-CREDENTIAL/securitytokens."""

    credential: Credential
