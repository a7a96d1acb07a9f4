"""What iam needs of storage: accounts, users, keys and revoked tokens, behind one Protocol.

The server implements `Directory` over the ledger; tests implement it over dictionaries. Where users and tokens are an
OpenStack Keystone's (`wherry.iam.keystone_tokens`), access keys still live here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from wherry.iam.policies import Policy
from wherry.iam.principals import Principal


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A stored access key: whom it stands for, and its secret as `wherry.iam.keys.SecretBox` sealed it."""

    access_key: str
    sealed_secret: str
    principal: Principal
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class User:
    """A stored user of an account. `password_hash` is empty for one who has no password.

    `policies` holds those of his groups too. Only tokens of `token_era` count: it changes with his password, keys and
    permissions.
    """

    id: str
    name: str
    domain_id: str
    domain_name: str
    password_hash: str
    enabled: bool = True
    account_owner: bool = False
    operator: bool = False
    policies: tuple[Policy, ...] = ()
    token_era: int = 0


@dataclass(frozen=True, slots=True)
class Project:
    """A project of an account. Any region name a client asks for must resolve to one."""

    id: str
    name: str
    domain_id: str


@dataclass(frozen=True, slots=True)
class UserName:
    """How a password login names its user: by id, or by name within an account (id or name)."""

    id: str = ""
    name: str = ""
    domain_id: str = ""
    domain_name: str = ""


class Directory(Protocol):
    """The look-ups of authentication. Each returns None where there's no such thing and raises nothing for that."""

    async def access_key(self, access_key: str) -> AccessKey | None:
        """Return the key of this id, enabled or not."""

    async def user(self, name: UserName) -> User | None:
        """Return the user, enabled or not."""

    async def project(self, domain_id: str, *, project_id: str = "", name: str = "") -> Project | None:
        """Return a project of the account by id or by name; a region's name that's new may resolve to a project too."""

    async def projects(self, domain_id: str) -> Sequence[Project]:
        """Return all projects of the account."""

    async def token_revoked(self, revocation_id: str) -> bool:
        """Tell whether a token that is otherwise valid was revoked by itself."""
