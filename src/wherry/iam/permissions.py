"""Which principal may call which operation.

Users: by their policies, with the action names of SMS and their older aliases (the table is the reference's 9.2);
the account itself always may. Agents: what an agent calls, for their own source and its task. Receivers: their own
record and the tasks assigned to them. Nothing here reads a store: the caller says what the call touches.
"""

from dataclasses import dataclass
from typing import Final, NoReturn

from wherry.iam.policies import Decision, Effect, Policy, Question, Statement, decide
from wherry.iam.principals import Kind, Principal
from wherry.iam.refusals import PermissionMissing, Refusal

REGISTER: Final = "sms:server:registerServer"
MIGRATE: Final = "sms:server:migrationServer"
QUERY: Final = "sms:server:queryServer"


@dataclass(frozen=True, slots=True)
class Operation:
    """What one operation needs.

    Attributes:
        action: the identity action; empty where every principal of the account may call it.
        aliases: older actions that grant it too.
        resource_type: the middle of the resource's URN.
        agent: an agent may call it, for its own source.
        receiver: a receiver may call it, for its own record or a task assigned to it.
        own: a user who shows a token may call it for himself, unless a policy denies it.
        operator: nobody but the operator may call it, whatever a policy allows.
    """

    action: str
    aliases: tuple[str, ...] = ()
    resource_type: str = "server"
    agent: bool = False
    receiver: bool = False
    own: bool = False
    operator: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """What a call touches, as far as it's known.

    Attributes:
        id: its id; empty for a list or for something to be created.
        source_id: the source it is or belongs to.
        receiver_id: the receiver it is or is assigned to.
        enterprise_project_id: its label, for conditions of policies.
        of_owner: it's the account's administrator, and nobody else may do this to him.
    """

    id: str = ""
    source_id: str = ""
    receiver_id: str = ""
    enterprise_project_id: str = ""
    of_owner: bool = False


NOTHING: Final = Resource()

ENTERPRISE_PROJECT: Final = "g:EnterpriseProjectId"
"""The one condition key that requests have a value for."""

