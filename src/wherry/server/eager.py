"""Coroutines that run at once, and become a task only where they have to wait.

Most requests never wait, or once for a commit. A task costs 3 µs, and it starts a turn of the event loop later. From
Python 3.12 on that's `asyncio.eager_task_factory`.

Up to where a coroutine first waits it runs in no task: what asks for the current one (asyncio.timeout, httpx) must come
behind a wait, if need be `await asyncio.sleep(0)`.
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


def start_eagerly(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run *coroutine* up to its first wait, and return the task that goes on with it; None: it has ended.

    Raises what it raises before it waits.
    """
    try:
        awaited = coroutine.send(None)
    except StopIteration:
        return None
    return loop.create_task(_go_on(_Rest(coroutine, awaited)))


async def _go_on(rest: "_Rest") -> None:
    await rest


class _Rest:
    """What is left of a coroutine that waits for *awaited* already."""

    __slots__ = ("_awaited", "_coroutine")

    def __init__(self, coroutine: Coroutine[Any, Any, None], awaited: Any) -> None:
        self._coroutine = coroutine
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, None]:
        coroutine, awaited = self._coroutine, self._awaited
        self._awaited = None
        while True:
            try:
                try:
                    sent = yield awaited
                except BaseException as error:  # noqa: BLE001 - a cancellation, handed on
                    awaited = coroutine.throw(error)
                else:
                    awaited = coroutine.send(sent)
            except StopIteration:
                return
