"""What the agent of a source is to be told, as it's remembered between polls."""

import msgspec

from wherry.iam.permissions import Resource
from wherry.server.answers import Answer


class Told(msgspec.Struct, frozen=True):
    """The answer to a poll.

    Attributes:
        account_id: the account that the source belongs to.
        resource: the source, as permissions see it.
        waiting: whether it's a command, not an idle name.
        answer: what is sent.
    """

    account_id: str
    resource: Resource
    waiting: bool
    answer: Answer
