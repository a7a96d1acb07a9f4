"""What is wrong with a policy document that somebody wants to store: every fault with its place.

Stricter than `parse_policy`, which only refuses what it can't understand: an action that nothing has, a condition on a
key that no request carries, a resource that isn't one would silently allow or deny nothing. Actions of other services
pass, since policies of SMS users usually grant some of those too. Source: the IAM reference, "Policy Syntax" (version
1.1) and "Identity Policy Syntax" (version 5.0).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from wherry.iam.permissions import ENTERPRISE_PROJECT, OPERATIONS
from wherry.iam.policies import RELATIONS, like

MAX_STATEMENTS: Final = 100
MAX_ITEMS: Final = 1000
MAX_TEXT: Final = 512

_OLD, _NEW = "1.1", "5.0"
_EFFECTS: Final = ("Allow", "Deny")
_MEMBERS: Final = {
    _OLD: ("Effect", "Action", "Resource", "Condition"),
    _NEW: ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"),
}
_ACTION: Final = re.compile(r"[\w*?-]+(:[\w.*?-]*)+\Z|\*\Z", re.ASCII)
_RESOURCE: Final = re.compile(r"[^:]+(:[^:]*){3}:.+\Z|\*\Z")
_OWN_SERVICES: Final = ("sms", "wherry")
_UNPUBLISHED: Final = ("sms:server:unlock", "sms::checkNetwork")
KNOWN_ACTIONS: Final = frozenset(
    {name for rule in OPERATIONS.values() for name in (rule.action, *rule.aliases) if name} | set(_UNPUBLISHED)
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where, such as ``Statement[0].Action[1]``, and what."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


def faults_of(document: object) -> list[Fault]:
    """Return everything that is wrong with *document* (decoded JSON); nothing when it may be stored."""
    return list(_faults(document))


def _faults(document: object) -> Iterator[Fault]:
    if not isinstance(document, Mapping):
        yield Fault("document", "it is not an object")
        return
    yield from (Fault(str(name)[:64], "there is no such member") for name in document.keys() - {"Version", "Statement"})
    version = document.get("Version")
    if not isinstance(version, str) or version not in _MEMBERS:
        yield Fault("Version", f'it must be "{_OLD}" or "{_NEW}"')
        return
    statements = document.get("Statement")
    if not isinstance(statements, list) or not 1 <= len(statements) <= MAX_STATEMENTS:
        yield Fault("Statement", f"it must be a list of 1 to {MAX_STATEMENTS} statements")
        return
    for index, statement in enumerate(statements):
        yield from _of_statement(statement, f"Statement[{index}]", version)


def _of_statement(statement: object, place: str, version: str) -> Iterator[Fault]:
    if not isinstance(statement, Mapping):
        yield Fault(place, "it is not an object")
        return
    for name in statement.keys() - set(_MEMBERS[version]):
        later = version == _OLD and name in _MEMBERS[_NEW]
        reason = f'it needs Version "{_NEW}"' if later else "there is no such member"
        yield Fault(f"{place}.{str(name)[:64]}", reason)
    if statement.get("Effect") not in _EFFECTS:
        yield Fault(f"{place}.Effect", 'it must be "Allow" or "Deny"')
    if "Sid" in statement and not _is_text(statement["Sid"]):
        yield Fault(f"{place}.Sid", f"it must be a text of 1 to {MAX_TEXT} characters")
    if ("Action" in statement) == ("NotAction" in statement):
        yield Fault(f"{place}.Action", "there must be Action or NotAction, and not both")
    if "Resource" in statement and "NotResource" in statement:
        yield Fault(f"{place}.Resource", "there may be Resource or NotResource, and not both")
    for name in ("Action", "NotAction"):
        yield from _of_list(statement, name, place, _why_no_action)
    for name in ("Resource", "NotResource"):
        yield from _of_list(statement, name, place, _why_no_resource)
    if "Condition" in statement:
        yield from _of_conditions(statement["Condition"], f"{place}.Condition")


def _of_list(statement: Mapping[str, object], name: str, place: str, why_not: Callable[[str], str]) -> Iterator[Fault]:
    if name not in statement:
        return
    value = statement[name]
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        yield Fault(f"{place}.{name}", f"it must be a list of 1 to {MAX_ITEMS} texts")
        return
    for index, item in enumerate(items):
        reason = why_not(item) if _is_text(item) else f"it must be a text of 1 to {MAX_TEXT} characters"
        if reason:
            yield Fault(f"{place}.{name}[{index}]", reason)


def _of_conditions(value: object, place: str) -> Iterator[Fault]:
    if not isinstance(value, Mapping) or not value:
        yield Fault(place, "it must be an object of relations")
        return
    for relation, keys in value.items():
        at = f"{place}.{str(relation)[:64]}"
        if str(relation).removesuffix("IfExists") not in RELATIONS:
            yield Fault(at, f"the relation is not one of {', '.join(sorted(RELATIONS))}, each with or without IfExists")
        elif not isinstance(keys, Mapping) or not keys:
            yield Fault(at, "it must be an object of condition keys")
        else:
            yield from _of_keys(keys, at)


def _of_keys(keys: Mapping[str, object], place: str) -> Iterator[Fault]:
    for key, values in keys.items():
        at = f"{place}.{str(key)[:64]}"
        if str(key).lower() != ENTERPRISE_PROJECT.lower():
            yield Fault(at, f"no request has a value for this key; there is {ENTERPRISE_PROJECT} only")
            continue
        items = [values] if isinstance(values, str) else values
        if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS or not all(map(_is_text, items)):
            yield Fault(at, f"it must be a list of 1 to {MAX_ITEMS} texts")


def _why_no_action(action: str) -> str:
    if not _ACTION.match(action):
        return "it is not of the form service:resource:operation"
    service = action.partition(":")[0]
    foreign = not any(like(service, own) for own in _OWN_SERVICES)
    if foreign or any(like(action, known) for known in KNOWN_ACTIONS):
        return ""
    return "there is no such action"


def _why_no_resource(resource: str) -> str:
    return "" if _RESOURCE.match(resource) else "it is not of the form service:region:account:type:id"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MAX_TEXT
