"""The ways by which subscriptions are told: what each of them has to do."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from wherry.server.notifications.message import Message

LIMIT_S: Final = 15
"""How long one attempt may take, in seconds."""


class Way(Protocol):
    """One way."""

    async def tell(self, message: Message, target: Mapping[str, Any], secret: str) -> None:
        """Tell *message* to *target*, with the subscription's *secret* where it has one.

        Raises Undeliverable where it didn't arrive, or may not have.
        """
