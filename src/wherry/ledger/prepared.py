"""Statements of the frequent paths: compiled once for a dialect, and run straight on the driver.

SQLAlchemy's execution of a statement that it has compiled already costs three times the query itself (measured: 40 µs
beside 13). These go by the same tables and column types; only the machinery in between is left out. Values are given by
name; where the driver takes them by their places, as SQLite's does faster, they are put in order.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import ClauseElement, Connection, Dialect, Float, Numeric, Select, Table, bindparam
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

Row = tuple[Any, ...]
_Convert = Callable[[Any], Any]
_Outward = tuple[tuple[int, _Convert], ...]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement in a dialect's words, and how values are converted on their way in and out."""

    text: str
    defaults: dict[str, Any]
    inward: tuple[tuple[str, _Convert], ...]
    outward: _Outward
    in_order: Callable[[Mapping[str, Any]], Any]


class Prepared:
    """A statement with named parameters. Errors are the driver's own, not SQLAlchemy's.

    Args:
        statement: no lists of varying length in it.
        columns: the columns that an INSERT fills.
    """

    __slots__ = ("_columns", "_compiled", "_statement")

    def __init__(self, statement: ClauseElement, columns: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._columns = columns
        self._compiled: dict[str, _Compiled] = {}

    def run(self, connection: Connection, **values: Any) -> int:
        """Run a statement that returns no rows; return how many rows it touched."""
        _, cursor = self._execute(connection, values)
        count: int = cursor.rowcount
        cursor.close()
        return count

    def run_many(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Run the statement once for each of *rows*."""
        compiled = self._for(connection.dialect)
        cursor = connection.connection.cursor()
        in_order = compiled.in_order
        cursor.executemany(compiled.text, [in_order(_converted(compiled, row)) for row in rows])
        cursor.close()

    def first(self, connection: Connection, **values: Any) -> Row | None:
        """Return the first row, None where there's none."""
        outward, cursor = self._execute(connection, values)
        row: Row | None = cursor.fetchone()
        cursor.close()
        return row if row is None or not outward else _read(row, outward)

    def all(self, connection: Connection, **values: Any) -> list[Row]:
        """Return all rows."""
        outward, cursor = self._execute(connection, values)
        rows: list[Row] = cursor.fetchall()
        cursor.close()
        return [_read(row, outward) for row in rows] if outward else rows

    def _execute(self, connection: Connection, values: dict[str, Any]) -> tuple[_Outward, Any]:
        """Return how rows are to be converted, and the driver's cursor."""
        compiled = self._for(connection.dialect)
        driver: Any = connection.connection.dbapi_connection
        return compiled.outward, driver.execute(compiled.text, compiled.in_order(_converted(compiled, values)))

    def _for(self, dialect: Dialect) -> _Compiled:
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _compile(self._statement, self._columns, dialect)
        return compiled


class PreparedUpdate:
    """Updates of one row of a table, by its key: a statement for each set of columns that is ever asked for."""

    __slots__ = ("_key", "_statements", "_table")

    def __init__(self, table: Table, *key: str) -> None:
        self._table = table
        self._key = key
        self._statements: dict[tuple[str, ...], Prepared] = {}

    def run(self, connection: Connection, key: Sequence[Any], values: Mapping[str, Any]) -> int:
        """Set the columns in *values* of the row with this *key*; return how many rows there were: 1 or 0."""
        columns = tuple(values)
        statement = self._statements.get(columns)
        if statement is None:
            # The set of columns comes from code, never from a client, so this stays small.
            statement = self._statements[columns] = self._prepare(columns)
        return statement.run(connection, **dict(zip(map(_key_name, self._key), key, strict=True)), **values)

    def _prepare(self, columns: Sequence[str]) -> Prepared:
        table = self._table
        conditions = [table.c[name] == bindparam(_key_name(name), type_=table.c[name].type) for name in self._key]
        values = {name: bindparam(name, type_=table.c[name].type) for name in columns}
        return Prepared(table.update().where(*conditions).values(values))


def _key_name(column: str) -> str:
    return f"key_{column}"


def _compile(statement: ClauseElement, columns: Sequence[str] | None, dialect: Dialect) -> _Compiled:
    compiler = statement.compile(dialect=dialect, column_keys=columns)
    if not isinstance(compiler, SQLCompiler):  # DDL isn't for this
        raise TypeError(statement)
    inward = [(name, _inward(bind.type, dialect)) for name, bind in compiler.binds.items()]
    selected = statement.selected_columns if isinstance(statement, Select) else ()
    outward = [(place, _outward(column.type, dialect)) for place, column in enumerate(selected)]
    # What stands in the statement itself, such as a limit. An INSERT's columns are all given.
    constants = {} if columns else {name: value for name, value in compiler.params.items() if value is not None}
    return _Compiled(
        compiler.string,
        constants,
        tuple((name, convert) for name, convert in inward if convert is not None),
        tuple((place, convert) for place, convert in outward if convert is not None),
        _as_they_are if compiler.positiontup is None else _order(compiler.positiontup),
    )


def _as_they_are(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return values


def _order(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Return what makes a tuple of the values of *names*."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: tuple(values[name] for name in names)


def _inward(type_: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    return type_.dialect_impl(dialect).bind_processor(dialect)


def _outward(type_: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    if isinstance(type_, (Float, Numeric)):
        return None  # both drivers give numbers as they are
    return type_.dialect_impl(dialect).result_processor(dialect, None)


def _converted(compiled: _Compiled, values: dict[str, Any]) -> dict[str, Any]:
    if not compiled.inward and not compiled.defaults:
        return values
    given = {**compiled.defaults, **values}
    for name, convert in compiled.inward:
        given[name] = convert(given[name])
    return given


def _read(row: Row, outward: _Outward) -> Row:
    values = list(row)
    for place, convert in outward:
        values[place] = convert(values[place])
    return tuple(values)
