"""`docs/authorization.md`, written from the rules: ``python -m wherry.iam.document > docs/authorization.md``.

A unit test holds the file up to date, and a contract test the control plane to the file's first table.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence

from wherry.iam.matrix import ANONYMOUS, DENYING, Caller, matrix
from wherry.iam.permissions import (
    ACCESS_OPERATIONS,
    ECS_OPERATIONS,
    ENTERPRISE_PROJECT,
    NOTIFICATION_OPERATIONS,
    SMS_OPERATIONS,
    SYSTEM_POLICIES,
    SYSTEM_POLICY_IDS,
    WHERRY_OPERATIONS,
    Operation,
)
from wherry.iam.policies import describe_policy

_INTRODUCTION = """\
# Who may do what

Written by `python -m wherry.iam.document` from the rules in `src/wherry/iam/`. Don't edit it by hand: change the rules,
then write the file again.

Whoever calls belongs to an *account*, and everything he sees and changes belongs to it. What belongs to another account
doesn't exist for him: 404. The account's *administrator* may do everything in it. Other *users* may do what their
policies allow and none of them denies; a policy is attached to the user or to a group that he is in. An *agent's* key
may call what agents call, for its own source and that source's task. Keys of *receivers* act for their own record and
the tasks that land there.

"""

_COLUMNS = """\
- *owner*: the account's administrator. *full access* and *read only*: a user with the system policy `SMS FullAccess` or
  `SMS ReadOnlyAccess`. *custom deny*: a user with `SMS FullAccess` and the policy below.
- *agent, own*: an agent's key, for its own source. *agent, other's*: the same for another source of the account.
- *other account*: the administrator of another account, naming what belongs to this one.
- *expired token*, *revoked token*, *no credentials*: who proves nothing.
"""


def render() -> str:
    """Return the whole document."""
    return "".join((_INTRODUCTION, _the_matrix(), _actions(), _own_operations(), _policies()))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def _the_matrix() -> str:
    rows = [
        [f"**{operation}**", *(str(answers[caller]) for caller in Caller)] for operation, answers in matrix().items()
    ]
    return (
        f"## The {len(rows)} operations\n\nWhat each gets for a request that is right in every other way.\n\n"
        + _COLUMNS
        + f"\n```json\n{json.dumps(DENYING)}\n```\n\n"
        + _table(["operation", *(caller.value for caller in Caller)], rows)
    )


def _actions() -> str:
    rows = [
        [f"**{name}**", *(_action(rule) if name not in ANONYMOUS else ("no authentication", ""))]
        for name, rule in SMS_OPERATIONS.items()
    ]
    return (
        "## The actions of policies\n\n"
        "A statement that names the action or one of the older ones covers the operation. Names match without regard "
        "to case; `*` and `?` stand for any text and any character. The resource of an operation is "
        "`SERVICE::ACCOUNT:TYPE:ID`, such as `sms::0123:server:4567`, with `*` for the ID where a list is read or "
        f"something is made. Conditions look at `{ENTERPRISE_PROJECT}`: the enterprise project of the source or the "
        "task. Lists hold what may be listed, and a source or task is moved to an enterprise project only by who may "
        "do the same there.\n\n" + _table(["operation", "action", "older actions"], rows)
    )


def _own_operations() -> str:
    rules: Mapping[str, Operation] = {
        **WHERRY_OPERATIONS,
        **ACCESS_OPERATIONS,
        **NOTIFICATION_OPERATIONS,
        **ECS_OPERATIONS,
    }
    rows = [[f"**{name}**", *_action(rule), _besides(rule)] for name, rule in rules.items()]
    return (
        "## Wherry's own operations, IAM and ECS\n\n"
        "*himself*: a user who shows a token may do it to himself, unless a policy denies it. *operator*: nobody but "
        "the administrator of the first account. Who may attach policies can give himself any right in the account; "
        "only the account's administrator himself is out of his reach.\n\n"
        + _table(["operation", "action", "older actions", "besides"], rows)
    )


def _policies() -> str:
    rows = []
    for policy_id, name in SYSTEM_POLICY_IDS.items():
        document = json.dumps(describe_policy(SYSTEM_POLICIES[name])["Statement"])
        rows.append([f"`{policy_id}`", name, f"`{document}`"])
    return "## System policies\n\n" + _table(["id", "name", "statements"], rows).rstrip("\n") + "\n"


def _action(rule: Operation) -> tuple[str, str]:
    if not rule.action:
        return "none needed", ""
    return f"`{rule.action}`", ", ".join(f"`{alias}`" for alias in rule.aliases)


def _besides(rule: Operation) -> str:
    kinds = {"agents": rule.agent, "receivers": rule.receiver, "himself": rule.own, "operator": rule.operator}
    return ", ".join(kind for kind, may in kinds.items() if may)


if __name__ == "__main__":
    sys.stdout.write(render())
