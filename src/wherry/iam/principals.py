"""Who is calling: the principal that authentication finds and every handler receives."""

from dataclasses import dataclass
from enum import StrEnum

from wherry.iam.policies import Policy


class Kind(StrEnum):
    """The three sorts of callers."""

    USER = "user"
    AGENT = "agent"
    RECEIVER = "receiver"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller.

    Attributes:
        kind: user, agent or receiver; decides which rules of `wherry.iam.permissions` apply.
        domain_id: the account; everything the caller sees belongs to it. Taken from the key or token, never from a
            header of the request.
        domain_name: its name.
        user_id: the user, or the agent's or receiver's own identity.
        user_name: the user's name, or the name under which the agent or receiver joined.
        project_id: a hint for answers; SMS is a global service, so it restricts nothing.
        account_owner: the account itself, which may do everything in it.
        operator: the account owner of the account that runs the control plane, who may make further accounts.
        policies: what a user who isn't the account may do.
        source_id: the source an agent's key is bound to; empty until its first RegisterServer.
        receiver_id: the record of a receiver's key.
        access_key: the id of the key that signed, a temporary one too; empty when a token was shown.
        token_id: the revocation id of the token; empty when a key signed.
    """

    kind: Kind
    domain_id: str
    domain_name: str
    user_id: str
    user_name: str
    project_id: str = ""
    account_owner: bool = False
    operator: bool = False
    policies: tuple[Policy, ...] = ()
    source_id: str = ""
    receiver_id: str = ""
    access_key: str = ""
    token_id: str = ""
