"""Policy documents and what they decide: Allow and Deny statements over actions, resources and conditions.

Both models of the service are read: version "1.1" (three actions) and identity policies, version "5.0". A Deny beats
every Allow, and what nothing allows is denied. Source: the permission pages of SMS and of IAM; see the table in
`wherry.iam.permissions`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from wherry.errors import WherryError

VERSIONS = ("1.0", "1.1", "5.0")


class PolicyMalformed(WherryError):
    """A policy document can't be read."""

    code = "WHERRY.5101"
    template = "The policy document is malformed: {reason}."
    default_cause = "It isn't a document of version 1.1 or 5.0 with a list of statements."
    default_fix = "Write {'Version': '1.1', 'Statement': [{'Effect': 'Allow', 'Action': ['sms:server:queryServer']}]}."


class Effect(StrEnum):
    """What a statement does when it matches."""

    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class Condition:
    """One test of a statement: the *key*'s value in the request must stand in *relation* to one of *values*."""

    relation: str
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One rule of a policy. Empty `resources` means every resource; `except_*` turns the list around (NotAction)."""

    effect: Effect
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    except_actions: bool = False
    except_resources: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """A named, parsed policy document."""

    name: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be decided: may one of *actions* (the action and its aliases) be done to the resource *urn*?

    `context` holds the values of condition keys, their names in lower case, such as ``g:enterpriseprojectid``.
    """

    actions: tuple[str, ...]
    urn: str
    context: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Decision:
    """What policies say: Allow, Deny, or nothing (None). `policy` is the name of the one that said so."""

    effect: Effect | None
    policy: str = ""


NOTHING_SAID = Decision(None)


def parse_policy(name: str, document: object) -> Policy:
    """Return the policy that *document* (decoded JSON) describes.

    Raises PolicyMalformed where it doesn't follow the grammar; nothing is guessed, since a misread Deny would grant.
    """
    if not isinstance(document, Mapping):
        raise PolicyMalformed(reason="it is not an object")
    version = document.get("Version")
    if version not in VERSIONS:
        raise PolicyMalformed(reason=f"Version is {version!r}, not one of {', '.join(VERSIONS)}")
    statements = document.get("Statement")
    if isinstance(statements, Mapping):
        statements = [statements]
    if not isinstance(statements, Sequence) or isinstance(statements, str) or not statements:
        raise PolicyMalformed(reason="Statement is not a list with at least one statement")
    return Policy(name, tuple(_parse_statement(item) for item in statements))


def decide(policies: Iterable[Policy], question: Question) -> Decision:
    """Return what *policies* together say to *question*, and which of them has the last word."""
    allowing = NOTHING_SAID
    for policy in policies:
        for statement in policy.statements:
            if not _matches(statement, question):
                continue
            if statement.effect is Effect.DENY:
                return Decision(Effect.DENY, policy.name)
            if allowing.effect is None:
                allowing = Decision(Effect.ALLOW, policy.name)
    return allowing


def depends_on_context(policies: Iterable[Policy]) -> bool:
    """Tell whether any statement looks at conditions, so that the answer may differ from one resource to another."""
    return any(statement.conditions for policy in policies for statement in policy.statements)


def describe_policy(policy: Policy) -> dict[str, object]:
    """Return the document of a policy without conditions or turned lists, such as the system policies are."""
    statements = []
    for statement in policy.statements:
        shown: dict[str, object] = {"Effect": statement.effect.value, "Action": list(statement.actions)}
        if statement.resources:
            shown["Resource"] = list(statement.resources)
        statements.append(shown)
    return {"Version": "1.1", "Statement": statements}


def _parse_statement(item: object) -> Statement:
    if not isinstance(item, Mapping):
        raise PolicyMalformed(reason="a statement is not an object")
    unknown = set(item) - {"Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Sid"}
    if unknown:
        raise PolicyMalformed(reason=f"a statement has the unknown member {min(map(str, unknown))!r}")
    try:
        effect = Effect(str(item.get("Effect")))
    except ValueError:
        raise PolicyMalformed(reason="Effect is neither Allow nor Deny") from None
    actions, except_actions = _either(item, "Action", "NotAction")
    if not actions:
        raise PolicyMalformed(reason="a statement names no Action")
    resources, except_resources = _either(item, "Resource", "NotResource")
    conditions = _parse_conditions(item.get("Condition"))
    return Statement(effect, actions, resources, conditions, except_actions, except_resources)


