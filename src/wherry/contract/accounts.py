"""Wherry's own API for accounts, their users, access keys, groups and policies. Times in epoch milliseconds."""

from typing import Annotated, Any

from msgspec import Meta

from wherry.contract.values import Limit200, Offset, Text, Wire

MAX_KEYS = 10
"""Access keys of one user at most."""

MAX_POLICIES = 200
"""Policies of its own that an account may have."""

Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[^\u0000-\u0020\u007f/:]([^\u0000-\u001f\u007f/:]*[^\u0000-\u0020\u007f/:])?$(?!\n)",
        description="No control characters, no slash or colon, and no space at either end.",
    ),
]
Password = Annotated[str, Meta(min_length=8, max_length=128)]


class PageQuery(Wire, frozen=True, kw_only=True):
    """Query of the lists: an exact name, and a page. `limit` 0 means 100."""

    name: Text | None = None
    limit: Limit200 | None = None
    offset: Offset | None = None


class Reference(Wire, frozen=True, kw_only=True):
    """Something by its id, with its name."""

    id: str
    name: str


class AccountCreation(Wire, frozen=True, kw_only=True):
    """Body of POST /wherry/v1/accounts. Without a password the administrator gets one that is shown once."""

    name: Name
    administrator: Name = "admin"
    password: Password | None = None


class AccountCreated(Wire, frozen=True, kw_only=True):
    """Answer of POST /wherry/v1/accounts: how the new administrator gets in. The secrets are shown this once."""

    id: str
    name: str
    project_id: str
    created_at: int
    user_id: str
    user_name: str
    access_key: str
    secret_key: str
    password: str | None = None


class Account(Wire, frozen=True, kw_only=True):
    """An account. `operator`: its administrator runs the control plane and may make accounts."""

    id: str
    name: str
    project_id: str
    operator: bool
    created_at: int
    administrator: Reference | None = None


class AccountList(Wire, frozen=True, kw_only=True):
    """Answer of GET /wherry/v1/accounts, oldest first."""

    count: int
    accounts: list[Account]


class UserCreation(Wire, frozen=True, kw_only=True):
    """Body of POST /wherry/v1/users. A user without a password works with access keys only."""

    name: Name
    password: Password | None = None
    enabled: bool = True
    description: Text = ""


class UserUpdate(Wire, frozen=True, kw_only=True):
    """Body of PUT /wherry/v1/users/{user_id}. What isn't sent stays."""

    name: Name | None = None
    password: Password | None = None
    enabled: bool | None = None
    description: Text | None = None


class PasswordChange(Wire, frozen=True, kw_only=True):
    """Body of POST /wherry/v1/users/{user_id}/password: a user changes his own."""

    original_password: Annotated[str, Meta(min_length=1, max_length=1024)]
    password: Password


class User(Wire, frozen=True, kw_only=True):
    """A user. `account_owner`: the account's administrator, who may do everything in it."""

    id: str
    name: str
    enabled: bool
    account_owner: bool
    has_password: bool
    description: str
    created_at: int


class UserList(Wire, frozen=True, kw_only=True):
    """Answer of GET /wherry/v1/users, by name."""

    count: int
    users: list[User]


class UserDetail(User, frozen=True, kw_only=True):
    """Answer of GET /wherry/v1/users/{user_id}. `policies` are those attached to the user himself."""

    groups: list[Reference]
    policies: list[Reference]


class AccessKeyCreation(Wire, frozen=True, kw_only=True):
    """Body of POST /wherry/v1/users/{user_id}/access-keys."""

    description: Text = ""


class AccessKey(Wire, frozen=True, kw_only=True):
    """An access key of a user, without its secret."""

    access_key: str
    user_id: str
    enabled: bool
    description: str
    created_at: int


class AccessKeyCreated(AccessKey, frozen=True, kw_only=True):
    """Answer of POST /wherry/v1/users/{user_id}/access-keys. The secret is shown this once."""

    secret_key: str


class AccessKeyUpdate(Wire, frozen=True, kw_only=True):
    """Body of PUT /wherry/v1/users/{user_id}/access-keys/{access_key}. What isn't sent stays."""

    enabled: bool | None = None
    description: Text | None = None


class AccessKeyList(Wire, frozen=True, kw_only=True):
    """Answer of GET /wherry/v1/users/{user_id}/access-keys, oldest first."""

    count: int
    access_keys: list[AccessKey]


class GroupCreation(Wire, frozen=True, kw_only=True):
    """Body of POST /wherry/v1/groups."""

    name: Name
    description: Text = ""


class Group(Wire, frozen=True, kw_only=True):
    """A group of users."""

    id: str
    name: str
    description: str
    created_at: int


class GroupList(Wire, frozen=True, kw_only=True):
    """Answer of GET /wherry/v1/groups, by name."""

    count: int
    groups: list[Group]


class GroupDetail(Group, frozen=True, kw_only=True):
    """Answer of GET /wherry/v1/groups/{group_id}."""

    members: list[Reference]
    policies: list[Reference]


class PolicyCreation(Wire, frozen=True, kw_only=True):
    """Body of POST /wherry/v1/policies. The document is of version 1.1 or 5.0."""

    name: Name
    document: dict[str, Any]
    description: Text = ""


class PolicyUpdate(Wire, frozen=True, kw_only=True):
    """Body of PUT /wherry/v1/policies/{policy_id}. What isn't sent stays."""

    name: Name | None = None
    document: dict[str, Any] | None = None
    description: Text | None = None


class Policy(Wire, frozen=True, kw_only=True):
    """A policy. `type` is "system" or "custom"; system policies have no dates and can't be changed."""

    id: str
    name: str
    type: str
    description: str
    document: dict[str, Any]
    created_at: int | None = None
    updated_at: int | None = None


class PolicyList(Wire, frozen=True, kw_only=True):
    """Answer of GET /wherry/v1/policies: the system policies, then the account's own by name."""

    count: int
    policies: list[Policy]


class EncodedMessage(Wire, frozen=True, kw_only=True):
    """Body of POST /wherry/v1/decode-authorization-message: `encoded_authorization_message` of a 403."""

    encoded_message: Annotated[str, Meta(min_length=1, max_length=65535)]


class DecodedMessage(Wire, frozen=True, kw_only=True):
    """Answer of POST /wherry/v1/decode-authorization-message: a text that holds JSON."""

    decoded_message: str
