"""Policies: an account's own are made, changed and deleted; all are listed, shown, attached to users and groups."""

from collections.abc import Callable
from uuid import uuid4

from sqlalchemy import Connection

from wherry.contract.accounts import MAX_POLICIES, Policy, PolicyCreation, PolicyList, PolicyUpdate
from wherry.contract.errors import ApiError
from wherry.iam.permissions import SYSTEM_POLICY_IDS, Resource
from wherry.iam.policy_check import faults_of
from wherry.ledger import groups, policies
from wherry.ledger.policies import PolicyRow
from wherry.ledger.transaction import Transaction
from wherry.server.access import allow
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call
from wherry.server.stored_policies import NamedPolicy, system_policy
from wherry.server.subjects import group_of, policy_of, user_of, void_tokens

_SHOWN_FAULTS = 20


async def create_policy(call: Call) -> Answer:
    """Store a policy of the account. It grants nothing until it's attached."""
    allow(call)
    wanted = call.decode(PolicyCreation)
    _check(wanted.document)
    row = PolicyRow(str(uuid4()), call.account_id, wanted.name, wanted.description, wanted.document, call.at, call.at)

    def unit(tx: Transaction) -> None:
        _check_name(tx, call, wanted.name)
        if len(policies.every(tx.connection, call.account_id)) >= MAX_POLICIES:
            raise ApiError("WHERRY.5809", f"{MAX_POLICIES} policies")
        policies.insert(tx.connection, row)
        call.record(tx, row.id, row.name)

    await call.services.ledger.write(unit)
    return json_answer(_shown(_named(row)))


async def list_policies(call: Call) -> Answer:
    """Return the system policies, then the account's own by name."""
    allow(call)
    own = await call.services.ledger.read(lambda connection: policies.every(connection, call.account_id))
    shown = [_shown(policy) for policy in (*map(system_policy, SYSTEM_POLICY_IDS), *map(_named, own))]
    return json_answer(PolicyList(count=len(shown), policies=shown))


async def show_policy(call: Call) -> Answer:
    """Return a policy with its document."""
    return json_answer(_shown(await call.services.ledger.read(lambda connection: _allowed(connection, call))))


async def update_policy(call: Call) -> Answer:
    """Rename or rewrite a policy. Rewriting lets the tokens of all die for whom it counts."""
    update = call.decode(PolicyUpdate)
    if update.document is not None:
        _check(update.document)

    def unit(tx: Transaction) -> NamedPolicy:
        row = _own(tx.connection, call)
        if update.name is not None and update.name != row.name:
            _check_name(tx, call, update.name)
        new = {"name": update.name, "description": update.description, "document": update.document}
        values = {name: value for name, value in new.items() if value is not None}
        policies.change(tx.connection, row.id, {**values, "updated_at": call.at})
        call.record(tx, row.id, "+".join(sorted(values)))
        if update.document is not None:
            void_tokens(tx, call, policies.users_with(tx.connection, row.id))
        return policy_of(tx.connection, call)

    return json_answer(_shown(await call.services.ledger.write(unit)))


async def delete_policy(call: Call) -> Answer:
    """Delete a policy that is attached to nobody."""

    def unit(tx: Transaction) -> None:
        row = _own(tx.connection, call)
        attached = policies.attachments_of(tx.connection, row.id)
        if attached:
            raise ApiError("WHERRY.5807", f"{attached} times")
        policies.delete(tx.connection, row.id)
        call.record(tx, row.id, row.name)

    await call.services.ledger.write(unit)
    return EMPTY


async def attach_user_policy(call: Call) -> Answer:
    """Attach a policy to a user. Repeating it changes nothing; else his tokens die."""
    return await _change_of_user(call, policies.attach_to_user)


async def detach_user_policy(call: Call) -> Answer:
    """Detach a policy from a user. Repeating it changes nothing; else his tokens die."""
    return await _change_of_user(call, policies.detach_from_user)


async def attach_group_policy(call: Call) -> Answer:
    """Attach a policy to a group. Repeating it changes nothing; else the tokens of its members die."""
    return await _change_of_group(call, policies.attach_to_group)


async def detach_group_policy(call: Call) -> Answer:
    """Detach a policy from a group. Repeating it changes nothing; else the tokens of its members die."""
    return await _change_of_group(call, policies.detach_from_group)


async def _change_of_user(call: Call, change: Callable[[Connection, str, str], bool]) -> Answer:
    def unit(tx: Transaction) -> None:
        user = user_of(tx.connection, call, changes=True)
        policy = policy_of(tx.connection, call)
        if not change(tx.connection, user.id, policy.id):
            return
        call.record(tx, user.id, policy.name)
        void_tokens(tx, call, [user.id])

    await call.services.ledger.write(unit)
    return EMPTY


async def _change_of_group(call: Call, change: Callable[[Connection, str, str], bool]) -> Answer:
    def unit(tx: Transaction) -> None:
        group = group_of(tx.connection, call)
        policy = policy_of(tx.connection, call)
        if not change(tx.connection, group.id, policy.id):
            return
        call.record(tx, group.id, policy.name)
        void_tokens(tx, call, [user.id for user in groups.members_of(tx.connection, group.id)])

    await call.services.ledger.write(unit)
    return EMPTY


def _check(document: object) -> None:
    """Raise ApiError WHERRY.5806, which names the faults of a document."""
    faults = [str(fault) for fault in faults_of(document)[:_SHOWN_FAULTS]]
    if faults:
        raise ApiError("WHERRY.5806", "; ".join(faults), params=faults)


def _check_name(tx: Transaction, call: Call, name: str) -> None:
    system = name.casefold() in {each.casefold() for each in SYSTEM_POLICY_IDS.values()}
    if system or policies.find_by_name(tx.connection, call.account_id, name) is not None:
        raise ApiError("WHERRY.5805", name, params=("name",))


def _allowed(connection: Connection, call: Call) -> NamedPolicy:
    policy = policy_of(connection, call)
    allow(call, Resource(policy.id))
    return policy


def _own(connection: Connection, call: Call) -> PolicyRow:
    """Return the account's policy of the path. Raises what `policy_of` does, and ApiError WHERRY.5813."""
    row = _allowed(connection, call).row
    if row is None:
        raise ApiError("WHERRY.5813")
    return row


def _named(row: PolicyRow) -> NamedPolicy:
    return NamedPolicy(row.id, row.name, dict(row.document), row)


def _shown(policy: NamedPolicy) -> Policy:
    row = policy.row
    return Policy(
        id=policy.id,
        name=policy.name,
        type="system" if row is None else "custom",
        description="" if row is None else row.description,
        document=policy.document,
        created_at=None if row is None else row.created_at,
        updated_at=None if row is None else row.updated_at,
    )