def _either(item: Mapping[str, object], name: str, opposite: str) -> tuple[tuple[str, ...], bool]:
    if item.get(name) is not None and item.get(opposite) is not None:
        raise PolicyMalformed(reason=f"a statement has both {name} and {opposite}")
    turned = item.get(opposite) is not None
    value = item.get(opposite if turned else name)
    return _texts(value, opposite if turned else name), turned


def _texts(value: object, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence) and all(isinstance(text, str) for text in value):
        return tuple(value)
    raise PolicyMalformed(reason=f"{name} is neither text nor a list of texts")


def _parse_conditions(value: object) -> tuple[Condition, ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise PolicyMalformed(reason="Condition is not an object")
    conditions = []
    for relation, keys in value.items():
        if not isinstance(keys, Mapping):
            raise PolicyMalformed(reason=f"Condition {relation!r} is not an object")
        conditions += [
            Condition(str(relation), str(key).lower(), _texts(texts, str(key))) for key, texts in keys.items()
        ]
    return tuple(conditions)


def _matches(statement: Statement, question: Question) -> bool:
    named = any(like(pattern, action) for pattern in statement.actions for action in question.actions)
    if named == statement.except_actions:
        return False
    if statement.resources:
        covered = any(like(pattern, question.urn) for pattern in statement.resources)
        if covered == statement.except_resources:
            return False
    return all(_holds(condition, question.context, statement.effect) for condition in statement.conditions)


def _holds(condition: Condition, context: Mapping[str, str], effect: Effect) -> bool:
    """Test one condition. A relation that isn't known never grants: it holds for a Deny and fails for an Allow."""
    relation = condition.relation
    optional = relation.endswith("IfExists")
    relation = relation.removesuffix("IfExists")
    present = condition.key in context
    if not present:
        if optional:
            return True
        return relation in _NEGATIVE or (relation not in _POSITIVE and effect is Effect.DENY)
    value = context[condition.key]
    if relation in _POSITIVE:
        return any(_POSITIVE[relation](text, value) for text in condition.values)
    if relation in _NEGATIVE:
        return not any(_NEGATIVE[relation](text, value) for text in condition.values)
    return effect is Effect.DENY


def like(pattern: str, value: str) -> bool:
    """Match ``*`` and ``?`` without regard to case.

    Going back to the last star only keeps the time at the product of the lengths; a regular expression made of a
    document's stars could take for ever.
    """
    pattern, value = pattern.lower(), value.lower()
    at = position = resume = 0
    star = -1
    while position < len(value):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, position
            at += 1
        elif at < len(pattern) and pattern[at] in {"?", value[position]}:
            at += 1
            position += 1
        elif star >= 0:
            resume += 1
            at, position = star + 1, resume
        else:
            return False
    return not pattern[at:].strip("*")


def _equal(pattern: str, value: str) -> bool:
    return pattern == value


def _equal_any_case(pattern: str, value: str) -> bool:
    return pattern.casefold() == value.casefold()


def _starts(pattern: str, value: str) -> bool:
    return value.startswith(pattern)


def _ends(pattern: str, value: str) -> bool:
    return value.endswith(pattern)


_POSITIVE = {
    "StringEquals": _equal,
    "StringEqualsIgnoreCase": _equal_any_case,
    "StringLike": like,
    "StringMatch": like,
    "StringStartWith": _starts,
    "StringEndWith": _ends,
}
_NEGATIVE = {
    "StringNotEquals": _equal,
    "StringNotEqualsIgnoreCase": _equal_any_case,
    "StringNotLike": like,
    "StringNotMatch": like,
    "StringNotStartWith": _starts,
    "StringNotEndWith": _ends,
}
RELATIONS = frozenset(_POSITIVE) | frozenset(_NEGATIVE)
"""The relations that conditions may use; each also with IfExists at its end."""
