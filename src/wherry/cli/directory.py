"""What the words of a command line mean among users, groups and policies."""

from collections.abc import Sequence
from typing import Final

from wherry.cli.choosing import chosen, the_one
from wherry.cli.paging import every
from wherry.client.control_plane import ControlPlane
from wherry.contract.accounts import AccessKey, Group, Policy, User

_PAGE: Final = 200


def find_users(plane: ControlPlane, words: Sequence[str] = ()) -> list[User]:
    """Return the users that are meant by ids, names or patterns; all without a word."""
    found = every(lambda at: plane.list_users(limit=_PAGE, offset=at).users, _PAGE)
    return chosen(words, found, lambda user: (user.id, user.name), kind="user")


def find_user(plane: ControlPlane, word: str) -> User:
    """Return the user of this id or name."""
    return the_one(word, find_users(plane), lambda user: (user.id, user.name), kind="user")


def find_groups(plane: ControlPlane, words: Sequence[str] = ()) -> list[Group]:
    """Return the groups that are meant."""
    found = every(lambda at: plane.list_groups(limit=_PAGE, offset=at).groups, _PAGE)
    return chosen(words, found, lambda group: (group.id, group.name), kind="group")


def find_group(plane: ControlPlane, word: str) -> Group:
    """Return the group of this id or name."""
    return the_one(word, find_groups(plane), lambda group: (group.id, group.name), kind="group")


def find_policies(plane: ControlPlane, words: Sequence[str] = ()) -> list[Policy]:
    """Return the policies that are meant, the system's among them."""
    return chosen(words, plane.list_policies().policies, lambda policy: (policy.id, policy.name), kind="policy")


def find_policy(plane: ControlPlane, word: str) -> Policy:
    """Return the policy of this id or name."""
    return the_one(word, plane.list_policies().policies, lambda policy: (policy.id, policy.name), kind="policy")


def find_keys(plane: ControlPlane, user_id: str, words: Sequence[str] = ()) -> list[AccessKey]:
    """Return the access keys of a user that are meant."""
    found = plane.list_access_keys(user_id).access_keys
    return chosen(words, found, lambda key: (key.access_key,), kind="key")
