"""Users, groups and policies that a call is about: found in the caller's account, and allowed to the caller."""

from collections.abc import Iterable

from sqlalchemy import Connection

from wherry.contract.errors import ApiError
from wherry.iam.permissions import SYSTEM_POLICY_IDS, Resource
from wherry.ledger import accounts, groups, policies
from wherry.ledger.accounts import UserRow
from wherry.ledger.groups import GroupRow
from wherry.ledger.transaction import Transaction
from wherry.server.access import allow
from wherry.server.call import Call
from wherry.server.stored_policies import NamedPolicy, system_policy


def user_of(connection: Connection, call: Call, *, changes: bool = False) -> UserRow:
    """Return the user of the path. Raises ApiError WHERRY.5801 or PermissionMissing.

    With *changes* the account's administrator is out of reach of everybody but an administrator: who may change users
    would else be one himself in no time.
    """
    row = accounts.find_user(connection, call.parameters["user_id"])
    if row is None or row.account_id != call.account_id:
        raise ApiError("WHERRY.5801")
    allow(call, Resource(row.id, of_owner=changes and row.account_owner))
    return row


def member_of(connection: Connection, call: Call) -> UserRow:
    """Return the user of the path of a call that is about a group. Raises ApiError WHERRY.5801."""
    row = accounts.find_user(connection, call.parameters["user_id"])
    if row is None or row.account_id != call.account_id:
        raise ApiError("WHERRY.5801")
    return row


def group_of(connection: Connection, call: Call) -> GroupRow:
    """Return the group of the path. Raises ApiError WHERRY.5802 or PermissionMissing."""
    row = groups.find(connection, call.account_id, call.parameters["group_id"])
    if row is None:
        raise ApiError("WHERRY.5802")
    allow(call, Resource(row.id))
    return row


def policy_of(connection: Connection, call: Call) -> NamedPolicy:
    """Return the policy of the path, a system policy or one of the account. Raises ApiError WHERRY.5803."""
    policy_id = call.parameters["policy_id"]
    if policy_id in SYSTEM_POLICY_IDS:
        return system_policy(policy_id)
    row = policies.find(connection, call.account_id, policy_id)
    if row is None:
        raise ApiError("WHERRY.5803")
    return NamedPolicy(row.id, row.name, dict(row.document), row)


def void_tokens(tx: Transaction, call: Call, user_ids: Iterable[str]) -> None:
    """Let all tokens of these users die, because what they may has changed, and let every process forget them."""
    changed = frozenset(user_ids)
    if changed:
        accounts.void_tokens(tx.connection, changed, at=call.at)
    for user_id in changed:
        tx.user_changed(user_id)
