"""Coroutines that run at once and become a task where they wait."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from wherry.server.eager import start_eagerly


def run(check: Callable[[asyncio.AbstractEventLoop], Awaitable[None]]) -> None:
    async def inside() -> None:
        await check(asyncio.get_running_loop())

    asyncio.run(inside())


def test_what_never_waits_ends_at_once_without_a_task() -> None:
    ended: list[int] = []

    async def work() -> None:
        ended.append(1)

    async def check(loop: asyncio.AbstractEventLoop) -> None:
        assert start_eagerly(loop, work()) is None
        assert ended == [1]

    run(check)


def test_what_waits_goes_on_with_what_it_waited_for() -> None:
    seen: list[object] = []

    async def work(first: "asyncio.Future[str]", second: "asyncio.Future[str]") -> None:
        seen.append(await first)
        await asyncio.sleep(0)
        with pytest.raises(LookupError):
            await second
        seen.append(asyncio.current_task())

    async def check(loop: asyncio.AbstractEventLoop) -> None:
        first, second = loop.create_future(), loop.create_future()
        task = start_eagerly(loop, work(first, second))
        assert task is not None
        first.set_result("one")  # before the task has had its first turn
        await asyncio.sleep(0.01)
        second.set_exception(LookupError())
        await task
        assert seen == ["one", task]

    run(check)


def test_a_cancelled_task_ends_its_coroutine_where_it_waits() -> None:
    cleaned: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.append("up")

    async def check(loop: asyncio.AbstractEventLoop) -> None:
        task = start_eagerly(loop, work())
        assert task is not None
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cleaned == ["up"]

    run(check)


def test_what_it_raises_comes_out_at_once_or_of_the_task() -> None:
    async def fail(*, later: bool) -> None:
        if later:
            await asyncio.sleep(0)
        raise LookupError

    async def check(loop: asyncio.AbstractEventLoop) -> None:
        with pytest.raises(LookupError):
            start_eagerly(loop, fail(later=False))
        task = start_eagerly(loop, fail(later=True))
        assert task is not None
        with pytest.raises(LookupError):
            await task

    run(check)
