"""Statements that run straight on the driver give what SQLAlchemy would give."""

from collections.abc import Iterator

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    select,
)
from sqlalchemy.dialects.postgresql import psycopg

from wherry.ledger import audit, commands, polls, sources, tasks
from wherry.ledger.documents import Document, JsonText
from wherry.ledger.prepared import Prepared, PreparedUpdate

thing = Table(
    "thing",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(10), nullable=False),
    Column("open", Boolean, nullable=False),
    Column("speed", Float),
    Column("document", Document),
    Column("text", JsonText),
)
INSERT = Prepared(thing.insert().inline(), ("name", "open", "speed", "document", "text"))
BY_NAME = Prepared(select(thing).where(thing.c.name == bindparam("name")))


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://", isolation_level="AUTOCOMMIT", paramstyle="named")
    with engine.connect() as opened:
        thing.create(opened)
        INSERT.run(opened, name="a", open=True, speed=1.5, document={"ü": [1, None]}, text=b'{"b" :1.50}')
        INSERT.run(opened, name="b", open=False, speed=None, document=None, text=None)
        yield opened
    engine.dispose()


def test_values_go_in_and_come_out_as_their_columns_say(connection: Connection) -> None:
    assert BY_NAME.first(connection, name="a") == (1, "a", True, 1.5, {"ü": [1, None]}, b'{"b" :1.50}')
    assert BY_NAME.first(connection, name="b") == (2, "b", False, None, None, None)
    for name in "ab":
        slow = connection.execute(select(thing).where(thing.c.name == name)).one()
        assert tuple(slow) == BY_NAME.first(connection, name=name)


def test_nothing_found_is_none_and_an_empty_list(connection: Connection) -> None:
    assert BY_NAME.first(connection, name="c") is None
    assert BY_NAME.all(connection, name="c") == []


def test_many_rows_go_in_and_all_come_out(connection: Connection) -> None:
    rows = [{"name": "many", "open": True, "speed": 0.0, "document": number, "text": None} for number in range(5)]
    INSERT.run_many(connection, rows)
    found = BY_NAME.all(connection, name="many")
    assert [row[4] for row in found] == list(range(5))
    assert all(row[2] is True for row in found)


def test_constants_of_a_statement_stay_in_it(connection: Connection) -> None:
    query = select(thing.c.name).where(thing.c.open == bindparam("open"), thing.c.speed < 3).order_by(thing.c.id)
    assert Prepared(query.limit(1)).all(connection, open=True) == [("a",)]


def test_an_update_touches_the_columns_and_the_row_it_is_told(connection: Connection) -> None:
    update = PreparedUpdate(thing, "id")
    assert update.run(connection, (1,), {"document": {"new": True}, "open": False}) == 1
    assert update.run(connection, (2,), {"document": [2]}) == 1
    assert update.run(connection, (3,), {"document": [3]}) == 0
    assert BY_NAME.first(connection, name="a") == (1, "a", False, 1.5, {"new": True}, b'{"b" :1.50}')
    assert BY_NAME.first(connection, name="b") == (2, "b", False, None, [2], None)


def test_an_update_may_set_what_it_looks_for(connection: Connection) -> None:
    update = PreparedUpdate(thing, "name", "open")
    assert update.run(connection, ("a", True), {"name": "c"}) == 1
    assert update.run(connection, ("b", True), {"name": "d"}) == 0
    assert BY_NAME.first(connection, name="c") is not None


def test_a_missing_value_is_an_error_and_never_null(connection: Connection) -> None:
    with pytest.raises(Exception, match="speed"):
        INSERT.run(connection, name="x", open=True, document=None, text=None)


@pytest.mark.parametrize(
    "statement", [polls._POLL, sources._FIND, tasks._FIND, tasks._SUBTASKS, commands._APPEND, audit._APPEND]
)
def test_the_frequent_statements_compile_for_postgresql(statement: Prepared) -> None:
    compiled = statement._for(psycopg.dialect())  # type: ignore[no-untyped-call]
    assert "%(" in compiled.text
