"""Examples for the OpenAPI document: accounts, users, access keys, groups, policies, temporary keys."""

from collections.abc import Mapping
from typing import Any

PARAMETERS: Mapping[str, Any] = {
    "user_id": "1c9e8d7f-6a5b-4c3d-8e2f-1a0b9c8d7e6f",
    "group_id": "2d8f7e6a-5b4c-4d3e-9f1a-0b9c8d7e6f5a",
    "policy_id": "sms-read-only-access",
    "access_key": "AKWHERRYEXAMPLE00001",
    "join_token_id": "9a4c2e10-7b3d-4f58-8c61-5e2d7f9b1a3c",
    "project_id": "0123456789abcdef0123456789abcdef",
}

_DOCUMENT = {
    "Version": "5.0",
    "Statement": [
        {"Effect": "Allow", "Action": ["sms:*:*"]},
        {
            "Effect": "Deny",
            "Action": ["sms:server:delete*"],
            "Condition": {"StringEquals": {"g:EnterpriseProjectId": ["default"]}},
        },
    ],
}

BODIES: Mapping[str, Any] = {
    "CreateAccount": {"name": "shop", "administrator": "admin"},
    "CreateUser": {"name": "rita", "password": "only reads, never writes", "description": "Looks after the reports"},
    "UpdateUser": {"enabled": False},
    "ChangePassword": {"original_password": "only reads, never writes", "password": "reads what is written"},
    "CreateAccessKey": {"description": "Terraform"},
    "UpdateAccessKey": {"enabled": False},
    "CreateGroup": {"name": "movers", "description": "Who moves servers"},
    "CreatePolicy": {"name": "move, but delete nothing", "document": _DOCUMENT, "description": "For movers"},
    "UpdatePolicy": {"description": "For all movers"},
    "DecodeRefusal": {"encoded_message": "the encoded_authorization_message of a 403"},
    "CreateTemporaryKey": {"auth": {"identity": {"methods": ["token"], "token": {"duration_seconds": 900}}}},
}
