"""Policy documents that somebody wants to store: every fault is found, and named by its place."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.iam.policies import parse_policy
from wherry.iam.policy_check import MAX_STATEMENTS, faults_of

GOOD: dict[str, Any] = {"Effect": "Allow", "Action": ["sms:server:queryServer"]}


def document(version: str = "5.0", **changes: Any) -> dict[str, Any]:
    statement = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return {"Version": version, "Statement": [statement]}


@pytest.mark.parametrize(
    "good",
    [
        {"Version": "1.1", "Statement": [GOOD]},
        {"Version": "5.0", "Statement": [GOOD, {"Effect": "Deny", "Action": ["sms:server:delete*"]}]},
        document("1.1", Action="sms:*:*"),
        document(Action=["*"]),
        document(Action=["*:*:*"]),
        document(Action=["SMS:Server:List"]),
        document(Action=["vpc:vpcs:list", "ecs:cloudServers:get", "sms:server:list"]),
        document(Action=["server:queryServer", "sms::getConfig", "sms:server:unlock"]),
        document(Action=["wherry:joinToken:create", "wherry:*"]),
        document(Action=None, NotAction=["sms:server:delete"]),
        document(Resource=["sms:*:*:server:*", "*"]),
        document(Resource="sms::d1:server:s1"),
        document(NotResource=["sms::d1:server:s1"]),
        document(Sid="reading"),
        document("1.1", Condition={"StringEquals": {"g:EnterpriseProjectId": ["ep1"]}}),
        document(Condition={"StringNotEqualsIfExists": {"g:enterpriseprojectid": "ep1"}}),
        document(
            Condition={
                "StringStartWith": {"g:EnterpriseProjectId": ["a"]},
                "StringNotEndWith": {"g:EnterpriseProjectId": ["z"]},
            }
        ),
    ],
)
def test_good_documents_have_no_faults_and_can_be_read(good: dict[str, Any]) -> None:
    assert faults_of(good) == []
    parse_policy("p", good)


@pytest.mark.parametrize(
    ("bad", "place", "reason"),
    [
        ([], "document", "not an object"),
        ({}, "Version", '"1.1" or "5.0"'),
        ({"Version": "1.0", "Statement": [GOOD]}, "Version", '"1.1" or "5.0"'),
        ({"Version": 5.0, "Statement": [GOOD]}, "Version", '"1.1" or "5.0"'),
        ({"Version": ["1.1"], "Statement": [GOOD]}, "Version", '"1.1" or "5.0"'),
        ({"Version": "1.1", "Statement": [GOOD], "Id": "x"}, "Id", "no such member"),
        ({"Version": "1.1"}, "Statement", "list of 1 to"),
        ({"Version": "1.1", "Statement": []}, "Statement", "list of 1 to"),
        ({"Version": "1.1", "Statement": GOOD}, "Statement", "list of 1 to"),
        ({"Version": "1.1", "Statement": [GOOD] * (MAX_STATEMENTS + 1)}, "Statement", "list of 1 to"),
        ({"Version": "1.1", "Statement": ["x"]}, "Statement[0]", "not an object"),
        (document(Effect="allow"), "Statement[0].Effect", '"Allow" or "Deny"'),
        (document(Effect=None), "Statement[0].Effect", '"Allow" or "Deny"'),
        (document(Effect=["Allow"]), "Statement[0].Effect", '"Allow" or "Deny"'),
        (document(Action=None), "Statement[0].Action", "Action or NotAction"),
        (document(NotAction=["sms:*:*"]), "Statement[0].Action", "not both"),
        (document(Action=[]), "Statement[0].Action", "list of 1 to"),
        (document(Action={}), "Statement[0].Action", "list of 1 to"),
        (document(Action=["sms:server:list", 7]), "Statement[0].Action[1]", "text of 1 to"),
        (document(Action=["sms:server:lits"]), "Statement[0].Action[0]", "no such action"),
        (document(Action=["sms:serv:*"]), "Statement[0].Action[0]", "no such action"),
        (document(Action=["list"]), "Statement[0].Action[0]", "service:resource:operation"),
        (document(Action=["sms:server:list\n"]), "Statement[0].Action[0]", "service:resource:operation"),
        (document(Action=["sms:server:ü"]), "Statement[0].Action[0]", "service:resource:operation"),
        (document("1.1", Action=None, NotAction=["sms:*:*"]), "Statement[0].NotAction", 'needs Version "5.0"'),
        (document("1.1", Sid="a"), "Statement[0].Sid", 'needs Version "5.0"'),
        (document("1.1", NotResource=["*"]), "Statement[0].NotResource", 'needs Version "5.0"'),
        (document(Principal="x"), "Statement[0].Principal", "no such member"),
        (document(Sid=""), "Statement[0].Sid", "text of 1 to"),
        (document(Resource=["s1"]), "Statement[0].Resource[0]", "service:region:account:type:id"),
        (document(Resource=["sms:a:b:server:"]), "Statement[0].Resource[0]", "service:region:account:type:id"),
        (document(Resource={"uri": []}), "Statement[0].Resource", "list of 1 to"),
        (document(Resource=["*"], NotResource=["*"]), "Statement[0].Resource", "not both"),
        (document(Condition=[]), "Statement[0].Condition", "object of relations"),
        (document(Condition={}), "Statement[0].Condition", "object of relations"),
        (document(Condition={"Bool": {}}), "Statement[0].Condition.Bool", "the relation is not one of"),
        (document(Condition={"StringEquals": []}), "Statement[0].Condition.StringEquals", "object of condition keys"),
        (
            document(Condition={"StringEquals": {"g:UserName": ["a"]}}),
            "Statement[0].Condition.StringEquals.g:UserName",
            "no request has a value",
        ),
        (
            document(Condition={"StringEquals": {"g:EnterpriseProjectId": [1]}}),
            "Statement[0].Condition.StringEquals.g:EnterpriseProjectId",
            "list of 1 to",
        ),
    ],
)
def test_a_fault_is_named_by_its_place(bad: object, place: str, reason: str) -> None:
    faults = faults_of(bad)
    assert [fault.place for fault in faults] == [place]
    assert reason in faults[0].reason
    assert str(faults[0]) == f"{place}: {faults[0].reason}"


def test_all_faults_are_found_at_once() -> None:
    bad = {"Version": "5.0", "Statement": [{"Effect": "x", "Action": ["a"]}, {"Effect": "y", "Actions": ["sms:*:*"]}]}
    assert {fault.place for fault in faults_of(bad)} == {
        *("Statement[0].Effect", "Statement[0].Action[0]"),
        *("Statement[1].Effect", "Statement[1].Actions", "Statement[1].Action"),
    }


json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["5.0", "1.1", "Allow", "sms:*:*"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Version", "Statement", "Effect", "Action", "Resource", "Condition", "StringEquals", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(json)
def test_what_has_no_faults_can_always_be_read(anything: object) -> None:
    if not faults_of(anything):
        parse_policy("p", anything)
