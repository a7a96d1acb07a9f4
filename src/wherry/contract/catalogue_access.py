"""Wherry's own codes of who may do what: accounts, users, access keys, groups, policies; and of the ECS corner.

WHERRY.58xx.
"""

from wherry.contract.error_entry import ErrorEntry

ENTRIES = (
    ErrorEntry(
        "WHERRY.5801",
        404,
        "The user does not exist",
        "No user of this account has this id.",
        "List the users by GET /wherry/v1/users.",
    ),
    ErrorEntry(
        "WHERRY.5802",
        404,
        "The group does not exist",
        "No group of this account has this id.",
        "List the groups by GET /wherry/v1/groups.",
    ),
    ErrorEntry(
        "WHERRY.5803",
        404,
        "The policy does not exist",
        "Neither a system policy nor a policy of this account has this id, or it isn't attached here.",
        "List the policies by GET /wherry/v1/policies.",
    ),
    ErrorEntry(
        "WHERRY.5804",
        404,
        "The access key does not exist",
        "The user has no access key of this id.",
        "List the keys by GET /wherry/v1/users/{user_id}/access-keys.",
    ),
    ErrorEntry(
        "WHERRY.5805",
        409,
        "The name is taken",
        "Names of accounts are unique on a control plane; names of users, groups and policies within an account.",
        "Choose another name.",
    ),
    ErrorEntry(
        "WHERRY.5806",
        400,
        "The policy document is not valid",
        "It isn't a document of version 1.1 or 5.0, or it names an action, a resource or a condition that isn't one.",
        "Mend what the message and error_param name; docs/authorization.md lists the actions.",
    ),
    ErrorEntry(
        "WHERRY.5807",
        409,
        "The policy is still attached",
        "Users or groups would lose rights, or get some that it denied, without anybody noticing.",
        "Detach it from all users and groups first.",
    ),
    ErrorEntry(
        "WHERRY.5808",
        409,
        "The user is the account's administrator",
        "An account without an administrator could not be administered by anybody.",
        "Give somebody else a policy if he shall have fewer rights; the administrator stays.",
    ),
    ErrorEntry(
        "WHERRY.5809",
        409,
        "The limit is reached",
        "A user may have 10 access keys, an account 200 policies of its own.",
        "Delete what isn't used any more.",
    ),
    ErrorEntry(
        "WHERRY.5810",
        400,
        "The encoded message cannot be decoded",
        "It was shortened or changed, or it tells of another account or comes from another control plane.",
        "Copy the whole encoded_authorization_message of the 403, and ask as a user of the same account.",
    ),
    ErrorEntry(
        "WHERRY.5811",
        400,
        "The password is not accepted",
        "The original password is wrong, or the new one is the same or holds the user's name.",
        "Type the original password again, and choose a new one of at least 8 characters without the user's name.",
    ),
    ErrorEntry(
        "WHERRY.5812",
        404,
        "The server does not exist",
        "No receiver of this account announces a server of this id, and no task migrates to one.",
        "Look whether the receiver is connected, or create the task for the server first.",
    ),
    ErrorEntry(
        "WHERRY.5813",
        409,
        "A system policy cannot be changed",
        "System policies are the same for all accounts.",
        "Create a policy of your own with the document that you need.",
    ),
    ErrorEntry(
        "WHERRY.5814",
        400,
        "A policy for a temporary access key is not supported",
        "The request asks for a key with fewer rights than the user has; this control plane would have to ignore that.",
        "Make a user with fewer rights, and get the temporary key by a token of that user.",
    ),
    ErrorEntry(
        "WHERRY.5815",
        400,
        "The user is not one of this control plane",
        "Users are those of an OpenStack Keystone, which knows neither access keys nor temporary ones here.",
        "Sign in to Keystone for a token, or use a user of this control plane.",
    ),
)
