"""Who may do what: users, groups, access keys and policies."""

from wherry.client.calling import Caller, decode
from wherry.client.transport import path_of
from wherry.contract import accounts

_OWN = ("wherry", "v1")


class AccessOperations(Caller):
    """Who may do what: users, groups, access keys and policies."""

    def create_account(self, creation: accounts.AccountCreation) -> accounts.AccountCreated:
        """CreateAccount: its administrator's secrets are shown this once."""
        path = path_of(*_OWN, "accounts")
        return self._post("CreateAccount", path, creation, accounts.AccountCreated, repeatable=False)

    def list_accounts(self, **filters: object) -> accounts.AccountList:
        """ListAccounts; *filters* are the operation's query parameters."""
        return self._get("ListAccounts", path_of(*_OWN, "accounts"), accounts.AccountList, filters)

    # Users

    def create_user(self, creation: accounts.UserCreation) -> accounts.User:
        """CreateUser. Not tried again once it may have arrived."""
        return self._post("CreateUser", path_of(*_OWN, "users"), creation, accounts.User, repeatable=False)

    def list_users(self, **filters: object) -> accounts.UserList:
        """ListUsers; *filters* are the operation's query parameters."""
        return self._get("ListUsers", path_of(*_OWN, "users"), accounts.UserList, filters)

    def show_user(self, user_id: str) -> accounts.UserDetail:
        """ShowUser, with the groups and the policies."""
        return self._get("ShowUser", path_of(*_OWN, "users", user_id), accounts.UserDetail)

    def update_user(self, user_id: str, update: accounts.UserUpdate) -> accounts.User:
        """UpdateUser: what isn't sent stays."""
        body = self._send_body("PUT", path_of(*_OWN, "users", user_id), update)
        return decode("UpdateUser", body, accounts.User)

    def delete_user(self, user_id: str) -> None:
        """DeleteUser, with the keys."""
        self._delete(path_of(*_OWN, "users", user_id))

    # Access keys

    def create_access_key(self, user_id: str, description: str = "") -> accounts.AccessKeyCreated:
        """CreateAccessKey: its secret is shown this once. Not tried again once it may have arrived."""
        body = accounts.AccessKeyCreation(description=description)
        path = path_of(*_OWN, "users", user_id, "access-keys")
        return self._post("CreateAccessKey", path, body, accounts.AccessKeyCreated, repeatable=False)

    def list_access_keys(self, user_id: str) -> accounts.AccessKeyList:
        """ListAccessKeys."""
        path = path_of(*_OWN, "users", user_id, "access-keys")
        return self._get("ListAccessKeys", path, accounts.AccessKeyList)

    def update_access_key(self, user_id: str, access_key: str, update: accounts.AccessKeyUpdate) -> accounts.AccessKey:
        """UpdateAccessKey: what isn't sent stays."""
        body = self._send_body("PUT", path_of(*_OWN, "users", user_id, "access-keys", access_key), update)
        return decode("UpdateAccessKey", body, accounts.AccessKey)

    def delete_access_key(self, user_id: str, access_key: str) -> None:
        """DeleteAccessKey."""
        self._delete(path_of(*_OWN, "users", user_id, "access-keys", access_key))

    # Groups

    def create_group(self, creation: accounts.GroupCreation) -> accounts.Group:
        """CreateGroup. Not tried again once it may have arrived."""
        return self._post("CreateGroup", path_of(*_OWN, "groups"), creation, accounts.Group, repeatable=False)

    def list_groups(self, **filters: object) -> accounts.GroupList:
        """ListGroups; *filters* are the operation's query parameters."""
        return self._get("ListGroups", path_of(*_OWN, "groups"), accounts.GroupList, filters)

    def show_group(self, group_id: str) -> accounts.GroupDetail:
        """ShowGroup, with the members and the policies."""
        return self._get("ShowGroup", path_of(*_OWN, "groups", group_id), accounts.GroupDetail)

    def delete_group(self, group_id: str) -> None:
        """DeleteGroup."""
        self._delete(path_of(*_OWN, "groups", group_id))

    def add_group_member(self, group_id: str, user_id: str) -> None:
        """AddGroupMember. Repeating it is harmless."""
        self._put(path_of(*_OWN, "groups", group_id, "members", user_id), {})

    def remove_group_member(self, group_id: str, user_id: str) -> None:
        """RemoveGroupMember."""
        self._delete(path_of(*_OWN, "groups", group_id, "members", user_id))

    # Policies

    def create_policy(self, creation: accounts.PolicyCreation) -> accounts.Policy:
        """CreatePolicy. Not tried again once it may have arrived."""
        return self._post("CreatePolicy", path_of(*_OWN, "policies"), creation, accounts.Policy, repeatable=False)

    def list_policies(self) -> accounts.PolicyList:
        """ListPolicies: the system policies and the account's own."""
        return self._get("ListPolicies", path_of(*_OWN, "policies"), accounts.PolicyList)

    def show_policy(self, policy_id: str) -> accounts.Policy:
        """ShowPolicy."""
        return self._get("ShowPolicy", path_of(*_OWN, "policies", policy_id), accounts.Policy)

    def update_policy(self, policy_id: str, update: accounts.PolicyUpdate) -> accounts.Policy:
        """UpdatePolicy: what isn't sent stays."""
        body = self._send_body("PUT", path_of(*_OWN, "policies", policy_id), update)
        return decode("UpdatePolicy", body, accounts.Policy)

    def delete_policy(self, policy_id: str) -> None:
        """DeletePolicy, from all that it's attached to."""
        self._delete(path_of(*_OWN, "policies", policy_id))

    def attach_user_policy(self, user_id: str, policy_id: str) -> None:
        """AttachUserPolicy. Repeating it is harmless."""
        self._put(path_of(*_OWN, "users", user_id, "policies", policy_id), {})

    def detach_user_policy(self, user_id: str, policy_id: str) -> None:
        """DetachUserPolicy."""
        self._delete(path_of(*_OWN, "users", user_id, "policies", policy_id))

    def attach_group_policy(self, group_id: str, policy_id: str) -> None:
        """AttachGroupPolicy. Repeating it is harmless."""
        self._put(path_of(*_OWN, "groups", group_id, "policies", policy_id), {})

    def detach_group_policy(self, group_id: str, policy_id: str) -> None:
        """DetachGroupPolicy."""
        self._delete(path_of(*_OWN, "groups", group_id, "policies", policy_id))

    def decode_refusal(self, encoded_message: str) -> str:
        """DecodeRefusal: return what the encoded message of a 403 says, as JSON."""
        path = path_of(*_OWN, "decode-authorization-message")
        body = accounts.EncodedMessage(encoded_message=encoded_message)
        return self._post("DecodeRefusal", path, body, accounts.DecodedMessage).decoded_message