SMS_OPERATIONS: Final = {
    "RegisterServer": Operation("sms:server:register", (REGISTER,), agent=True),
    "ListServers": Operation("sms:server:list", (QUERY,)),
    "ShowServer": Operation("sms:server:get", (QUERY,), agent=True),
    "ShowOverview": Operation("sms:server:overview", (QUERY,)),
    "UpdateServerName": Operation("sms:server:update", (MIGRATE,)),
    "UpdateCopyState": Operation("sms:server:updateState", (MIGRATE,), agent=True),
    "UpdateDiskInfo": Operation("sms:server:updateDiskInfo", (MIGRATE,), agent=True),
    "DeleteServer": Operation("sms:server:delete", (MIGRATE,)),
    "DeleteServers": Operation("sms:server:batchDelete", ("sms:server:delete", MIGRATE)),
    "ListErrorServers": Operation("sms:server:listErrors", (QUERY, "server:queryServer"), "template"),
    "ShowCommand": Operation("sms:server:getCommand", (MIGRATE,), agent=True),
    "UpdateCommandResult": Operation("sms:server:updateCommandResult", (MIGRATE,), agent=True),
    "CreateTask": Operation("sms:server:createTask", (MIGRATE,)),
    "ListTasks": Operation("sms:server:listTask", (QUERY,)),
    "ShowTask": Operation("sms:server:getTask", (QUERY,), agent=True, receiver=True),
    "UpdateTask": Operation("sms:server:updateTask", (MIGRATE,), agent=True),
    "UpdateTaskStatus": Operation("sms:server:manageTask", (MIGRATE,)),
    "UpdateTaskSpeed": Operation("sms:server:updateTaskProgress", (MIGRATE,), agent=True),
    "DeleteTask": Operation("sms:server:deleteTask", (MIGRATE,)),
    "DeleteTasks": Operation("sms:server:batchDeleteTask", ("sms:server:deleteTask", MIGRATE)),
    "ShowsSpeedLimits": Operation("sms:server:getTaskSpeedLimit", (QUERY,), agent=True),
    "UpdateSpeed": Operation("sms:server:updateTaskSpeedLimit", (MIGRATE,)),
    "ShowPassphrase": Operation("sms:server:getTaskPassphrase", (QUERY,), agent=True),
    "ShowCertKey": Operation("sms:server:getCert", (QUERY,), agent=True),
    "CollectLog": Operation("sms:server:collectLog", (MIGRATE,)),
    "ShowConfigSetting": Operation("sms:server:getTaskConfig", (QUERY,), "task", agent=True),
    "UploadSpecialConfigurationSetting": Operation("sms:server:updateTaskConfig", (MIGRATE,), "task"),
    "UpdateNetworkCheckInfo": Operation("sms:server:updateNetworkCheckInfo", (MIGRATE,), "task", agent=True),
    "ShowConsistencyResult": Operation("sms:server:getConsistencyCheckResult", (QUERY,)),
    "UpdateConsistencyResult": Operation("sms:server:updateConsistencyCheckResult", (MIGRATE,), agent=True),
    "ExportConsistencyResults": Operation("sms:server:getBatchConsistencyResults", (QUERY,)),
    "CreateTemplate": Operation("sms:template:create", (MIGRATE,), "template"),
    "UpdateTemplate": Operation("sms:template:update", (MIGRATE,), "template"),
    "DeleteTemplate": Operation("sms:template:delete", (MIGRATE,), "template"),
    "DeleteTemplates": Operation("sms:template:batchDelete", ("sms:template:delete", MIGRATE), "template"),
    "ListTemplates": Operation("sms:template:list", (QUERY,), "template"),
    "ShowTemplate": Operation("sms:template:get", (QUERY,), "template"),
    "ShowTargetPassword": Operation("sms:template:getTargetPassword", (QUERY,), "template"),
    "CreateMigproject": Operation("sms:migproject:create", (MIGRATE,), "migproject"),
    "ListMigprojects": Operation("sms:migproject:list", (QUERY,), "migproject"),
    "ShowMigproject": Operation("sms:migproject:get", (QUERY,), "migproject"),
    "UpdateMigproject": Operation("sms:migproject:update", (MIGRATE,), "migproject"),
    "UpdateDefaultMigproject": Operation("sms:migproject:update", (MIGRATE,), "migproject"),
    "DeleteMigproject": Operation("sms:migproject:delete", (MIGRATE,), "migproject"),
    "ShowConfig": Operation("sms::getConfig", (QUERY,), "", agent=True),
    "CreatePrivacyAgreements": Operation("", agent=True),
    "ShowPrivacyAgreements": Operation("", agent=True),
    "ListApiVersion": Operation("", agent=True, receiver=True),
    "ShowApiVersion": Operation("", agent=True, receiver=True),
}

