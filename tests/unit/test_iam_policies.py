"""Policy documents: grammar, wildcards, Deny before Allow, conditions that never grant by mistake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.iam.policies import Effect, Policy, PolicyMalformed, Question, decide, parse_policy

URN = "sms::d1:server:s1"


def allows(policies: list[Policy], question: Question) -> bool:
    return decide(policies, question).effect is Effect.ALLOW


def allowed(document: object, action: str, *, urn: str = URN, context: dict[str, str] | None = None) -> bool:
    return allows([parse_policy("p", document)], Question((action,), urn, context or {}))


def policy(*statements: dict[str, object], version: str = "1.1") -> dict[str, object]:
    return {"Version": version, "Statement": list(statements)}


def allow(*actions: str, **more: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": list(actions), **more}


def deny(*actions: str, **more: object) -> dict[str, object]:
    return {"Effect": "Deny", "Action": list(actions), **more}


def test_nothing_is_allowed_by_default() -> None:
    assert not allows([], Question(("sms:server:list",), URN, {}))
    assert not allowed(policy(allow("sms:server:get")), "sms:server:list")


@pytest.mark.parametrize(
    ("pattern", "action", "matches"),
    [
        ("*", "sms:server:list", True),
        ("sms:*:*", "sms:server:list", True),
        ("sms:*:*", "sms::getConfig", True),
        ("sms:*:get*", "sms:server:getTask", True),
        ("sms:*:get*", "sms:server:list", False),
        ("sms:server:get?ert", "sms:server:getCert", True),
        ("SMS:Server:List", "sms:server:list", True),
        ("sms:server:lis", "sms:server:list", False),
        ("sms.server.list", "sms:server:list", False),
        ("wherry:*", "sms:server:list", False),
    ],
)
def test_action_patterns(pattern: str, action: str, matches: bool) -> None:
    assert allowed(policy(allow(pattern)), action) is matches


def test_deny_beats_allow_in_any_order_and_across_policies() -> None:
    assert not allowed(policy(allow("sms:*:*"), deny("sms:server:delete")), "sms:server:delete")
    assert not allowed(policy(deny("sms:server:delete"), allow("sms:*:*")), "sms:server:delete")
    full, no_delete = parse_policy("a", policy(allow("*"))), parse_policy("b", policy(deny("sms:server:delete")))
    question = Question(("sms:server:delete",), URN, {})
    assert not allows([full, no_delete], question)
    assert not allows([no_delete, full], question)


def test_an_alias_grants_and_denies_as_well() -> None:
    both = Question(("sms:server:list", "sms:server:queryServer"), URN, {})
    assert allows([parse_policy("p", policy(allow("sms:server:queryServer")))], both)
    assert not allows([parse_policy("p", policy(allow("*"), deny("sms:server:queryServer")))], both)


def test_not_action_is_everything_else() -> None:
    document = policy({"Effect": "Allow", "NotAction": ["sms:server:delete"]}, version="5.0")
    assert allowed(document, "sms:server:list")
    assert not allowed(document, "sms:server:delete")


def test_resources_restrict() -> None:
    document = policy(allow("*", Resource=["sms:*:*:server:s1"]), version="5.0")
    assert allowed(document, "sms:server:get")
    assert not allowed(document, "sms:server:get", urn="sms::d1:server:s2")
    turned = policy({"Effect": "Allow", "Action": "*", "NotResource": ["*:server:s1"]}, version="5.0")
    assert not allowed(turned, "sms:server:get")
    assert allowed(turned, "sms:server:get", urn="sms::d1:server:s2")


@pytest.mark.parametrize(
    ("relation", "values", "context", "holds"),
    [
        ("StringEquals", ["ep1"], "ep1", True),
        ("StringEquals", ["ep1"], "EP1", False),
        ("StringEquals", ["ep1"], None, False),
        ("StringEqualsIfExists", ["ep1"], None, True),
        ("StringEqualsIgnoreCase", ["ep1"], "EP1", True),
        ("StringLike", ["ep*"], "ep1", True),
        ("StringMatch", ["x*"], "ep1", False),
        ("StringNotEquals", ["ep1"], "ep2", True),
        ("StringNotEquals", ["ep1", "ep2"], "ep2", False),
        ("StringNotLike", ["ep*"], "other", True),
        ("NumericLessThan", ["3"], "1", False),
        ("NumericLessThan", ["3"], None, False),
    ],
)
def test_conditions(relation: str, values: list[str], context: str | None, holds: bool) -> None:
    document = policy(allow("*", Condition={relation: {"g:EnterpriseProjectId": values}}), version="5.0")
    given_context = {} if context is None else {"g:enterpriseprojectid": context}
    assert allowed(document, "sms:server:get", context=given_context) is holds


def test_a_condition_that_is_not_understood_denies() -> None:
    document = policy(allow("*"), deny("*", Condition={"Odd": {"g:EnterpriseProjectId": ["x"]}}), version="5.0")
    assert not allowed(document, "sms:server:get", context={"g:enterpriseprojectid": "x"})
    assert not allowed(document, "sms:server:get")


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "policy",
        {},
        {"Version": "2.0", "Statement": [allow("*")]},
        {"Version": "1.1"},
        {"Version": "1.1", "Statement": []},
        {"Version": "1.1", "Statement": "x"},
        {"Version": "1.1", "Statement": ["x"]},
        policy({"Effect": "allow", "Action": ["*"]}),
        policy({"Effect": "Maybe", "Action": ["*"]}),
        policy({"Action": ["*"]}),
        policy({"Effect": "Allow"}),
        policy({"Effect": "Allow", "Action": []}),
        policy({"Effect": "Allow", "Action": [1]}),
        policy({"Effect": "Allow", "Action": ["a"], "NotAction": ["b"]}),
        policy({"Effect": "Allow", "Action": ["a"], "Conditions": {}}),
        policy({"Effect": "Allow", "Action": ["a"], "Resource": 5}),
        policy({"Effect": "Allow", "Action": ["a"], "Condition": ["x"]}),
        policy({"Effect": "Allow", "Action": ["a"], "Condition": {"StringEquals": "x"}}),
    ],
)
def test_a_document_that_does_not_follow_the_grammar_is_refused(document: object) -> None:
    with pytest.raises(PolicyMalformed):
        parse_policy("p", document)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Version", "Statement", "Effect", "Action", "Condition", "x"]), inner, max_size=4
        )
    ),
    max_leaves=10,
)


@given(json_values)
def test_any_json_is_a_policy_or_refused(document: object) -> None:
    try:
        parsed = parse_policy("p", document)
    except PolicyMalformed:
        return
    assert parsed.statements


@given(st.text(alphabet="*?a:", max_size=30))
def test_a_pattern_of_wildcards_is_quick(pattern: str) -> None:
    assert isinstance(allowed(policy(allow(pattern or "*")), "a" * 60 + "b"), bool)
