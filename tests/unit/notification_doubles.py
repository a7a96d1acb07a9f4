"""Doubles for notifications: a way that remembers what it was told, and settings that know no other."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from wherry.server.notifications.errors import Undeliverable, WebhookRefused
from wherry.server.notifications.message import Message
from wherry.server.notifications.settings import NotificationSettings
from wherry.server.notifications.way import Way

WAIT_S = 30.0


class RecordedWay:
    """Remembers what it was told. As long as `failing` answers an error, it raises that instead."""

    def __init__(self) -> None:
        self.told: list[tuple[Message, Mapping[str, Any], str]] = []
        self.tried: list[Message] = []
        self.failing: Callable[[Message], Exception | None] = lambda _: None
        self.held: asyncio.Event | None = None
        self._news = asyncio.Event()

    async def tell(self, message: Message, target: Mapping[str, Any], secret: str) -> None:
        self.tried.append(message)
        self._news.set()
        if self.held is not None:
            await self.held.wait()
        failure = self.failing(message)
        if failure is not None:
            raise failure
        self.told.append((message, target, secret))
        self._news.set()

    async def until(self, enough: Callable[[], bool]) -> None:
        """Return once *enough* holds, which is looked at with each event."""
        async with asyncio.timeout(WAIT_S):
            while not enough():
                self._news.clear()
                await self._news.wait()

    def types(self) -> list[str]:
        """Return the types of the events that were told, in their order."""
        return [message.type for message, _, _ in self.told]


class Recorded(NotificationSettings):
    """Settings by which everything goes one way."""

    way: Way

    def ways(self, clock: Callable[[], int]) -> Mapping[str, Way]:  # noqa: ARG002 - it needs none
        return {"webhook": self.way}


def recorded(way: Way) -> NotificationSettings:
    settings = Recorded()
    object.__setattr__(settings, "way", way)
    return settings


def refused(status: int = 500) -> Undeliverable:
    return WebhookRefused(host="hooks.example", status=status)


async def settled(admin: httpx.AsyncClient, delivery: str, state: str) -> dict[str, Any]:
    """Return the delivery once it's in *state*: it's settled a moment after the way was told."""
    async with asyncio.timeout(WAIT_S):
        while True:
            found: dict[str, Any] = (await admin.get(f"/wherry/v1/deliveries/{delivery}")).json()
            if found["state"] == state:
                return found
            await asyncio.sleep(0.01)
