"""Group reads: a few threads with a connection each answer the queries of everybody who asks meanwhile.

A query is a plain function over a connection, as on SQLite; on PostgreSQL it waits for the network, which the event
loop mustn't. Queries that wait together share a thread's turn and one snapshot: the hop between threads and the BEGIN
cost once a turn instead of once a query. All were asked before the snapshot was taken: each sees what it may rely on.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, Engine

from wherry.ledger.errors import LedgerClosed
from wherry.ledger.postgresql import driver_of, explain, is_database_error

_SESSIONS = 3
_LARGEST_TURN = 16
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Question:
    query: Callable[[Connection], Any]
    future: "asyncio.Future[Any]"


@dataclass(frozen=True, slots=True)
class _Answer:
    future: "asyncio.Future[Any]"
    result: Any = None
    error: Exception | None = None


class PostgresReader:
    """Answers queries in threads of its own."""

    def __init__(self, engine: Engine, *, sessions: int = _SESSIONS) -> None:
        self._engine = engine
        self._waiting: deque[_Question] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._threads = [
            threading.Thread(target=self._run, name=f"ledger-reader-{number}", daemon=True)
            for number in range(sessions)
        ]
        for thread in self._threads:
            thread.start()

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run *query* on one consistent view of all that's committed. Raises LedgerAway, ValueRefused, LedgerClosed."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._wake:
            if self._closing:
                raise LedgerClosed
            self._waiting.append(_Question(query, future))
            self._wake.notify()
        return await future

    def refresh(self) -> None:
        """Nothing to do: every turn has a view of its own."""

    async def close(self) -> None:
        """Answer what was asked, end the threads and close the connections."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        await asyncio.sleep(0)

    def _run(self) -> None:
        session = _Session(self._engine)
        while questions := self._next_turn():
            answers = session.answer(questions)
            loop = questions[0].future.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, answers)
        session.close()

    def _next_turn(self) -> list[_Question]:
        with self._wake:
            while not self._waiting and not self._closing:
                self._wake.wait()
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), _LARGEST_TURN))]


class _Session:
    """A thread's connection."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def answer(self, questions: Sequence[_Question]) -> list[_Answer]:
        """Answer *questions*. A connection that has gone stale is replaced once."""
        rest = deque(questions)
        answers: list[_Answer] = []
        fresh = self._connection is None
        while rest:
            try:
                self._turn(rest, answers)
            except Exception as error:  # noqa: BLE001 - told to those who asked
                self.close()
                if fresh or not is_database_error(error):
                    answers += [_Answer(question.future, error=explain(error)) for question in rest]
                    break
                fresh = True
        return answers

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _turn(self, rest: deque[_Question], answers: list[_Answer]) -> None:
        """Answer questions on one snapshot, until all are answered or the transaction can't go on."""
        if self._connection is None:
            self._connection = self._engine.connect()
        driver = driver_of(self._connection)
        driver.say(_BEGIN)
        while rest:
            question = rest[0]
            try:
                answer = _Answer(question.future, question.query(self._connection))
            except Exception as error:
                if driver.closed:
                    raise
                answer = _Answer(question.future, error=explain(error))
            answers.append(answer)
            rest.popleft()
            if driver.info.transaction_status is psycopg.pq.TransactionStatus.INERROR:
                break
        driver.say("ROLLBACK")


def _settle(answers: Sequence[_Answer]) -> None:
    for answer in answers:
        if answer.future.done():
            continue  # its caller was cancelled
        if answer.error is not None:
            answer.future.set_exception(answer.error)
        else:
            answer.future.set_result(answer.result)
