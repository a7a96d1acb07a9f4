"""Who may call what: the table of operations, users by policies, agents and receivers by what's theirs."""

from dataclasses import replace

import pytest
from huaweicloudsdksms.v3 import SmsClient

from wherry.iam.permissions import (
    ACCESS_OPERATIONS,
    ADMINISTRATOR,
    NOTHING,
    OPERATIONS,
    SMS_FULL_ACCESS,
    SMS_OPERATIONS,
    SMS_READ_ONLY_ACCESS,
    SYSTEM_POLICIES,
    SYSTEM_POLICY_IDS,
    WHERRY_OPERATIONS,
    Resource,
    require,
    why_not,
)
from wherry.iam.policies import Policy, describe_policy, parse_policy
from wherry.iam.policy_check import faults_of
from wherry.iam.principals import Kind, Principal
from wherry.iam.refusals import PermissionMissing

AGENT_OPERATIONS = {
    *("RegisterServer", "ShowServer", "UpdateDiskInfo", "UpdateCopyState", "ShowCommand", "UpdateCommandResult"),
    *("ShowTask", "UpdateTask", "UpdateTaskSpeed", "ShowsSpeedLimits", "ShowConfigSetting", "ShowConfig"),
    *("ShowCertKey", "ShowPassphrase", "UpdateConsistencyResult", "UpdateNetworkCheckInfo"),
    *("CreatePrivacyAgreements", "ShowPrivacyAgreements", "ListApiVersion", "ShowApiVersion"),
}
READS_OF_THE_OLD_MODEL = {name for name, rule in SMS_OPERATIONS.items() if "sms:server:queryServer" in rule.aliases}


def user(*policies: Policy, owner: bool = False) -> Principal:
    return Principal(Kind.USER, "d1", "default", "u1", "anna", account_owner=owner, policies=policies)


def agent(source_id: str = "s1") -> Principal:
    return Principal(Kind.AGENT, "d1", "default", "a1", "host-1", source_id=source_id, access_key="AK")


def receiver(receiver_id: str = "r1") -> Principal:
    return Principal(Kind.RECEIVER, "d1", "default", "r1", "receiver-1", receiver_id=receiver_id, access_key="AK")


def may(principal: Principal, operation: str, resource: Resource = NOTHING) -> bool:
    try:
        require(principal, operation, resource)
    except PermissionMissing:
        return False
    return True


def test_every_operation_of_the_vendors_client_has_a_rule() -> None:
    methods = {name for name in vars(SmsClient) if not name.startswith("_") and not name.endswith("_invoker")}
    methods -= {"new_builder", "call_api"}
    wanted = {name.replace("_", "").lower() for name in methods}
    assert wanted == {name.lower() for name in SMS_OPERATIONS}


OPERATORS = {"CreateAccount", "ListAccounts", "VerifyAuditLog"}


def test_the_account_itself_may_do_everything_in_it() -> None:
    assert {name for name in OPERATIONS if not may(user(owner=True), name)} == OPERATORS
    assert {name for name in OPERATIONS if not may(user(ADMINISTRATOR), name)} == OPERATORS


def test_accounts_and_the_log_of_all_of_them_are_for_the_operator_alone() -> None:
    assert all(may(replace(user(owner=True), operator=True), name) for name in OPERATIONS)
    statement = {"Effect": "Allow", "Action": ["wherry:account:*", "*"]}
    generous = parse_policy("p", {"Version": "5.0", "Statement": [statement]})
    assert not any(may(user(generous), name) for name in OPERATORS)


def test_no_sms_policy_says_who_may_do_what() -> None:
    needed = {name for name, rule in ACCESS_OPERATIONS.items() if rule.action}
    assert not {name for name in needed if may(user(SMS_FULL_ACCESS), name)}


