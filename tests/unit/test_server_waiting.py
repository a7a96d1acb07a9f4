"""Long polls: what Prefer asks for, waking, running out, closing, and being cancelled."""

import asyncio
import time

import pytest

from wherry.server.waiting import Waiters, wait_preference


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (b"wait=30", 30),
        (b"Wait=5", 5),
        (b"respond-async, wait=10", 10),
        (b"wait = 7; foo=bar", 7),
        (b'wait="9"', 9),
        (b"wait=600", 60),
        (b"wait=0", 0),
        (b"wait=-5", 0),
        (b"wait=1.5", 0),
        (b"wait=abc", 0),
        (b"await=3", 0),
        (b"wait", 0),
        (b"wait=999999999999999999999", 0),
        (b"\xff\xfe", 0),
    ],
)
def test_what_prefer_asks_for(header: bytes, seconds: int) -> None:
    assert wait_preference([(b"host", b"x"), (b"prefer", header)]) == seconds


def test_without_prefer_nobody_waits() -> None:
    assert wait_preference([(b"host", b"wait=30")]) == 0


def test_a_waiter_is_woken_by_its_topic_alone_and_forgotten_afterwards() -> None:
    async def check() -> None:
        waiters = Waiters()
        with waiters.expect("source:1") as one, waiters.expect("source:2") as two:
            waiters.publish({"source:1"})
            assert await one.wait(5) is True
            assert await two.wait(0.01) is False
        assert waiters.count() == 0

    asyncio.run(check())


def test_what_happens_before_the_wait_is_not_missed() -> None:
    async def check() -> None:
        waiters = Waiters()
        with waiters.expect("source:1") as expectation:
            waiters.publish({"source:1"})
            began = time.monotonic()
            assert await expectation.wait(5)
            assert time.monotonic() - began < 1

    asyncio.run(check())


def test_closing_wakes_everybody_now_and_from_now_on() -> None:
    async def check() -> None:
        waiters = Waiters()

        async def wait() -> bool:
            with waiters.expect("source:1") as expectation:
                return await expectation.wait(30)

        waiting = [asyncio.create_task(wait()) for _ in range(1000)]
        await asyncio.sleep(0)
        assert waiters.count() == 1000
        waiters.close()
        assert all(await asyncio.gather(*waiting))
        assert await wait()
        assert waiters.count() == 0

    asyncio.run(check())


def test_a_cancelled_waiter_is_cancelled_and_forgotten() -> None:
    async def check() -> None:
        waiters = Waiters()

        async def wait() -> None:
            with waiters.expect("source:1") as expectation:
                await expectation.wait(30)

        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert waiters.count() == 0

    asyncio.run(check())
