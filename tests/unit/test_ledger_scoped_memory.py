"""What is remembered of a scope, and the units after which it isn't any more."""

import asyncio
from pathlib import Path

import pytest

from wherry.ledger.ledger import open_ledger
from wherry.ledger.scoped_memory import ScopedMemory
from wherry.ledger.transaction import Transaction


def test_a_unit_of_a_scope_takes_what_is_known_of_it_and_a_unit_of_none_takes_all() -> None:
    memory: ScopedMemory[int] = ScopedMemory()
    memory.put("source:a", 1)
    memory.put("source:b", 2)
    memory.unit_ended("source:a")
    assert (memory.get("source:a"), memory.get("source:b")) == (None, 2)
    memory.unit_ended("")
    assert memory.get("source:b") is None


def test_the_oldest_are_forgotten_first_and_a_memory_for_nothing_keeps_nothing() -> None:
    memory: ScopedMemory[int] = ScopedMemory(2)
    for number, scope in enumerate("abc"):
        memory.put(scope, number)
    assert [memory.get(scope) for scope in "abc"] == [None, 1, 2]
    nothing: ScopedMemory[int] = ScopedMemory(0)
    nothing.put("a", 1)
    assert nothing.get("a") is None


def test_the_ledger_tells_of_each_unit_before_its_caller_is_answered_even_of_one_that_failed(tmp_path: Path) -> None:
    class RefusedError(Exception):
        pass

    def change(_tx: Transaction) -> None:
        pass

    def refuse(_tx: Transaction) -> None:
        raise RefusedError

    async def check() -> None:
        ledger, told = open_ledger(tmp_path / "ledger"), list[str]()
        try:
            ledger.watch(told.append)
            await ledger.write(change, "source:a")
            assert told == ["source:a"]
            await ledger.write(change)
            with pytest.raises(RefusedError):
                await ledger.write(refuse, "source:a")
            assert told == ["source:a", "", ""]  # nobody knows any more what a failed unit was about
        finally:
            await ledger.close()

    asyncio.run(check())