def test_a_user_with_a_token_may_look_after_himself() -> None:
    himself, another = Resource("u1"), Resource("u2")
    shown = replace(user(), token_id="t1")
    own = {name for name, rule in OPERATIONS.items() if rule.own}
    assert own == {
        *("ShowUser", "ChangePassword"),
        *("CreateAccessKey", "ListAccessKeys", "UpdateAccessKey", "DeleteAccessKey"),
    }
    assert all(may(shown, name, himself) for name in own)
    assert not any(may(shown, name, another) for name in own)
    assert not any(may(user(), name, himself) for name in own)  # with a key: it mustn't make itself another
    denying = parse_policy("p", {"Version": "5.0", "Statement": [{"Effect": "Deny", "Action": ["wherry:accessKey:*"]}]})
    assert not may(replace(shown, policies=(denying,)), "CreateAccessKey", himself)
    assert may(replace(shown, policies=(denying,)), "ShowUser", himself)


def test_nobody_else_changes_the_accounts_administrator() -> None:
    administrator = Resource("u0", of_owner=True)
    assert not may(user(ADMINISTRATOR), "UpdateUser", administrator)
    assert not may(user(ADMINISTRATOR), "CreateAccessKey", administrator)
    assert may(user(owner=True), "UpdateUser", administrator)


def test_a_refusal_says_whether_a_policy_denied_it() -> None:
    denying = parse_policy("no deleting", {"Version": "1.1", "Statement": [{"Effect": "Deny", "Action": ["sms:*"]}]})
    assert why_not(user(SMS_FULL_ACCESS, denying), "DeleteServer") == "the policy 'no deleting' denies the action"
    assert why_not(user(), "DeleteServer") == "no policy of the user allows the action"
    assert not why_not(user(SMS_FULL_ACCESS), "DeleteServer")


def test_every_system_policy_has_an_id_and_a_document_that_says_the_same() -> None:
    assert sorted(SYSTEM_POLICY_IDS.values()) == sorted(SYSTEM_POLICIES)
    for name, policy in SYSTEM_POLICIES.items():
        document = describe_policy(policy)
        assert parse_policy(name, document) == policy
        assert faults_of(document) == []


def test_a_user_without_policies_may_only_what_needs_none() -> None:
    allowed = {name for name in OPERATIONS if may(user(), name)}
    assert allowed == {
        *("CreatePrivacyAgreements", "ShowPrivacyAgreements", "ListApiVersion", "ShowApiVersion"),
        *("ListProjects", "ListDomains", "ShowToken", "RevokeToken"),
    }


def test_full_access_covers_sms_and_of_wherry_what_belongs_to_tasks() -> None:
    assert all(may(user(SMS_FULL_ACCESS), name) for name in SMS_OPERATIONS)
    refused = {name for name in WHERRY_OPERATIONS if not may(user(SMS_FULL_ACCESS), name)}
    assert refused == {
        *("CreateJoinToken", "ListJoinTokens", "DeleteJoinToken", "ListAuditEntries", "VerifyAuditLog"),
        *("UpdateReceiver", "ListAssignments", "UpdateReplication", "StoreLog"),
        *("SubmitSourceHalf", "SubmitReceiverHalf", "DecodeRefusal", "BeginLanding", "UpdateOrder"),
    }


def test_read_only_access_reads_and_changes_nothing() -> None:
    allowed = {name for name in SMS_OPERATIONS if may(user(SMS_READ_ONLY_ACCESS), name) and SMS_OPERATIONS[name].action}
    assert allowed == READS_OF_THE_OLD_MODEL
    assert not {name for name in allowed if name.startswith(("Create", "Update", "Delete", "Register", "Upload"))}
    newer = {name for name in SMS_OPERATIONS if may(user(SYSTEM_POLICIES["SMSReadOnlyPolicy"]), name)}
    assert not {name for name in newer if name.startswith(("Update", "Delete", "Register", "Upload"))}


