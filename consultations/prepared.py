"""SQL that is asked over and over: put together once per database, then run on the driver's own cursor.

For the few questions and rows that every hand-in needs. SQLAlchemy takes longer to hand one of them over than the
database takes to answer it. It still spells them, so that both databases are told the same, and it still owns the
connection and the transaction.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect
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
    by_name: bool


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
        connection = session.connection()
        dialect = connection.dialect
        spelled = self._spelled.get(dialect.name) or self._spell(dialect)
        given = {**spelled.fixed, **values} if spelled.fixed else values
        fitting = [
            given[name] if convert is None else convert(given[name]) for name, convert in spelled.places
        ]
        told: Any = fitting
        if spelled.by_name:
            told = {name: value for (name, _), value in zip(spelled.places, fitting, strict=True)}
        cursor = connection.connection.cursor()
        for listener in connection.dispatch.before_cursor_execute:
            # Whoever counts what SQLAlchemy sends sees this too.
            listener(connection, cursor, spelled.sql, told, None, False)
        try:
            cursor.execute(spelled.sql, told)
        except _driver_error(dialect) as problem:
            raise as_usual(problem, dialect, spelled.sql) from problem
        return cursor

    def run(self, session: Session, /, **values: Any) -> None:
        """Run it for what it changes; within `at_once` together with all the others at the end of the block."""
        waiting = session.info.get(_WAITING)
        if waiting is None:
            self.ask(session, **values)
        else:
            waiting.append((self, values))

    def _spell(self, dialect: Dialect) -> _Spelled:
        compiled = self._clause.compile(
            dialect=dialect, column_keys=None if self._columns is None else list(self._columns)
        )
        assert isinstance(compiled, SQLCompiler)
        order = compiled.positiontup if compiled.positional else list(compiled.binds)
        spelled = _Spelled(
            str(compiled),
            tuple(
                (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
                for name in order or ()
            ),
            {name: bind.value for name, bind in compiled.binds.items() if not bind.required},
            not compiled.positional,
        )
        self._spelled[dialect.name] = spelled
        return spelled


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
    waiting: list[tuple[Prepared, Mapping[str, Any]]] = []
    session.info[_WAITING] = waiting
    try:
        yield
    finally:
        del session.info[_WAITING]
    if waiting:
        values = {
            f"{_prefix(number)}{name}": value
            for number, (_, given) in enumerate(waiting)
            for name, value in given.items()
        }
        _all_of(tuple(each for each, _ in waiting)).ask(session, **values)


class _AllOf(Prepared):
    """Several statements that change something, as one."""

    def __init__(self, parts: tuple[Prepared, ...]) -> None:
        super().__init__(parts[0]._clause)
        self._parts = parts

    def _spell(self, dialect: Dialect) -> _Spelled:
        spelled = [part._spelled.get(dialect.name) or part._spell(dialect) for part in self._parts]
        texts = [_NAMED.sub(rf"%({_prefix(number)}\1)s", each.sql) for number, each in enumerate(spelled)]
        *before, last = texts
        parts = ", ".join(f"part_{number} AS ({sql})" for number, sql in enumerate(before))
        whole = self._spelled[dialect.name] = _Spelled(
            f"WITH {parts} {last}" if parts else last,
            tuple(
                (f"{_prefix(number)}{name}", convert)
                for number, each in enumerate(spelled)
                for name, convert in each.places
            ),
            {
                f"{_prefix(number)}{name}": value
                for number, each in enumerate(spelled)
                for name, value in each.fixed.items()
            },
            by_name=True,
        )
        return whole


#: A place for a value, as psycopg wants it.
_NAMED = re.compile(r"%\((\w+)\)s")
#: Under which name a session keeps what waits for the end of `at_once`.
_WAITING = "rows that wait"


def _prefix(number: int) -> str:
    return f"p{number}_"


@lru_cache(maxsize=256)
def _all_of(parts: tuple[Prepared, ...]) -> _AllOf:
    return _AllOf(parts)


def _driver_error(dialect: Dialect) -> type[Exception]:
    found: type[Exception] = dialect.loaded_dbapi.Error
    return found


def as_usual(problem: Exception, dialect: Dialect, sql: str | None = None) -> BaseException:
    """A driver's error as SQLAlchemy's; without the values, which are personal data."""
    told = DBAPIError.instance(sql, None, problem, _driver_error(dialect), dialect=dialect)
    assert isinstance(told, BaseException)
    return told