# Wherry's own operations. What reads about a task is granted by the right to read tasks; what an agent or a receiver
# writes, and what lets strangers in, no SMS policy grants.
WHERRY_OPERATIONS: Final = {
    "CreateJoinToken": Operation("wherry:joinToken:create", (), "joinToken"),
    "ListJoinTokens": Operation("wherry:joinToken:list", (), "joinToken"),
    "DeleteJoinToken": Operation("wherry:joinToken:delete", (), "joinToken"),
    "UpdateReceiver": Operation("wherry:receiver:update", (), "receiver", receiver=True),
    "ListFleet": Operation("wherry:server:listFleet", ("sms:server:list", QUERY)),
    "ListReceivers": Operation("wherry:receiver:list", (QUERY,), "receiver"),
    "ListAssignments": Operation("wherry:receiver:listAssignments", (), "receiver", receiver=True),
    "ShowRoute": Operation("wherry:task:getRoute", ("sms:server:getTask", QUERY), "task", agent=True),
    "UpdateReplication": Operation("wherry:task:updateReplication", (), "task", agent=True),
    "ShowReplication": Operation("wherry:task:getReplication", ("sms:server:getTask", QUERY), "task", agent=True),
    "ListReplicationSamples": Operation("wherry:task:listReplicationSamples", ("sms:server:getTask", QUERY), "task"),
    "StoreLog": Operation("wherry:task:storeLog", (), "task", agent=True),
    "DownloadLog": Operation("wherry:task:getLog", ("sms:server:getTask", QUERY), "task"),
    "CloseLog": Operation("wherry:task:closeLog", ("sms:server:collectLog", MIGRATE), "task"),
    "SubmitSourceHalf": Operation("wherry:task:submitSourceHalf", (), "task", agent=True),
    "SubmitReceiverHalf": Operation("wherry:task:submitReceiverHalf", (), "task", receiver=True),
    "ShowProof": Operation("wherry:task:getProof", ("sms:server:getTask", QUERY), "task", agent=True, receiver=True),
    "ListEvents": Operation("wherry:task:listEvents", ("sms:server:getTask", QUERY), "task"),
    "ShowReport": Operation("wherry:task:getReport", ("sms:server:getTask", QUERY), "task"),
    "ShowLanding": Operation(
        "wherry:task:getLanding", ("sms:server:getTask", QUERY), "task", agent=True, receiver=True
    ),
    "BeginLanding": Operation("wherry:task:beginLanding", (), "task", agent=True),
    "LaunchTarget": Operation("wherry:task:launchTarget", ("sms:server:manageTask", MIGRATE), "task"),
    "RollBackTarget": Operation("wherry:task:rollBackTarget", ("sms:server:manageTask", MIGRATE), "task"),
    "RecordTarget": Operation("wherry:task:recordTarget", ("sms:server:manageTask", MIGRATE), "task"),
    "ShowTargetConsole": Operation("wherry:task:getConsole", ("sms:server:getTask", QUERY), "task"),
    "ShowTargetScreenshot": Operation("wherry:task:getScreenshot", ("sms:server:getTask", QUERY), "task"),
    "ShowTargetMachine": Operation("wherry:task:getTargetMachine", ("sms:server:getTask", QUERY), "task"),
    "RecommendTargetMachine": Operation("wherry:server:recommendTargetMachine", ("sms:server:get", QUERY)),
    "UpdateTargetMachine": Operation("wherry:task:updateTargetMachine", ("sms:server:updateTask", MIGRATE), "task"),
    "ShowRehearsalSettings": Operation("wherry:task:getRehearsalSettings", ("sms:server:getTask", QUERY), "task"),
    "UpdateRehearsalSettings": Operation(
        "wherry:task:updateRehearsalSettings", ("sms:server:updateTask", MIGRATE), "task"
    ),
    "UpdateOrder": Operation("wherry:receiver:updateOrder", (), "receiver", receiver=True),
    "OrderRehearsal": Operation("wherry:rehearsal:order", ("sms:server:manageTask", MIGRATE), "rehearsal"),
    "ListRehearsals": Operation("wherry:rehearsal:list", ("sms:server:listTask", QUERY), "rehearsal"),
    "ShowRehearsal": Operation("wherry:rehearsal:get", ("sms:server:getTask", QUERY), "rehearsal"),
    "ShowRehearsalConsole": Operation("wherry:rehearsal:getConsole", ("sms:server:getTask", QUERY), "rehearsal"),
    "ShowRehearsalScreenshot": Operation("wherry:rehearsal:getScreenshot", ("sms:server:getTask", QUERY), "rehearsal"),
    "ListAuditEntries": Operation("wherry:audit:list", (), "audit"),
    "VerifyAuditLog": Operation("wherry:audit:verify", (), "audit", operator=True),
    "ListAccountEvents": Operation("wherry:event:list", ("sms:server:listTask", QUERY), "event"),
    "DecodeRefusal": Operation("wherry:refusal:decode", (), "refusal"),
    "ShowToken": Operation("", agent=True, receiver=True),
    "ListProjects": Operation("", agent=True, receiver=True),
    "ListDomains": Operation("", agent=True, receiver=True),
}

