"""Policies as the ledger and iam keep them together: an account's own by rows, the system's by their ids."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from wherry.contract.accounts import Reference
from wherry.iam.permissions import SYSTEM_POLICIES, SYSTEM_POLICY_IDS
from wherry.iam.policies import Policy, describe_policy, parse_policy
from wherry.ledger import policies
from wherry.ledger.policies import PolicyRow


@dataclass(frozen=True, slots=True)
class NamedPolicy:
    """A policy as it's attached: a system policy, or one that the account has written (`row`)."""

    id: str
    name: str
    document: dict[str, Any]
    row: PolicyRow | None = None


def system_policy(policy_id: str) -> NamedPolicy:
    """Return the system policy of this id, which must be one."""
    policy = SYSTEM_POLICIES[SYSTEM_POLICY_IDS[policy_id]]
    return NamedPolicy(policy_id, policy.name, describe_policy(policy))


def policies_of_user(connection: Connection, user_id: str) -> tuple[Policy, ...]:
    """Return the policies that count for a user, those of his groups included."""
    return tuple(
        SYSTEM_POLICIES[SYSTEM_POLICY_IDS[policy_id]] if row is None else parse_policy(row.name, row.document)
        for policy_id, row in policies.effective(connection, user_id).items()
    )


def references(connection: Connection, account_id: str, policy_ids: Iterable[str]) -> list[Reference]:
    """Return policies by their ids, with their names."""
    own = {row.id: row.name for row in policies.every(connection, account_id)}
    return [Reference(id=each, name=SYSTEM_POLICY_IDS.get(each) or own[each]) for each in policy_ids]
