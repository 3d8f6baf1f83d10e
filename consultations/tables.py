"""What all tables share: one registry of names, one way to keep a moment, one way to keep JSON."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    Table,
    insert,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped
from sqlalchemy.orm.attributes import instance_state, manager_of_class
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Session, SQLModel

from consultations.prepared import Prepared

#: Names of constraints are fixed, so that Alembic can alter a table on SQLite (batch mode).
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata: MetaData = SQLModel.metadata
# Rows are never checked by pydantic; what it would need for that is made for those few that are asked (`model_dump`).
SQLModel.model_config["defer_build"] = True


def one_of(column: Mapped[int], keys: Sequence[int]) -> ColumnElement[bool]:
    """That a column has one of these keys. One alone is asked for as itself: of a list of one, databases make no use of the
    order of their index."""
    return column == keys[0] if len(keys) == 1 else column.in_(keys)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC: aware on the way in, aware on the way out, on both databases.

    SQLite forgets time zones; so the zone is taken off on the way in and put back on the way out.
    Raises ValueError for a naive moment, because nobody could say later which zone it meant.
    """

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class _Jsonb(TypeDecorator[Any]):
    """PostgreSQL's JSONB, whose dialect (5 MB) is loaded only where that is the database."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        from sqlalchemy.dialects.postgresql import JSONB

        return dialect.type_descriptor(JSONB())


#: JSON as text on SQLite, as JSONB on PostgreSQL. Replace values, never mutate them in place.
Json = JSON().with_variant(_Jsonb(), "postgresql")

#: 64-bit key that SQLite still counts up by itself.
BigKey = BigInteger().with_variant(Integer(), "sqlite")

JsonObject = dict[str, Any]

TableT = TypeVar("TableT", bound=SQLModel)


def only(condition: str) -> dict[str, Any]:
    """What says of an `Index` that it holds those rows only, as its migration has made it on both databases.

    A note, where SQLAlchemy's own words (`postgresql_where`) would load each database's dialect for the other.
    """
    return {"info": {"only": condition}}


def _table(table: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(table.__tablename__)]


@cache
def _insert(table: type[SQLModel], columns: tuple[str, ...]) -> Prepared:
    return Prepared(insert(_table(table)).inline(), columns=columns)


def claim_keys(session: Session, *tables: type[SQLModel]) -> Any:
    """One row with the key that the next row of each table will have, for rows that name each other.

    On PostgreSQL the keys are taken from their sequences; on SQLite, where whoever writes is alone, they are the ones
    that it would give. The session must have begun to write, and the rows belong into the same transaction.
    """
    return _claim(tables).ask(session)


@cache
def _claim(tables: tuple[type[SQLModel], ...]) -> Prepared:
    return Prepared(select(*map(next_key, tables)))


class next_key(ColumnElement[int]):  # noqa: N801 (as SQLAlchemy's own functions)
    """The key that the next row of a table will have, as a column of a question; see `claim_keys`."""

    inherit_cache = False

    def __init__(self, table: type[SQLModel]) -> None:
        self.table = str(table.__tablename__)
        self.type = BigInteger()


@compiles(next_key, "postgresql")
def _from_sequence(element: next_key, compiler: SQLCompiler, **how: Any) -> str:
    return f"nextval(pg_get_serial_sequence('{element.table}', 'id'))"


@compiles(next_key, "sqlite")
def _after_the_last(element: next_key, compiler: SQLCompiler, **how: Any) -> str:
    return f"(SELECT coalesce(max(id), 0) + 1 FROM {element.table})"


def insert_row(session: Session, table: type[SQLModel], **values: Any) -> dict[str, Any]:
    """One INSERT in the session's transaction with the defaults of the class; returns all the values.

    For what is written often and read back rarely: a thirtieth of the work of adding an object and flushing it,
    because nothing is sorted, compared or read back. What the session still holds back is not flushed first. Within
    `prepared.at_once` it is written at the end of the block.
    """
    plain, made_anew = _defaults(table)
    values = {**plain, **{name: make() for name, make in made_anew}, **values}
    _insert(table, tuple(values)).run(session, **values)
    return values


def insert_rows(session: Session, table: type[SQLModel], rows: Iterable[Mapping[str, Any]]) -> None:
    """Several rows like `insert_row`, in one go; nothing happens without rows."""
    values = list(rows)
    if values:
        session.connection().execute(insert(_table(table)), values)


def insert_object(session: Session, table: type[TableT], **values: Any) -> TableT:
    """One INSERT like `insert_row`; returns the row as the session would have read it.

    For tables whose `id` the database counts up; it is claimed here if it is not given.
    """
    if "id" not in values:
        (values["id"],) = claim_keys(session, table).fetchone()
    return _kept(session, table, insert_row(session, table, **values))


def _object(table: type[TableT], values: Mapping[str, Any]) -> TableT:
    made: TableT = manager_of_class(table).new_instance()
    made.__dict__.update(values)
    return made


def _kept(session: Session, table: type[TableT], values: Mapping[str, Any]) -> TableT:
    """An object of these values, of all columns, as if the session had read it."""
    made = _object(table, values)
    instance_state(made).key = _key(table, values)
    session.add(made)
    return made


def _key(table: type[SQLModel], values: Mapping[str, Any]) -> Any:
    """Under which a session keeps a row."""
    return manager_of_class(table).mapper.identity_key_from_primary_key((values["id"],))


def read_objects(session: Session, table: type[TableT], answer: Any) -> list[TableT]:
    """Whole rows of a table as objects that no session keeps: to look at, never to change.

    `answer` to a question (`Prepared.ask`) that selects all columns in their order. A fifth of the work of reading them
    into the session.
    """
    return [_object(table, _read(session, table, answer, row)) for row in answer.fetchall()]


def find_object(session: Session, table: type[TableT], question: Prepared, **values: Any) -> TableT | None:
    """The one row that a question selects, kept by the session as if it had read it; None if there is none.

    `question` selects all columns in their order. What the session holds back is not flushed first.
    """
    answer = question.ask(session, **values)
    row = answer.fetchone()
    if row is None:
        return None
    read = _read(session, table, answer, row)
    known: TableT | None = session.identity_map.get(_key(table, read))
    return _kept(session, table, read) if known is None else known


def _read(session: Session, table: type[SQLModel], answer: Any, row: Sequence[Any]) -> dict[str, Any]:
    dialect = session.get_bind().dialect
    readers = _readers.get((table, dialect.name))
    if readers is None:
        readers = _readers[table, dialect.name] = [
            (column.key, column.type.dialect_impl(dialect).result_processor(dialect, told[1]))
            for column, told in zip(_table(table).columns, answer.description, strict=True)
        ]
    return {
        name: value if convert is None else convert(value)
        for (name, convert), value in zip(readers, row, strict=True)
    }


#: The columns of a table, each with what makes its value of what a driver gives, by table and database.
_readers: dict[tuple[type[SQLModel], str], list[tuple[str, Callable[[Any], Any] | None]]] = {}


@cache
def _defaults(table: type[SQLModel]) -> tuple[dict[str, Any], list[tuple[str, Callable[[], Any]]]]:
    """Default values by name, and what makes those that must not be shared."""
    fields = {
        name: field for name, field in table.model_fields.items() if name != "id" and not field.is_required()
    }
    plain = {name: field.default for name, field in fields.items() if field.default_factory is None}
    made_anew = [
        (name, cast("Callable[[], Any]", field.default_factory))
        for name, field in fields.items()
        if field.default_factory is not None
    ]
    return plain, made_anew
