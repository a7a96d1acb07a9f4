"""The index of the operations on who may do what: accounts, users, keys, groups, policies; and of the ECS corner."""

from collections.abc import Mapping
from types import MappingProxyType

from wherry.contract import accounts, cloud_servers, temporary_keys
from wherry.contract.operations import OperationShape

_OWN = "/wherry/v1"
_USER = f"{_OWN}/users/{{user_id}}"
_KEYS = f"{_USER}/access-keys"
_KEY = f"{_KEYS}/{{access_key}}"
_GROUP = f"{_OWN}/groups/{{group_id}}"
_MEMBER = f"{_GROUP}/members/{{user_id}}"
_POLICY = f"{_OWN}/policies/{{policy_id}}"

ACCESS_OPERATIONS: Mapping[str, OperationShape] = MappingProxyType(
    {
        "CreateAccount": OperationShape("POST", f"{_OWN}/accounts", accounts.AccountCreated, accounts.AccountCreation),
        "ListAccounts": OperationShape("GET", f"{_OWN}/accounts", accounts.AccountList, query=accounts.PageQuery),
        "CreateUser": OperationShape("POST", f"{_OWN}/users", accounts.User, accounts.UserCreation),
        "ListUsers": OperationShape("GET", f"{_OWN}/users", accounts.UserList, query=accounts.PageQuery),
        "ShowUser": OperationShape("GET", _USER, accounts.UserDetail),
        "UpdateUser": OperationShape("PUT", _USER, accounts.User, accounts.UserUpdate),
        "DeleteUser": OperationShape("DELETE", _USER),
        "ChangePassword": OperationShape("POST", f"{_USER}/password", body=accounts.PasswordChange),
        "CreateAccessKey": OperationShape("POST", _KEYS, accounts.AccessKeyCreated, accounts.AccessKeyCreation),
        "ListAccessKeys": OperationShape("GET", _KEYS, accounts.AccessKeyList),
        "UpdateAccessKey": OperationShape("PUT", _KEY, accounts.AccessKey, accounts.AccessKeyUpdate),
        "DeleteAccessKey": OperationShape("DELETE", _KEY),
        "CreateGroup": OperationShape("POST", f"{_OWN}/groups", accounts.Group, accounts.GroupCreation),
        "ListGroups": OperationShape("GET", f"{_OWN}/groups", accounts.GroupList, query=accounts.PageQuery),
        "ShowGroup": OperationShape("GET", _GROUP, accounts.GroupDetail),
        "DeleteGroup": OperationShape("DELETE", _GROUP),
        "AddGroupMember": OperationShape("PUT", _MEMBER),
        "RemoveGroupMember": OperationShape("DELETE", _MEMBER),
        "CreatePolicy": OperationShape("POST", f"{_OWN}/policies", accounts.Policy, accounts.PolicyCreation),
        "ListPolicies": OperationShape("GET", f"{_OWN}/policies", accounts.PolicyList),
        "ShowPolicy": OperationShape("GET", _POLICY, accounts.Policy),
        "UpdatePolicy": OperationShape("PUT", _POLICY, accounts.Policy, accounts.PolicyUpdate),
        "DeletePolicy": OperationShape("DELETE", _POLICY),
        "AttachUserPolicy": OperationShape("PUT", f"{_USER}/policies/{{policy_id}}"),
        "DetachUserPolicy": OperationShape("DELETE", f"{_USER}/policies/{{policy_id}}"),
        "AttachGroupPolicy": OperationShape("PUT", f"{_GROUP}/policies/{{policy_id}}"),
        "DetachGroupPolicy": OperationShape("DELETE", f"{_GROUP}/policies/{{policy_id}}"),
        "DecodeRefusal": OperationShape(
            "POST", f"{_OWN}/decode-authorization-message", accounts.DecodedMessage, accounts.EncodedMessage
        ),
        "RevokeToken": OperationShape("DELETE", "/v3/auth/tokens"),
        "CreateTemporaryKey": OperationShape(
            "POST",
            "/v3.0/OS-CREDENTIAL/securitytokens",
            temporary_keys.TemporaryKeyAnswer,
            temporary_keys.TemporaryKeyRequest,
        ),
        "ShowCloudServer": OperationShape(
            "GET", "/v1/{project_id}/cloudservers/{server_id}", cloud_servers.CloudServerAnswer
        ),
    }
)
"""The operations by their ids. RevokeToken answers nothing at all."""