@pytest.mark.parametrize(
    ("action", "operation", "allowed"),
    [
        ("sms:server:registerServer", "RegisterServer", True),
        ("sms:server:migrationServer", "UpdateCommandResult", True),
        ("sms:server:migrationServer", "ShowCommand", True),
        ("sms:server:migrationServer", "ListServers", False),
        ("sms:server:migrationServer", "RegisterServer", False),
        ("sms:server:queryServer", "ShowTask", True),
        ("sms:server:queryServer", "ShowCommand", False),
        ("sms:server:updateCommandResult", "UpdateCommandResult", True),
        ("sms:server:getCommand", "ShowCommand", True),
        ("sms:server:getCommand", "ShowTask", False),
        ("server:queryServer", "ListErrorServers", True),
        ("sms:server:deleteTask", "DeleteTasks", True),
    ],
)
def test_actions_and_their_aliases(action: str, operation: str, allowed: bool) -> None:
    policy = parse_policy("p", {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": [action]}]})
    assert may(user(policy), operation) is allowed


def test_conditions_see_the_enterprise_project() -> None:
    condition = {"StringEquals": {"g:EnterpriseProjectId": ["ep1"]}}
    statement = {"Effect": "Allow", "Action": ["sms:*:*"], "Condition": condition}
    principal = user(parse_policy("p", {"Version": "5.0", "Statement": [statement]}))
    assert may(principal, "ShowServer", Resource("s1", enterprise_project_id="ep1"))
    assert not may(principal, "ShowServer", Resource("s1", enterprise_project_id="ep2"))
    assert not may(principal, "ShowServer", Resource("s1"))


def test_resources_of_a_policy_are_urns_of_the_account() -> None:
    statement = {"Effect": "Allow", "Action": ["*"], "Resource": ["sms:*:d1:server:s1"]}
    principal = user(parse_policy("p", {"Version": "5.0", "Statement": [statement]}))
    assert may(principal, "ShowServer", Resource("s1"))
    assert not may(principal, "ShowServer", Resource("s2"))
    assert not may(principal, "ListServers")


def test_an_agent_may_what_agents_call_on_its_own_source_and_nothing_else() -> None:
    own = Resource("x", source_id="s1")
    assert {name for name in SMS_OPERATIONS if may(agent(), name, own)} == AGENT_OPERATIONS
    wherry = {name for name in WHERRY_OPERATIONS if may(agent(), name, own)}
    assert wherry == {
        *("ShowRoute", "UpdateReplication", "ShowReplication", "SubmitSourceHalf", "ShowProof"),
        *("ShowLanding", "BeginLanding", "StoreLog", "ListProjects", "ListDomains", "ShowToken"),
    }


def test_an_agent_may_nothing_on_another_source() -> None:
    other = Resource("x", source_id="s2")
    needs_none = {name for name, rule in OPERATIONS.items() if not rule.action and rule.agent}
    assert {name for name in OPERATIONS if may(agent(), name, other)} == needs_none
    unknown = {name for name in OPERATIONS if may(agent(), name)}
    assert unknown == {*needs_none, "RegisterServer", "ShowConfig"}


def test_an_agent_that_is_not_bound_may_register_only_and_not_as_somebody_else() -> None:
    fresh = agent("")
    needs_none = {name for name, rule in OPERATIONS.items() if not rule.action and rule.agent}
    assert {name for name in OPERATIONS if may(fresh, name)} == {*needs_none, "RegisterServer", "ShowConfig"}
    assert not may(fresh, "RegisterServer", Resource("s1", source_id="s1"))
    assert not may(fresh, "ShowCommand", Resource("", source_id=""))


def test_a_receiver_may_act_on_its_record_and_its_tasks() -> None:
    own, other = Resource("x", receiver_id="r1"), Resource("x", receiver_id="r2")
    allowed = {name for name in OPERATIONS if may(receiver(), name, own) and OPERATIONS[name].action}
    assert allowed == {
        *("ShowTask", "UpdateReceiver", "ListAssignments", "SubmitReceiverHalf", "ShowProof"),
        *("ShowLanding", "UpdateOrder"),
    }
    assert not {name for name in OPERATIONS if may(receiver(), name, other) and OPERATIONS[name].action}
    assert not {name for name in OPERATIONS if may(receiver(), name) and OPERATIONS[name].action}
    assert not {name for name in OPERATIONS if may(receiver(""), name) and OPERATIONS[name].action}


def test_a_refusal_names_action_resource_and_reason() -> None:
    with pytest.raises(PermissionMissing) as caught:
        require(agent(), "UpdateCommandResult", Resource("s2", source_id="s2"))
    error = caught.value
    assert error.code == "SMS.9004"
    assert error.status == 403
    assert error.params == ("no permission for action sms:server:updateCommandResult on resource sms::d1:server:s2.",)
    assert error.refusal.reason == "an agent's key may act for its own source only"
    assert error.refusal.principal_kind == "agent"