# Who may do what is itself something that not everybody may say. No SMS policy grants any of it.
ACCESS_OPERATIONS: Final = {
    "CreateAccount": Operation("wherry:account:create", (), "account", operator=True),
    "ListAccounts": Operation("wherry:account:list", (), "account", operator=True),
    "CreateUser": Operation("wherry:user:create", (), "user"),
    "ListUsers": Operation("wherry:user:list", (), "user"),
    "ShowUser": Operation("wherry:user:get", (), "user", own=True),
    "UpdateUser": Operation("wherry:user:update", (), "user"),
    "DeleteUser": Operation("wherry:user:delete", (), "user"),
    "ChangePassword": Operation("wherry:user:changePassword", (), "user", own=True),
    "CreateAccessKey": Operation("wherry:accessKey:create", (), "user", own=True),
    "ListAccessKeys": Operation("wherry:accessKey:list", (), "user", own=True),
    "UpdateAccessKey": Operation("wherry:accessKey:update", (), "user", own=True),
    "DeleteAccessKey": Operation("wherry:accessKey:delete", (), "user", own=True),
    "CreateGroup": Operation("wherry:group:create", (), "group"),
    "ListGroups": Operation("wherry:group:list", (), "group"),
    "ShowGroup": Operation("wherry:group:get", (), "group"),
    "DeleteGroup": Operation("wherry:group:delete", (), "group"),
    "AddGroupMember": Operation("wherry:group:addMember", (), "group"),
    "RemoveGroupMember": Operation("wherry:group:removeMember", (), "group"),
    "CreatePolicy": Operation("wherry:policy:create", (), "policy"),
    "ListPolicies": Operation("wherry:policy:list", (), "policy"),
    "ShowPolicy": Operation("wherry:policy:get", (), "policy"),
    "UpdatePolicy": Operation("wherry:policy:update", (), "policy"),
    "DeletePolicy": Operation("wherry:policy:delete", (), "policy"),
    "AttachUserPolicy": Operation("wherry:policy:attachToUser", (), "user"),
    "DetachUserPolicy": Operation("wherry:policy:detachFromUser", (), "user"),
    "AttachGroupPolicy": Operation("wherry:policy:attachToGroup", (), "group"),
    "DetachGroupPolicy": Operation("wherry:policy:detachFromGroup", (), "group"),
    "RevokeToken": Operation(""),
}

# Whom the control plane writes to is as much as a door out. No SMS policy grants any of it.
NOTIFICATION_OPERATIONS: Final = {
    "CreateSubscription": Operation("wherry:subscription:create", (), "subscription"),
    "ListSubscriptions": Operation("wherry:subscription:list", (), "subscription"),
    "ShowSubscription": Operation("wherry:subscription:get", (), "subscription"),
    "UpdateSubscription": Operation("wherry:subscription:update", (), "subscription"),
    "DeleteSubscription": Operation("wherry:subscription:delete", (), "subscription"),
    "TestSubscription": Operation("wherry:subscription:test", (), "subscription"),
    "ListDeliveries": Operation("wherry:subscription:listDeliveries", (), "subscription"),
    "ShowDelivery": Operation("wherry:subscription:getDelivery", (), "subscription"),
    "RepeatDelivery": Operation("wherry:subscription:repeatDelivery", (), "subscription"),
}

# The one operation of another service, so that clients can look a target server up.
ECS_OPERATIONS: Final = {
    "ShowCloudServer": Operation(
        "ecs:cloudServers:showServer", ("ecs:cloudServers:get", "sms:server:getTask", QUERY), "instance"
    ),
}

OPERATIONS: Final = SMS_OPERATIONS | WHERRY_OPERATIONS | ACCESS_OPERATIONS | NOTIFICATION_OPERATIONS | ECS_OPERATIONS

ADMINISTRATOR: Final = Policy("administrator", (Statement(Effect.ALLOW, ("*",)),))
SMS_FULL_ACCESS: Final = Policy("SMS FullAccess", (Statement(Effect.ALLOW, ("sms:*:*",)),))
SMS_READ_ONLY_ACCESS: Final = Policy("SMS ReadOnlyAccess", (Statement(Effect.ALLOW, (QUERY,)),))
SYSTEM_POLICIES: Final = {policy.name: policy for policy in (ADMINISTRATOR, SMS_FULL_ACCESS, SMS_READ_ONLY_ACCESS)} | {
    "SMSFullAccessPolicy": Policy("SMSFullAccessPolicy", SMS_FULL_ACCESS.statements),
    "SMSReadOnlyPolicy": Policy(
        "SMSReadOnlyPolicy",
        (Statement(Effect.ALLOW, ("sms:*:get*", "sms:*:list*", "sms:server:overview", "sms::getConfig")),),
    ),
}
SYSTEM_POLICY_IDS: Final = {
    "administrator": "administrator",
    "sms-full-access": "SMS FullAccess",
    "sms-read-only-access": "SMS ReadOnlyAccess",
    "sms-full-access-policy": "SMSFullAccessPolicy",
    "sms-read-only-policy": "SMSReadOnlyPolicy",
}
"""The names of the system policies by their ids, which can stand in a path."""


