"""The lines of the route table for accounts, users, access keys, groups, policies, temporary keys, and ECS."""

from wherry.server import (
    access_keys,
    accounts,
    cloud_servers,
    groups,
    identity,
    passwords,
    policies,
    refused_messages,
    temporary_keys,
    users,
)
from wherry.server.route import AuditName, ErrorShape, Handler, Route

_BODY = 64 * 1024
_POLICY_BODY = 256 * 1024

_OWN = "/wherry/v1"
_USER = f"{_OWN}/users/{{user_id}}"
_KEYS = f"{_USER}/access-keys"
_KEY = f"{_KEYS}/{{access_key}}"
_GROUP = f"{_OWN}/groups/{{group_id}}"
_MEMBER = f"{_GROUP}/members/{{user_id}}"
_POLICY = f"{_OWN}/policies/{{policy_id}}"


def _changing(operation: str, method: str, path: str, handler: Handler, audit: tuple[str, str]) -> Route:
    return Route(operation, method, path, handler, AuditName(*audit), max_body=_BODY)


ACCESS = (
    _changing("CreateAccount", "POST", f"{_OWN}/accounts", accounts.create_account, ("account", "createAccount")),
    Route("ListAccounts", "GET", f"{_OWN}/accounts", accounts.list_accounts),
    _changing("CreateUser", "POST", f"{_OWN}/users", users.create_user, ("user", "createUser")),
    Route("ListUsers", "GET", f"{_OWN}/users", users.list_users),
    Route("ShowUser", "GET", _USER, users.show_user),
    _changing("UpdateUser", "PUT", _USER, users.update_user, ("user", "updateUser")),
    _changing("DeleteUser", "DELETE", _USER, users.delete_user, ("user", "deleteUser")),
    _changing("ChangePassword", "POST", f"{_USER}/password", passwords.change_password, ("user", "changePassword")),
    _changing("CreateAccessKey", "POST", _KEYS, access_keys.create_access_key, ("accessKey", "createAccessKey")),
    Route("ListAccessKeys", "GET", _KEYS, access_keys.list_access_keys),
    _changing("UpdateAccessKey", "PUT", _KEY, access_keys.update_access_key, ("accessKey", "updateAccessKey")),
    _changing("DeleteAccessKey", "DELETE", _KEY, access_keys.delete_access_key, ("accessKey", "deleteAccessKey")),
    _changing("CreateGroup", "POST", f"{_OWN}/groups", groups.create_group, ("group", "createGroup")),
    Route("ListGroups", "GET", f"{_OWN}/groups", groups.list_groups),
    Route("ShowGroup", "GET", _GROUP, groups.show_group),
    _changing("DeleteGroup", "DELETE", _GROUP, groups.delete_group, ("group", "deleteGroup")),
    _changing("AddGroupMember", "PUT", _MEMBER, groups.add_group_member, ("group", "addMember")),
    _changing("RemoveGroupMember", "DELETE", _MEMBER, groups.remove_group_member, ("group", "removeMember")),
    Route(
        "CreatePolicy",
        "POST",
        f"{_OWN}/policies",
        policies.create_policy,
        AuditName("policy", "createPolicy"),
        max_body=_POLICY_BODY,
    ),
    Route("ListPolicies", "GET", f"{_OWN}/policies", policies.list_policies),
    Route("ShowPolicy", "GET", _POLICY, policies.show_policy),
    Route(
        "UpdatePolicy",
        "PUT",
        _POLICY,
        policies.update_policy,
        AuditName("policy", "updatePolicy"),
        max_body=_POLICY_BODY,
    ),
    _changing("DeletePolicy", "DELETE", _POLICY, policies.delete_policy, ("policy", "deletePolicy")),
    _changing(
        "AttachUserPolicy",
        "PUT",
        f"{_USER}/policies/{{policy_id}}",
        policies.attach_user_policy,
        ("policy", "attachToUser"),
    ),
    _changing(
        "DetachUserPolicy",
        "DELETE",
        f"{_USER}/policies/{{policy_id}}",
        policies.detach_user_policy,
        ("policy", "detachFromUser"),
    ),
    _changing(
        "AttachGroupPolicy",
        "PUT",
        f"{_GROUP}/policies/{{policy_id}}",
        policies.attach_group_policy,
        ("policy", "attachToGroup"),
    ),
    _changing(
        "DetachGroupPolicy",
        "DELETE",
        f"{_GROUP}/policies/{{policy_id}}",
        policies.detach_group_policy,
        ("policy", "detachFromGroup"),
    ),
    Route(
        "DecodeRefusal",
        "POST",
        f"{_OWN}/decode-authorization-message",
        refused_messages.decode_refusal,
        max_body=2 * _BODY,
    ),
)

IAM = (
    Route(
        "RevokeToken",
        "DELETE",
        "/v3/auth/tokens",
        identity.revoke_token,
        AuditName("token", "revokeToken"),
        max_body=_BODY,
        errors=ErrorShape.KEYSTONE,
    ),
    Route(
        "CreateTemporaryKey",
        "POST",
        "/v3.0/OS-CREDENTIAL/securitytokens",
        temporary_keys.create_temporary_key,
        AuditName("temporaryKey", "createTemporaryKey"),
        anonymous=True,
        max_body=_BODY,
        errors=ErrorShape.KEYSTONE,
    ),
)

ECS = (Route("ShowCloudServer", "GET", "/v1/{project_id}/cloudservers/{server_id}", cloud_servers.show_cloud_server),)
