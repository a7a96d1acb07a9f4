"""Webhooks: an event as the body of a signed POST. No redirects, no proxies, and little is read of the answer."""

import asyncio
import importlib.metadata
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore

from wherry.server.notifications.errors import (
    DeliveryTooSlow,
    WebhookGone,
    WebhookRefused,
    WebhookUnreachable,
)
from wherry.server.notifications.message import CLOUD_EVENT_JSON, Message
from wherry.server.notifications.network_guard import GuardedNetwork, NetworkGuard
from wherry.server.notifications.signing import signed_headers
from wherry.server.notifications.way import LIMIT_S

_MOST_BYTES: Final = 16 << 10
"""Of an answer's body; it means nothing, but connections end better when it's read."""


class Webhooks:
    """Sends events to URLs.

    Args:
        guard: judges where they are.
        trusted: whose certificates count.
        clock: the time in epoch milliseconds.
    """

    def __init__(
        self, guard: NetworkGuard, trusted: ssl.SSLContext, clock: Callable[[], int], *, limit_s: float = LIMIT_S
    ) -> None:
        self._network = GuardedNetwork(guard)
        self._trusted = trusted
        self._clock = clock
        self._limit_s = limit_s
        self._agent = f"Wherry/{importlib.metadata.version('wherry')}"

    async def tell(self, message: Message, target: Mapping[str, Any], secret: str) -> None:
        """Send *message* to the URL of *target*, signed by *secret*. Raises Undeliverable."""
        body = message.cloud_event()
        host = urlsplit(target["url"]).netloc
        headers: dict[bytes | str, bytes | str] = {
            "host": host,
            "user-agent": self._agent,
            "content-type": CLOUD_EVENT_JSON,
            "content-length": str(len(body)),
        }
        headers.update(signed_headers(secret, message.id, self._clock() // 1000, body).items())
        try:
            async with asyncio.timeout(self._limit_s):
                status = await self._post(target["url"], headers, body)
        except TimeoutError as error:
            raise DeliveryTooSlow(host=host, limit_s=self._limit_s) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise WebhookUnreachable(host=host, reason=str(error) or type(error).__name__) from error
        if status == 410:
            raise WebhookGone(host=host)
        if not 200 <= status < 300:
            raise WebhookRefused(host=host, status=status)

    async def _post(self, url: str, headers: Mapping[bytes | str, bytes | str], body: bytes) -> int:
        # A connection of its own each time: events are rare, and one that was left open may be dead.
        pool = httpcore.AsyncConnectionPool(self._trusted, network_backend=self._network, max_keepalive_connections=0)
        async with pool, pool.stream("POST", url, headers=headers, content=body) as answer:
            read = 0
            async for piece in answer.aiter_stream():
                read += len(piece)
                if read > _MOST_BYTES:
                    break
            return int(answer.status)