def require(principal: Principal, operation: str, resource: Resource = NOTHING) -> None:
    """Return when *principal* may call *operation* on *resource*; raise PermissionMissing otherwise.

    *operation* is a key of `OPERATIONS`. *resource* must belong to the principal's account: what belongs to another
    account doesn't exist for the caller, which is the handler's 404 and not a matter of permission.
    """
    reason = why_not(principal, operation, resource)
    if reason:
        _refuse(principal, OPERATIONS[operation], operation, resource, reason)


def why_not(principal: Principal, operation: str, resource: Resource = NOTHING) -> str:
    """Return why *principal* may not call *operation* on *resource*, in words; empty when he may."""
    rule = OPERATIONS[operation]
    if principal.kind is Kind.USER:
        return _why_not_user(principal, rule, resource)
    if principal.kind is Kind.AGENT:
        return _why_not_agent(principal, rule, operation, resource)
    return _why_not_receiver(principal, rule, resource)


def resource_urn(principal: Principal, rule: Operation, resource: Resource) -> str:
    """Return the uniform name of *resource*, such as ``sms::<account>:server:<id>``."""
    service = rule.action.partition(":")[0] or "sms"
    return f"{service}::{principal.domain_id}:{rule.resource_type}:{resource.id or '*'}"


def _why_not_user(principal: Principal, rule: Operation, resource: Resource) -> str:
    if rule.operator:
        return "" if principal.operator else "only the administrator of the operator's account may do this"
    if principal.account_owner or not rule.action:
        return ""
    if resource.of_owner:
        return "the account's administrator can be changed by himself only"
    decision = _decision(principal, rule, resource)
    if decision.effect is Effect.DENY:
        return f"the policy {decision.policy!r} denies the action"
    himself = rule.own and resource.id == principal.user_id and bool(principal.token_id)
    return "" if himself or decision.effect is Effect.ALLOW else "no policy of the user allows the action"


def _decision(principal: Principal, rule: Operation, resource: Resource) -> Decision:
    context = {}
    if resource.enterprise_project_id:
        context[ENTERPRISE_PROJECT.lower()] = resource.enterprise_project_id
    urn = resource_urn(principal, rule, resource)
    return decide(principal.policies, Question((rule.action, *rule.aliases), urn, context))


def _why_not_agent(principal: Principal, rule: Operation, operation: str, resource: Resource) -> str:
    if not rule.agent:
        return "an agent's key cannot call this operation"
    if not rule.action:
        return ""
    own = resource.source_id == principal.source_id
    if operation in _BEFORE_BINDING:
        # An unbound key that names a source would take over somebody else's record.
        return "" if own or not resource.source_id else "an agent's key may act for its own source only"
    if not principal.source_id:
        return "an agent's key may only register until it is bound to a source"
    return "" if own else "an agent's key may act for its own source only"


def _why_not_receiver(principal: Principal, rule: Operation, resource: Resource) -> str:
    if not rule.receiver:
        return "a receiver's key cannot call this operation"
    if rule.action and (not principal.receiver_id or resource.receiver_id != principal.receiver_id):
        return "a receiver's key may act for its own record and the tasks assigned to it only"
    return ""


_BEFORE_BINDING: Final = frozenset({"RegisterServer", "ShowConfig"})


def _refuse(principal: Principal, rule: Operation, operation: str, resource: Resource, reason: str) -> NoReturn:
    raise PermissionMissing(
        Refusal(
            action=rule.action or operation,
            resource=resource_urn(principal, rule, resource),
            principal_kind=principal.kind.value,
            principal_id=principal.user_id,
            principal_name=principal.user_name,
            domain_id=principal.domain_id,
            reason=reason,
        )
    )
