"""Signing in by name and password, to get an access key of one's own: passwords aren't kept, keys are."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from wherry.client.calling import decode
from wherry.client.resources.access import AccessOperations
from wherry.client.retrying import RetryPolicy
from wherry.client.transport import Call, Token, Transport
from wherry.contract import iam
from wherry.contract.accounts import AccessKeyCreated


@dataclass(frozen=True, slots=True)
class SignIn:
    """Who signs in: his name, the account (domain) that he belongs to, his password."""

    user: str
    account: str
    password: str

    def __repr__(self) -> str:
        return f"SignIn(user={self.user!r}, account={self.account!r})"

    def request(self) -> iam.TokenRequest:
        """Return the body of CreateToken."""
        domain = iam.NamedReference(name=self.account)
        user = iam.PasswordUser(name=self.user, domain=domain, password=self.password)
        identity = iam.Identity(methods=["password"], password=iam.PasswordMethod(user=user))
        return iam.TokenRequest(auth=iam.Auth(identity=identity))


def make_own_key(
    endpoint: str, ca_file: Path | None, who: SignIn, description: str, policy: RetryPolicy
) -> AccessKeyCreated:
    """Sign in, and make an access key for oneself. Raises what every call raises."""
    stranger = Transport(endpoint, None, ca_file, policy)
    try:
        body = msgspec.json.encode(who.request())
        answer = stranger.exchange(Call(method="POST", path="/v3/auth/tokens", body=body, repeatable=False))
    finally:
        stranger.close()
    token = answer.headers.get("x-subject-token", "")
    user_id = decode("CreateToken", answer.content, iam.TokenAnswer).token.user.id
    himself = Transport(endpoint, Token(token), ca_file, policy)
    try:
        return AccessOperations(himself).create_access_key(user_id, description)
    finally:
        himself.close()
