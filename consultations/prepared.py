"""SQL that is asked over and over: put together once per database, then run on the driver's own cursor.

For the few questions and rows that every hand-in needs. SQLAlchemy takes longer to hand one of them over than the
database takes to answer it. It still spells them, so that both databases are told the same, and it still owns the
connection and the transaction.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement
from sqlmodel import Session

_Converter = Callable[[Any], Any] | None


@dataclass(frozen=True)
class _Spelled:
    """A statement as one driver wants it, with what makes its values fit."""

    sql: str
    #: Every place for a value in order of the text: its name, and what converts it.
    places: tuple[tuple[str, _Converter], ...]
    #: Values that are part of the statement itself.
    fixed: Mapping[str, Any]

    def fitting(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in order of their places, as the driver wants them."""
        given = {**self.fixed, **values} if self.fixed else values
        return [given[name] if convert is None else convert(given[name]) for name, convert in self.places]


class Prepared:
    """A statement that is put together once; `ask` runs it as often as wanted, in the session's transaction.

    What the session still holds back is not flushed first, and what comes back is as the driver has it: fine for
    numbers and texts.
    """

    def __init__(self, clause: ClauseElement, *, columns: tuple[str, ...] | None = None) -> None:
        self._clause = clause
        self._columns = columns
        self._spelled: dict[str, _Spelled] = {}

    def ask(self, session: Session, /, **values: Any) -> Any:
        """Run it and return the driver's cursor. Raises the errors that SQLAlchemy raises."""
        connection = _connection(session)
        spelled = self._spelled_for(connection.dialect)
        return _sent(connection, spelled.sql, spelled.fitting(values))

    def run(self, session: Session, /, **values: Any) -> None:
        """Run it for what it changes; within `at_once` together with all the others at the end of the block."""
        waiting: list[tuple[str, list[Any]]] | None = session.info.get(_WAITING)
        if waiting is None:
            self.ask(session, **values)
        else:
            spelled = self._spelled_for(session.get_bind().dialect)
            waiting.append((spelled.sql, spelled.fitting(values)))

    def _spelled_for(self, dialect: Dialect) -> _Spelled:
        return self._spelled.get(dialect.name) or self._spell(dialect)

    def _spell(self, dialect: Dialect) -> _Spelled:
        compiled = self._clause.compile(
            dialect=_by_number(dialect), column_keys=None if self._columns is None else list(self._columns)
        )
        assert isinstance(compiled, SQLCompiler)
        spelled = self._spelled[dialect.name] = _Spelled(
            str(compiled),
            tuple(
                (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
                for name in compiled.positiontup or ()
            ),
            {name: bind.value for name, bind in compiled.binds.items() if not bind.required},
        )
        return spelled


@cache
def _by_number(dialect: Dialect) -> Dialect:
    """How a database's statements are spelled with places by their number: `?` on SQLite, `$1` on PostgreSQL."""
    if dialect.positional:
        return dialect
    spelling: type[Any] = type(dialect)
    by_number: Dialect = spelling(paramstyle="numeric_dollar")
    return by_number


def _connection(session: Session) -> Connection:
    """`session.connection()`, which is looked up once in a transaction: it takes longer than the whole way to SQLite."""
    transaction = session.get_nested_transaction() or session.get_transaction()
    known: tuple[object, Connection] | None = session.info.get(_CONNECTION)
    if known is not None and transaction is not None and known[0] is transaction and transaction.is_active:
        return known[1]
    connection = session.connection()
    session.info[_CONNECTION] = (session.get_nested_transaction() or session.get_transaction(), connection)
    return connection


def _sent(connection: Connection, sql: str, values: Sequence[Any]) -> Any:
    """Run a statement; the driver's cursor. Raises the errors that SQLAlchemy raises."""
    dialect = connection.dialect
    driver: Any = connection.connection.driver_connection
    # psycopg reads through a statement for its places each time it is sent, unless they are by number already.
    cursor = driver.cursor() if dialect.positional else dialect.loaded_dbapi.RawCursor(driver)
    for listener in connection.dispatch.before_cursor_execute:
        # Whoever counts what SQLAlchemy sends sees this too.
        listener(connection, cursor, sql, values, None, False)
    try:
        cursor.execute(sql, values)
    except _driver_error(dialect) as problem:
        raise as_usual(problem, dialect, sql) from problem
    return cursor


@contextmanager
def together(session: Session) -> Iterator[None]:
    """What is asked within goes to PostgreSQL in one sending (pipeline mode) instead of waiting for each answer.

    All answers are there at the end of the block, to be fetched then. Within it nothing may be asked by other ways than
    `Prepared`. SQLite, which is no server, answers at once.
    """
    connection = session.connection()
    pipeline = getattr(connection.connection.driver_connection, "pipeline", None)
    if pipeline is None:
        yield
        return
    try:
        with pipeline():
            yield
    except _driver_error(connection.dialect) as problem:
        raise as_usual(problem, connection.dialect) from problem


@contextmanager
def at_once(session: Session) -> Iterator[None]:
    """Rows that are written within (`Prepared.run`) go to PostgreSQL in a single statement at the end of the block.

    Their order does not matter there: keys that name other rows are looked at when all of them are in. SQLite, which
    is no server, writes each at once.
    """
    if session.get_bind().dialect.name != "postgresql":
        yield
        return
    waiting: list[tuple[str, list[Any]]] = []
    session.info[_WAITING] = waiting
    try:
        yield
    finally:
        del session.info[_WAITING]
    if waiting:
        _sent(
            _connection(session),
            _all_of(tuple(sql for sql, _ in waiting), tuple(len(values) for _, values in waiting)),
            [value for _, values in waiting for value in values],
        )


@lru_cache(maxsize=256)
def _all_of(statements: tuple[str, ...], places: tuple[int, ...]) -> str:
    """Several statements that change something as one, with so many places for values in each."""
    taken, numbered = 0, []
    for sql, number in zip(statements, places, strict=True):
        numbered.append(_PLACE.sub(partial(_moved, taken), sql))
        taken += number
    *before, last = numbered
    parts = ", ".join(f"part_{number} AS ({sql})" for number, sql in enumerate(before))
    return f"WITH {parts} {last}" if parts else last


def _moved(by: int, place: re.Match[str]) -> str:
    return f"${int(place[1]) + by}"


#: A place for a value, as PostgreSQL wants it.
_PLACE = re.compile(r"\$(\d+)")
#: Under which names a session keeps what waits for the end of `at_once`, and the connection of its transaction.
_WAITING = "rows that wait"
_CONNECTION = "connection of the transaction"


def _driver_error(dialect: Dialect) -> type[Exception]:
    found: type[Exception] = dialect.loaded_dbapi.Error
    return found


def as_usual(problem: Exception, dialect: Dialect, sql: str | None = None) -> BaseException:
    """A driver's error as SQLAlchemy's; without the values, which are personal data."""
    told = DBAPIError.instance(sql, None, problem, _driver_error(dialect), dialect=dialect)
    assert isinstance(told, BaseException)
    return told
