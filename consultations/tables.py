"""What all tables share: one registry of names, one way to keep a moment, one way to keep JSON."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar, cast

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Insert, Integer, MetaData, insert
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.attributes import manager_of_class
from sqlalchemy.types import TypeDecorator
from sqlmodel import Session, SQLModel

#: Names of constraints are fixed, so that Alembic can alter a table on SQLite (batch mode).
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata: MetaData = SQLModel.metadata


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


#: JSON as text on SQLite, as JSONB on PostgreSQL. Replace values, never mutate them in place.
Json = JSON().with_variant(JSONB(), "postgresql")

#: 64-bit key that SQLite still counts up by itself.
BigKey = BigInteger().with_variant(Integer(), "sqlite")

JsonObject = dict[str, Any]

TableT = TypeVar("TableT", bound=SQLModel)


@cache
def _insert(table: type[SQLModel]) -> Insert:
    return insert(SQLModel.metadata.tables[str(table.__tablename__)])


def insert_row(session: Session, table: type[SQLModel], **values: Any) -> int | None:
    """One INSERT in the session's transaction, without the bookkeeping of objects; returns a whole-number key.

    For what is written often and read back rarely: a tenth of the work of adding an object. Every column that
    must not be NULL has to be given, since defaults of the class are not applied. What the session still holds
    back is not flushed first.
    """
    key = session.connection().execute(_insert(table), values).inserted_primary_key
    return key[0] if key and isinstance(key[0], int) else None


def insert_rows(session: Session, table: type[SQLModel], rows: Iterable[Mapping[str, Any]]) -> None:
    """Several rows like `insert_row`, in one go; nothing happens without rows."""
    values = list(rows)
    if values:
        session.connection().execute(_insert(table), values)


def insert_object(session: Session, table: type[TableT], **values: Any) -> TableT:
    """One INSERT like `insert_row` with the defaults of the class; returns the row as the session would have read it.

    For tables whose `id` the database counts up. Costs a fifth of adding and flushing an object: nothing is sorted,
    compared or read back.
    """
    plain, made_anew = _defaults(table)
    values = {**plain, **{name: make() for name, make in made_anew}, **values}
    made: TableT = manager_of_class(table).new_instance()
    made.__dict__.update(values, id=insert_row(session, table, **values))
    make_transient_to_detached(made)
    session.add(made)
    return made


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
